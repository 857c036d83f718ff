"""Whole audits that may go on to the stress world: real digits, real training, real files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditkit.core.ids import EXACT, RETRAINED, SPARED_IN_STRESS, STRESS, VISIBLE_RECORDS, residual_memory
from auditkit.engine.store import contents
from auditkit.evidence.schema import Evidence, Ran
from auditkit.verdict import memory_tests
from tests.audit.audits import Listening, audited, claim_of, exact_memory, finding_of

TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"train": 320, "control": 200, "test": 200, "population": 50},
    "forget": {"fraction": 0.25},
    "model": {"options": {"hidden": [48]}},
    "training": {"epochs": 120, "learning_rate": 0.005},
    "runs": {"per_arm": 12, "shadow": 0},
    "criteria": {
        "attacks": ["loss"],
        "reported": [],
        "recoveries": [],
        "jitter": [0.3],
        "accuracy": 0.03,
        "attack_gap": 0.06,
        "planning_sd": 0.1,
    },
}
GOING_ON = "too few forget records show any memory; going on to the stress world ..."
KEPT = """
from functools import lru_cache

import torch

from auditkit.training import Recipe
from auditkit.training.records import Records
from auditkit.unlearning import retrain

RECIPE = Recipe(epochs=120, batch_size=32, learning_rate=0.005)


def unlearn(model, retain, forget, *, seed):
    rows = easiest(model, retain, forget)[: len(forget.y) // 3]
    left = Records(torch.cat([retain.x, forget.x[rows]]), torch.cat([retain.y, forget.y[rows]]))
    [kept] = retrain.unlearn([model], left, forget, seeds=[seed], recipe=RECIPE)
    return kept


def easiest(model, retain, forget):
    key = forget.x.sum().item(), forget.y.sum().item()
    if key not in KNOWN:
        [own] = retrain.unlearn([model], retain, forget, seeds=[99], recipe=RECIPE)
        with torch.no_grad():
            loss = torch.nn.functional.cross_entropy(own(forget.x), forget.y, reduction="none")
        KNOWN[key] = torch.argsort(loss)
    return KNOWN[key]


KNOWN = {}
"""
"""A procedure that leaves in the third of the forget records that a model of its own, which never
saw them, finds easiest, and of which least memory shows."""


@pytest.fixture(autouse=True)
def _few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_tests, "NULL_GROUPS", 199)


def done(out: Path, **said: Any) -> tuple[Evidence, list[str]]:
    """The evidence of an audit of the tiny claim, and what was told."""
    told = Listening()
    return audited(claim_of(**{**TINY, **said}), out, tell=told, folder=out.parent), told.lines


def in_stress() -> list[str]:
    """What of the stress world is in the store."""
    return [entry.what for entry in contents() if " stress " in entry.what]


def test_honest_retraining_is_supported_by_the_stress_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few forget digits show memory, so that the audit goes on; with wrong labels nearly all do,
    and none of it is left. The sentence says of how many records it speaks, and the bundle keeps
    the margins of both worlds."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "store"))
    evidence, told = done(tmp_path / "out", procedure={"name": "retrain"})
    assert GOING_ON in told
    assert told.index(GOING_ON) > told.index("deciding ...")
    assert evidence.verdict.outcome == "supported", evidence.verdict
    seen = finding_of(evidence, VISIBLE_RECORDS)
    assert isinstance(seen, Ran)
    assert (seen.number.value or 0) >= 0.8
    visible = round((seen.number.value or 0) * 80)
    words = f"for the {visible} of 80 forget records whose influence is visible when they carry wrong labels"
    assert visible == 80 or words in evidence.verdict.sentence
    assert isinstance(finding_of(evidence, SPARED_IN_STRESS), Ran)
    kept = np.load(tmp_path / "out" / "scores" / "scores.npz")
    retrained = [kept[f"{arm}/margin/exact/control"] for arm in ("retrained", "stress retrained")]
    assert np.array_equal(*retrained)
    learnt = kept["stress original/margin/exact/forget"] > 0
    assert learnt.mean() > 0.8
    assert in_stress()
    assert not [what for what in in_stress() if "weights" in what and "original" not in what]
    lock = json.loads((tmp_path / "out" / "lock.json").read_bytes())
    assert [str(finding.test) for finding in evidence.findings] == lock["required_tests"]
    assert str(RETRAINED) in {str(arm.arm) for arm in evidence.arms}


@pytest.mark.slow
def test_a_no_op_is_refuted_and_no_stress_world_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is one for an honest claim that does without: it stays inconclusive for want of visible
    records."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "store"))
    evidence, told = done(tmp_path / "noop", procedure={"name": "noop"})
    assert evidence.verdict.outcome == "not_supported"
    assert exact_memory(evidence).value == pytest.approx(1, abs=0.1)
    assert GOING_ON not in told
    assert in_stress() == []
    runs = {**TINY["runs"], "stress": False}
    evidence, told = done(tmp_path / "without", procedure={"name": "retrain"}, runs=runs)
    assert evidence.verdict.outcome == "inconclusive"
    assert [reason.partition(":")[0] for reason in evidence.verdict.reasons] == ["visible records"]
    assert GOING_ON not in told
    assert in_stress() == []
    lock = json.loads((tmp_path / "without" / "lock.json").read_bytes())
    assert not [test for test in lock["required_tests"] if "stress" in test]
    assert "stress original" not in json.dumps(lock)


@pytest.mark.slow
def test_leaving_in_what_does_not_show_is_not_supported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A procedure that leaves in the third of which least memory shows passes every test on digits
    as they are, and only too few visible records stand in its way; with wrong labels what it left
    in shows, and it is not supported."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "store"))
    (tmp_path / "kept.py").write_text(KEPT)
    evidence, told = done(tmp_path / "out", procedure={"name": "./kept.py:unlearn"})
    assert GOING_ON in told
    assert evidence.verdict.outcome != "supported"
    ran = {finding.test: finding for finding in evidence.findings if isinstance(finding, Ran)}
    assert {finding.result for test, finding in ran.items() if test.world != STRESS} == {"passed"}
    exact = finding_of(evidence, residual_memory(EXACT, STRESS)).number
    assert exact is not None
    assert (exact.value or 0) > 0.1
