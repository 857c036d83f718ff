"""The tests that a claim must pass: what is locked. Policy, in the order of judgement."""

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import (
    DIFFERENTIAL_PRIVACY,
    EXACT,
    RELEARNED,
    SPARED_IN_STRESS,
    SPARED_RECORDS,
    STRESS,
    TEST_ACCURACY,
    VISIBLE_RECORDS,
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


def required_tests(criteria: Criteria, *, private: bool = False, stress: bool = False) -> list[TestId]:
    """The tests that support needs.

    Args:
        criteria: what would count as forgotten.
        private: whether the claim is also one of differential privacy.
        stress: whether the stress world is looked at, too.

    Returns:
        Their identities, in the order of `auditkit.verdict.required_findings.required_findings`.
    """
    asked = queries(criteria)
    return [
        *map(residual_memory, asked),
        SPARED_RECORDS,
        *([*(residual_memory(q, STRESS) for q in asked), SPARED_IN_STRESS] if stress else []),
        VISIBLE_RECORDS,
        *map(attack_gap, criteria.attacks),
        TEST_ACCURACY,
        *([DIFFERENTIAL_PRIVACY] if private else []),
    ]
