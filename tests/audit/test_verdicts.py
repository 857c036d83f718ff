"""What whole audits come to, where the truth is known."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.audit.audits import FEW, SMALL, Listening, audited, claim_of, exact_memory


def test_a_no_op_is_not_supported(tmp_path: Path) -> None:
    """Nothing was done, and the audit says so: every part of the memory is left, to the last bit
    against retrained runs, and within the noise between two retrained arms against the placebo."""
    evidence = audited(claim_of(procedure={"name": "noop"}), tmp_path / "out")
    assert evidence.verdict.outcome == "not_supported"
    exact, retrained = exact_memory(evidence), evidence.drift.against_retrained[0].unlearned
    assert (retrained.value, retrained.low, retrained.high) == pytest.approx((1, 1, 1))
    assert exact.value == pytest.approx(1, abs=0.1)


def test_an_honest_retraining_is_not_refuted(tmp_path: Path) -> None:
    """Exact unlearning leaves no memory that the audit could hold against it."""
    evidence = audited(claim_of(procedure={"name": "retrain"}), tmp_path / "out")
    assert evidence.verdict.outcome != "not_supported"
    exact = exact_memory(evidence)
    assert exact.low is not None
    assert exact.high is not None
    assert exact.low < 0.2
    assert exact.high > -0.2
    assert exact.high - exact.low < 0.6


def test_the_swapped_world(tmp_path: Path) -> None:
    """Asked for, the SWAP test of a no-op finds memory with every attack that goes by answers;
    models of the swapped world were trained on stand-ins from control, and never on a forget
    record."""
    runs = {"per_arm": 12, "shadow": 4, "swap": True}
    evidence = audited(claim_of(procedure={"name": "noop"}, runs=runs), tmp_path / "out")
    assert [line.name for line in evidence.swap] == ["gap", "loss", "lira-online"]
    for line in evidence.swap:
        assert line.advantage.low is not None
        assert line.advantage.low > 0


def test_a_broken_claim_of_differential_privacy_is_refuted(tmp_path: Path) -> None:
    """Where the noise is switched off, a claim whose unlearning is honest is refuted by its
    canaries alone."""
    privacy = {"noise_multiplier": 0.0, "epochs": 100, "canaries": 200, "guesses": 100}
    evidence = audited(claim_of(procedure={"name": "retrain"}, privacy=privacy), tmp_path / "out")
    assert (
        evidence.verdict.sentence
        == "Not supported: training gives away more than the claimed epsilon allows."
    )
    assert evidence.privacy is not None
    assert evidence.privacy.accounted is None
    assert evidence.privacy.words in (tmp_path / "out" / "report.html").read_text()


def test_copies_of_forget_records_are_told_before_training(tmp_path: Path) -> None:
    """A copy of a forget record among the kept ones is said before anything trains, and in the
    evidence."""
    x, y = load_digits(return_X_y=True)
    x, y = np.concatenate([x, x[:40]]) / 16, np.concatenate([y, y[:40]])
    ids = [f"r{i}" for i in range(len(x))]
    np.savez(tmp_path / "copies.npz", x=x, y=y, ids=np.array(ids))
    claim = claim_of(
        data=SMALL["data"] | {"source": "copies.npz", "train": 1300, "control": 100},
        forget={"ids": ids[:40]},
        procedure={"name": "noop"},
        training={"epochs": 2},
        **FEW,
    )
    told = Listening()
    evidence = audited(claim, tmp_path / "out", folder=tmp_path, tell=told)
    (warning,) = evidence.warnings
    assert re.match(r"\d+ of 40 forget records have a near-copy left in retain", warning)
    assert (evidence.data.exact_duplicates or 0) > 10
    assert told.lines.index(f"warning: {warning}") < told.lines.index("attacking every compared run ...")
