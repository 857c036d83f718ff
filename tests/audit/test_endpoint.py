"""Whole audits of one released checkpoint, small."""

import json
from pathlib import Path

import pytest
import torch

from auditkit.claims.criteria import ONE_RUN_MARGINS
from auditkit.core.ids import UNLEARNED
from tests.audit.audits import audited, exact_memory
from tests.study.released import checkpoint, claim_of


def test_an_honest_checkpoint_is_not_refuted(tmp_path: Path) -> None:
    """A model retrained without the records lies among the auditor's; its hash is locked, and the
    report says what that can mean at most."""
    checkpoint(tmp_path, with_forget=False)
    evidence = audited(claim_of(), tmp_path / "out", folder=tmp_path)
    assert evidence.verdict.outcome in ("supported", "inconclusive")
    assert [c.passed for c in evidence.controls] == [True, True, True]
    exact = exact_memory(evidence)
    assert exact.low is not None
    assert exact.high is not None
    assert exact.low < 0.2
    assert exact.high > -0.2
    assert evidence.residual_memory.per_run[UNLEARNED] == (exact.value,)
    assert [arm.runs for arm in evidence.arms] == [8, 1, 8, 8]
    assert [r.by for r in evidence.residual_memory.recovered] == ["probe"]
    assert evidence.before_after is None
    assert evidence.scope.kind == "endpoint"
    lock = json.loads((tmp_path / "out" / "lock.json").read_bytes())
    assert lock["released"] in evidence.scope.establishes[0]
    assert {name: lock["claim"]["criteria"][name] for name in ONE_RUN_MARGINS} == ONE_RUN_MARGINS
    assert "procedure" not in lock["claim"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "A claim about one released model" in page
    assert "How the checkpoint came to be." in page
    assert "In the released model" in page
    assert "By the procedure" not in page
    unchecked = {item.what for item in evidence.not_checked}
    assert {"memory apart from drift", "single records"} <= unchecked
    assert not {"the released model itself", "per-record exposure, as a test"} & unchecked


def test_a_checkpoint_may_come_with_its_procedure(tmp_path: Path) -> None:
    """The procedure is run on retrained models, as a placebo that the checkpoint is compared with,
    and not on the original ones; an honest checkpoint is not refuted by it."""
    checkpoint(tmp_path, with_forget=False)
    release = {"weights": "./model.safetensors", "procedure": {"name": "retrain"}}
    evidence = audited(claim_of(release=release), tmp_path / "out", folder=tmp_path)
    assert evidence.verdict.outcome in ("supported", "inconclusive")
    assert [(str(arm.arm), arm.runs) for arm in evidence.arms] == [
        ("original", 8),
        ("unlearned", 1),
        ("retrained", 8),
        ("honest", 8),
        ("placebo", 8),
    ]
    assert all(control.passed for control in evidence.controls)
    lock = json.loads((tmp_path / "out" / "lock.json").read_bytes())
    assert lock["claim"]["release"]["procedure"]["name"] == "retrain"
    assert not [test for test in lock["required_tests"] if "stress" in test]


def test_a_checkpoint_that_forgot_nothing_is_not_supported(tmp_path: Path) -> None:
    """A model trained on the forget records is refuted, also from a .pt file."""
    model = checkpoint(tmp_path, with_forget=True)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    evidence = audited(claim_of(release={"weights": "model.pt"}), tmp_path / "out", folder=tmp_path)
    assert evidence.verdict.outcome == "not_supported"
    assert exact_memory(evidence).value == pytest.approx(1, abs=0.35)
