"""The tests that a claim must pass, by name: what is locked."""

from auditkit.claims.claim import Criteria


def queries(criteria: Criteria) -> list[str]:
    """How every record is asked about: as it is, near it at each radius, and of models that are
    reminded of others."""
    relearned = ["relearned"] if "relearned" in criteria.recoveries else []
    return ["exact", *(f"jitter {share:g}" for share in criteria.jitter), *relearned]


def required_tests(criteria: Criteria, *, private: bool = False) -> list[str]:
    """The names of the tests that support needs, in the order of `required_findings`, then that of
    a claim of differential privacy where there is one: what is locked."""
    return [
        *(f"residual memory, {query}" for query in queries(criteria)),
        "spared records",
        *(f"attack gap, {attack}" for attack in criteria.attacks),
        "test accuracy",
        *([PRIVACY_TEST] if private else []),
    ]


PRIVACY_TEST = "differential privacy"
"""The name of the test of a claim of differential privacy, which is required where there is one."""
