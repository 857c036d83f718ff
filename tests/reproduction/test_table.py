"""Which runs that diverged concern which case."""

from auditkit.reproduction.table import concerning


def test_what_became_of_other_cases_says_nothing_of_this_one() -> None:
    """A case is judged by its own runs and those it is compared with, and never by a case whose
    name begins alike."""
    diverged = [
        "original run 1 (seed 5)",
        "shadow run 2 (seed 6)",
        "unlearned, VFR rank run 0 (seed 7)",
        "unlearned, VFR rank, gate off run 3 (seed 8)",
        "honest run 4 (seed 9)",
    ]
    assert concerning(diverged, "VFR rank") == [diverged[0], diverged[2], diverged[4]]
    assert concerning(diverged, "VFR rank, gate off") == [diverged[0], diverged[3], diverged[4]]
    assert concerning(diverged, "SSD") == [diverged[0], diverged[4]]
