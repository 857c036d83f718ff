"""A whole audit that looks early: real digits, real training, real files."""

import json
from pathlib import Path
from typing import Any

import pytest

from auditkit.claims.read import parse_claim
from auditkit.core.progress import NullReporter
from auditkit.engine.resources import Resources
from auditkit.engine.store import contents
from auditkit.evidence.schema import Look
from auditkit.pipeline import audit
from auditkit.study.checks import claim_problems
from auditkit.study.lock import lock_audit
from auditkit.verdict import memory_tests as memory

LOOKING: dict[str, Any] = {
    "name": "looking",
    "data": {"train": 400, "control": 120, "test": 150, "population": 200},
    "forget": {"fraction": 0.2},
    "model": {"options": {"hidden": [64]}},
    "training": {"epochs": 20},
    "procedure": {"name": "noop"},
    "runs": {"per_arm": 16, "looks": [6], "shadow": 0},
    "criteria": {"attacks": ["gap", "loss"], "jitter": [0.3], "reported": [], "recoveries": []},
}


def test_a_no_op_ends_the_audit_at_the_first_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After six of sixteen runs the audit is over: nothing beyond them was trained, the lock holds
    the looks, the evidence says which were made, and its intervals are of that look's level."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "store"))
    monkeypatch.setattr(memory, "NULL_GROUPS", 119)
    claim, problems = parse_claim(LOOKING)
    assert problems == []
    given = Resources(jobs=1, width=8)
    begun = lock_audit(claim, tmp_path / "out", folder=Path(), problems=[], given=given, tell=NullReporter())
    evidence = audit(claim, tmp_path / "out", given=given, lock=begun.lock_sha256)
    assert evidence.lock_sha256 == begun.lock_sha256
    level = 0.05 * 6 / 16
    assert evidence.verdict.outcome == "not_supported"
    assert evidence.looks == (Look(6, 6 / 16 * 0.05, "not_supported", ()),)
    assert {arm.runs for arm in evidence.arms} == {6}
    assert evidence.residual_memory.exact.confidence == pytest.approx(1 - 2 * level)
    assert not [e.what for e in contents() if "runs 6" in e.what or "to 15" in e.what]
    lock = json.loads((tmp_path / "out" / "lock.json").read_bytes())
    assert lock["claim"]["runs"]["looks"] == [6]
    assert lock["looks"] == [{"level": level, "runs": 6}, {"level": pytest.approx(0.05 - level), "runs": 16}]
    told = (
        "| runs an arm | level of each test | outcome | controls that came out wrong |\n|---|---|---|---|\n"
        "| 6 | 0.01875 | ✗ not supported | none |\n"
    )
    assert told in (tmp_path / "out" / "summary.md").read_text()


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
