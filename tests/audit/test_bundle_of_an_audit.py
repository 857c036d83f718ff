"""One finished audit of FNN with the whole battery, and all that lies in its bundle."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pytest

from auditkit.attacks import ATTACKS
from auditkit.claims.criteria import REPORTED, STANDARD
from auditkit.core.errors import IntegrityError, UsageError
from auditkit.evidence.bundle import key_path, read_bundle
from auditkit.evidence.report_files import report
from auditkit.pipeline import audit
from auditkit.probes import RECOVERIES
from tests.audit.audits import IN_PROCESS, audited, claim_of
from tests.reports.harfbuzz import needs_subset

WHOLE: dict[str, Any] = {"runs": {"per_arm": 6, "shadow": 4}, "criteria": {"planning_sd": 0.05}}
"""With the whole battery, as a claim has it that says nothing of it."""


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Path:
    """The bundle of a finished small FNN audit."""
    out = tmp_path_factory.mktemp("audits") / "small"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDITKIT_CACHE", str(store))
        audit(claim_of(**WHOLE), out, given=IN_PROCESS)
    return out


def test_fnn_is_seen_in_three_states(finished: Path) -> None:
    """With the gate off nothing is forgotten at all, exactly, as these are compared with retrained
    runs; folding and repair forget most."""
    states = json.loads((finished / "evidence.json").read_text())["states"]
    assert [state["name"] for state in states] == ["gate on", "gate off", "folded and repaired"]
    on, off, repaired = (state["rho"]["value"] for state in states)
    assert off == pytest.approx(1)
    assert repaired < on
    assert [state["claimed"] for state in states] == [False, False, True]


def test_the_same_audit_gives_the_same_bytes(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained again from nothing, evidence and scores are byte-identical; only the key differs."""
    out = tmp_path / "again"
    key_path(out).write_bytes(key_path(finished).read_bytes())
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "empty store"))
    audited(claim_of(**WHOLE), out)
    for name in ("lock.json", "evidence.json", "scores/scores.npz"):
        assert (out / name).read_bytes() == (finished / name).read_bytes(), name


def test_the_whole_battery_is_in_the_evidence(finished: Path) -> None:
    """Every standard and every reported attack has its line, on exact inputs and, unless it takes
    the model in hand, near them; every recovery has its residual memory; attacks agree on some
    records; nothing is amiss."""
    evidence = json.loads((finished / "evidence.json").read_bytes())
    assert [attack["name"] for attack in evidence["attacks"]] == [*STANDARD, *REPORTED]
    for attack in evidence["attacks"]:
        near = [] if ATTACKS[attack["name"]].observes else ["jitter 0.3", "jitter 1", "jitter 2"]
        assert list(attack["near"]) == near
        assert set(attack["auc"]) == {"original", "unlearned", "placebo", "retrained"}
    assert sorted(line["by"] for line in evidence["residual_memory"]["recovered"]) == sorted(RECOVERIES)
    assert evidence["agreement"]["attacks"] == len(STANDARD) + len(REPORTED)
    assert not [line for line in evidence["not_checked"] if line["what"].startswith(("attack:", "residual"))]
    scores = np.load(finished / "scores" / "scores.npz")
    assert {name.split("/")[2] for name in scores.files if "/attack/" in name} == {*STANDARD, *REPORTED}


def test_what_was_required_is_what_was_locked(finished: Path) -> None:
    """The tests in the evidence are those that were locked before the first run, in their order,
    but for those of the stress world, which was not gone into."""
    lock, evidence = (json.loads((finished / name).read_bytes()) for name in ("lock.json", "evidence.json"))
    plain = [test for test in lock["required_tests"] if not test.endswith(", in the stress world")]
    assert [finding["test"] for finding in evidence["findings"]] == plain
    assert len(plain) < len(lock["required_tests"])
    assert lock["claim"] == evidence["claim"]
    assert evidence["lock_sha256"] == hashlib.sha256((finished / "lock.json").read_bytes()).hexdigest()


def test_the_bundle_holds_what_its_manifest_says(finished: Path) -> None:
    """Every file is there, and an altered one is noticed and named."""
    assert sorted(read_bundle(finished)) == [
        "evidence.json",
        "lock.json",
        "method.md",
        "report.html",
        "report.pdf",
        "run.json",
        "scores/scores.npz",
        "summary.md",
    ]
    page = finished / "summary.md"
    whole = page.read_bytes()
    try:
        page.write_bytes(whole + b" ")
        with pytest.raises(IntegrityError, match=r"summary\.md"):
            read_bundle(finished)
    finally:
        page.write_bytes(whole)


def test_the_bundle_is_no_copy_of_the_data(finished: Path) -> None:
    """No record id and no input leaves the audit; scores carry salted ids."""
    for path in finished.rglob("*"):
        if path.is_file():
            assert b"digits-0" not in path.read_bytes(), path
    scores = np.load(finished / "scores" / "scores.npz")
    assert len(scores["forget_ids"]) == 80
    assert all(re.fullmatch("[0-9a-f]{64}", identity) for identity in scores["forget_ids"])
    assert {scores[name].shape[-1] for name in scores.files if name.endswith("/forget")} == {80}
    assert scores["unlearned/found by/forget"].dtype == np.int64


def test_the_pdf_carries_the_evidence(finished: Path) -> None:
    """evidence.json is attached to the PDF, byte for byte."""
    with pikepdf.open(finished / "report.pdf") as document:
        assert (
            document.attachments["evidence.json"].get_file().read_bytes()
            == (finished / "evidence.json").read_bytes()
        )


@needs_subset
def test_a_report_is_rendered_again_to_the_same_bytes(finished: Path) -> None:
    """`auditkit report` makes the same files from the evidence alone."""
    names = ("method.md", "report.html", "report.pdf", "summary.md")
    before = {name: (finished / name).read_bytes() for name in names}
    assert sorted(report(finished)) == sorted(before)
    assert {name: (finished / name).read_bytes() for name in before} == before


def test_rendering_a_report_needs_no_torch(finished: Path, tmp_path: Path) -> None:
    """`report` imports neither torch nor any procedure."""
    bundle = shutil.copytree(finished, tmp_path / "bundle")
    (tmp_path / "weasyprint.py").write_text("raise ImportError('a PDF takes too long for this test')\n")
    code = (
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
        "from pathlib import Path\nfrom auditkit.evidence.report_files import report\n"
        f"assert 'report.html' in report(Path({str(bundle)!r}))\n"
        "assert 'torch' not in sys.modules and 'auditkit.unlearning' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_place_locked_by_another_claim_is_left_alone(finished: Path) -> None:
    """Another claim cannot overwrite a bundle; the error names what differs."""
    before = {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()}
    with pytest.raises(UsageError, match=r"differs in claim\.procedure\.name"):
        audited(claim_of(procedure={"name": "noop"}, **WHOLE), finished)
    assert {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()} == before
