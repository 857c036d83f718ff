"""A whole audit that looks early: real digits, real training, real files."""

import json
from pathlib import Path
from typing import Any

import pytest

from auditkit.core.progress import NullReporter
from auditkit.engine.resources import Resources
from auditkit.engine.store import contents
from auditkit.evidence.schema import Look
from auditkit.study.lock import lock_audit
from auditkit.study.source import AuditRequest
from auditkit.verdict import memory_tests
from tests.audit.audits import audited, claim_of, exact_memory

LOOKING: dict[str, Any] = {
    "name": "looking",
    "training": {"epochs": 20},
    "procedure": {"name": "noop"},
    "runs": {"per_arm": 16, "looks": [6], "shadow": 0},
    "criteria": {"attacks": ["gap", "loss"], "jitter": [0.3], "reported": [], "recoveries": []},
}


def test_a_no_op_ends_the_audit_at_the_first_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After six of sixteen runs the audit is over: nothing beyond them was trained, the lock holds
    the looks, the evidence says which were made, and its intervals are of that look's level."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "store"))
    monkeypatch.setattr(memory_tests, "NULL_GROUPS", 119)
    claim, given = claim_of(**LOOKING), Resources(jobs=1, width=8, threads=1)
    locked = lock_audit(AuditRequest(claim, tmp_path / "out"), given, NullReporter())
    evidence = audited(claim, tmp_path / "out", given=given, lock=locked.lock_sha256)
    assert evidence.lock_sha256 == locked.lock_sha256
    level = 0.05 * 6 / 16
    assert evidence.verdict.outcome == "not_supported"
    assert evidence.looks == (Look(6, 6 / 16 * 0.05, "not_supported", ()),)
    assert {arm.runs for arm in evidence.arms} == {6}
    assert exact_memory(evidence).confidence == pytest.approx(1 - 2 * level)
    assert not [e.what for e in contents() if "runs 6" in e.what or "to 15" in e.what]
    lock = json.loads((tmp_path / "out" / "lock.json").read_bytes())
    assert lock["claim"]["runs"]["looks"] == [6]
    assert lock["looks"] == [{"level": level, "runs": 6}, {"level": pytest.approx(0.05 - level), "runs": 16}]
    told = (
        "| runs an arm | level of each test | outcome | controls that came out wrong |\n|---|---|---|---|\n"
        "| 6 | 0.01875 | ✗ not supported | none |\n"
    )
    assert told in (tmp_path / "out" / "summary.md").read_text()
