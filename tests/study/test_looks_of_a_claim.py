"""Which looks a claim may plan."""

from pathlib import Path
from typing import Any

import pytest

from auditkit.claims.read import parse_claim
from auditkit.study.checks import claim_problems

LOOKING: dict[str, Any] = {
    "data": {"train": 400, "control": 120, "test": 150, "population": 200},
    "procedure": {"name": "noop"},
    "criteria": {"attacks": ["gap", "loss"], "jitter": [0.3], "reported": [], "recoveries": []},
}


@pytest.mark.parametrize("looks", [[8, 8], [8, 6], [16], [6, 20]])
def test_looks_that_do_not_rise_are_refused(looks: list[int]) -> None:
    """Looks must rise and end below the number of runs; the claim is refused in those words."""
    claim, problems = parse_claim(LOOKING | {"runs": {"per_arm": 16, "looks": looks, "shadow": 0}})
    assert problems == []
    (problem,) = claim_problems(claim, Path())
    assert (
        problem
        == f"runs.looks must rise and end below runs.per_arm = 16, where the last look is, found {looks};"
        " correct it, or leave it out"
    )


def test_the_last_look_must_have_the_power() -> None:
    """Looks that leave too little of alpha for the last one are refused for want of power."""
    claim, _ = parse_claim(LOOKING | {"runs": {"per_arm": 14, "looks": [12], "shadow": 0}})
    (problem,) = claim_problems(claim, Path())
    assert "14 runs give" in problem
    assert "at the last look" in problem
    claim, _ = parse_claim(LOOKING | {"runs": {"per_arm": 14, "shadow": 0}})
    assert claim_problems(claim, Path()) == []
