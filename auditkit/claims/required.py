"""The tests that a claim must pass: what is locked. Policy, in the order of judgement."""

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import (
    DIFFERENTIAL_PRIVACY,
    EXACT,
    RELEARNED,
    SPARED_RECORDS,
    TEST_ACCURACY,
    Jitter,
    Query,
    TestId,
    attack_gap,
    residual_memory,
)


def queries(criteria: Criteria) -> list[Query]:
    """How every record must be asked about: as it is, near it at each radius, and of models that
    are reminded of others.

    Args:
        criteria: what would count as forgotten.

    Returns:
        The queries under which residual memory is a required test.
    """
    relearned = [RELEARNED] if RELEARNED.by in criteria.recoveries else []
    return [EXACT, *map(Jitter, criteria.jitter), *relearned]


def required_tests(criteria: Criteria, *, private: bool = False) -> list[TestId]:
    """The tests that support needs.

    Args:
        criteria: what would count as forgotten.
        private: whether the claim is also one of differential privacy.

    Returns:
        Their identities, in the order of `auditkit.verdict.required_findings.required_findings`.
    """
    return [
        *map(residual_memory, queries(criteria)),
        SPARED_RECORDS,
        *map(attack_gap, criteria.attacks),
        TEST_ACCURACY,
        *([DIFFERENTIAL_PRIVACY] if private else []),
    ]
