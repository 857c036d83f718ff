"""Whole audits of procedures of the user's own: what they are given, and what is made of what they
return."""

from pathlib import Path

import numpy as np
import pytest

from auditkit.core.canonical import canonical
from auditkit.core.errors import AuditError
from auditkit.core.ids import RELEARNED, residual_memory
from auditkit.engine.resources import Resources
from auditkit.evidence.bundle import key_path
from auditkit.evidence.schema import Skipped
from auditkit.training import run_seed
from tests.audit.audits import FEW, SMALL, Listening, audited, claim_of, exact_memory


def test_a_users_own_procedure_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A procedure in the user's file is imported, given its options, and audited."""
    (tmp_path / "mine.py").write_text(
        "import copy, torch\n"
        "def unlearn(model, retain, forget, *, seed: int, scale: float):\n"
        "    model = copy.deepcopy(model)\n"
        "    cooler = scale * (1 + torch.rand(()))\n"
        "    for p in list(model.parameters())[-2:]:\n"
        "        p.data.mul_(cooler)\n"
        "    return model\n"
    )
    procedure = {"name": "./mine.py:unlearn", "options": {"scale": 0.1}}
    evidence = audited(claim_of(procedure=procedure, **FEW), tmp_path / "out", folder=tmp_path)
    key_path(tmp_path / "again").write_bytes(key_path(tmp_path / "out").read_bytes())
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "empty store"))
    again = audited(claim_of(procedure=procedure, **FEW), tmp_path / "again", folder=tmp_path)
    assert canonical(again) == canonical(evidence)  # what it drew at random, it drew from the run's seed
    assert evidence.verdict.outcome == "not_supported"
    exact = evidence.drift.against_retrained[0]
    assert exact.unlearned.value == pytest.approx(1, abs=1e-6)  # a temperature forgets nothing
    assert exact_memory(evidence).value == pytest.approx(1, abs=0.35)
    assert evidence.states == ()


STEPPED = """
import torch

class Stepped(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        logits = self.model(x)
        return torch.round(logits.detach() * 64) / 64

def unlearn(model, retain, forget, *, seed):
    return Stepped(model).eval()
"""


def test_models_that_cannot_be_taken_apart_are_told(tmp_path: Path) -> None:
    """Where the unlearned models' answers have no gradient, the audit goes on, and says what could
    not be looked at."""
    (tmp_path / "mine.py").write_text(STEPPED)
    criteria = {"attacks": ["loss"], "reported": ["gradient-norm"], "recoveries": ["relearned", "rescaled"]}
    claim = claim_of(procedure={"name": "./mine.py:unlearn"}, criteria=criteria)
    evidence = audited(claim, tmp_path / "out", folder=tmp_path)
    assert evidence.verdict.outcome == "not_supported"
    assert exact_memory(evidence).value == pytest.approx(1, abs=0.01)
    assert evidence.not_checked[0].what == "attack: Gradient norm"
    assert [f.test for f in evidence.findings if isinstance(f, Skipped)] == [residual_memory(RELEARNED)]


def test_a_no_op_behind_labels_is_asked_like_all_others(tmp_path: Path) -> None:
    """A no-op that answers with labels only is compared with the labels of the other models, at the
    records and near them, and is as much of a no-op as without."""
    (tmp_path / "mine.py").write_text(
        "import copy, torch\n"
        "class Labels(torch.nn.Module):\n"
        "    def __init__(self, model):\n"
        "        super().__init__()\n"
        "        self.model = model\n"
        "    def forward(self, x):\n"
        "        return 7 * torch.nn.functional.one_hot(self.model(x).argmax(1), 10).float()\n"
        "def unlearn(model, retain, forget, *, seed):\n"
        "    return Labels(copy.deepcopy(model)).eval()\n"
    )
    told, out = Listening(), tmp_path / "out"
    claim = claim_of(
        procedure={"name": "./mine.py:unlearn"},
        training={"epochs": 15},
        runs={"per_arm": 6, "shadow": 0},
        criteria={
            "attacks": ["loss"],
            "reported": [],
            "recoveries": [],
            "jitter": [0.3, 1],
            "planning_sd": 0.05,
        },
    )
    evidence = audited(claim, out, folder=tmp_path, tell=told)
    assert evidence.verdict.outcome != "supported"
    assert evidence.interface is not None
    assert evidence.interface.withheld == ("only the predicted class is answered",)
    assert sum("withhold something: only the predicted class" in line for line in told.lines) == 1
    with np.load(out / "scores" / "scores.npz") as scores:
        for part in ("margin/exact/forget", "margin/jitter 0.3/control", "attack/loss/forget"):
            assert np.array_equal(scores[f"unlearned/{part}"], scores[f"original/{part}"])
            assert not np.array_equal(scores[f"retrained/{part}"], scores[f"original/{part}"])
        assert set(np.unique(scores["honest/margin/exact/forget"])) == {-1, 1}
        assert set(np.unique(scores["honest/margin/jitter 1/forget"])) <= {-1, -0.5, 0, 0.5, 1}


DIVERGING = """
def unlearn(model, retain, forget, *, seed, runs):
    if str(seed) in runs or not runs:
        list(model.parameters())[-1].data.fill_(float("nan"))
    return model
"""


def test_a_run_that_diverges_is_named_and_nothing_is_decided(tmp_path: Path) -> None:
    """One run whose answers are no numbers makes the audit inconclusive, by name; its number is
    left out of every arm, and the rest of the evidence stands."""
    (tmp_path / "mine.py").write_text(DIVERGING)
    seed = run_seed(0, "unlearned", 3)
    procedure = {"name": "./mine.py:unlearn", "options": {"runs": [str(seed)]}}
    evidence = audited(claim_of(procedure=procedure), tmp_path / "out", folder=tmp_path)
    assert evidence.verdict.outcome == "inconclusive"
    assert (
        evidence.verdict.reasons[0]
        == f"Answers that are not finite numbers: unlearned run 3 (seed {seed}). Their numbers are left out"
        " of every arm."
    )
    assert [arm.runs for arm in evidence.arms] == [11] * 6
    assert evidence.drift.against_retrained[0].unlearned.value == pytest.approx(1, abs=1e-6)


def test_an_audit_whose_runs_all_diverge_cannot_run(tmp_path: Path) -> None:
    """Where fewer than three runs are left there is nothing to compare: one error that names
    them."""
    (tmp_path / "mine.py").write_text(DIVERGING)
    procedure = {"name": "./mine.py:unlearn", "options": {"runs": []}}
    with pytest.raises(AuditError, match=r"at least 3 runs an arm .* found 0; .* unlearned run 0 \(seed"):
        audited(claim_of(procedure=procedure), tmp_path / "out", folder=tmp_path)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["lock.json"]


def test_training_that_diverges_is_told_by_its_runs(tmp_path: Path) -> None:
    """A learning rate at which the loss turns NaN ends in an error that names the runs and what to
    lower."""
    claim = claim_of(training={"epochs": 3, "learning_rate": 1e30, "optimiser": "sgd"}, **FEW)
    with pytest.raises(AuditError, match=r"original run 0 \(seed .*lower training.learning_rate"):
        audited(claim, tmp_path / "out")


def test_own_model_data_and_training_go_through_the_queue(tmp_path: Path) -> None:
    """A claim with the user's own load_data, build_model and train is audited, one run a process,
    and its runs are used again by the same audit alone."""
    (tmp_path / "ours.py").write_text(OWN)
    claim = claim_of(
        data=SMALL["data"] | {"source": "./ours.py:load_data"},
        model={"name": "./ours.py:build_model"},
        training={"train": "./ours.py:train"},
        procedure={"name": "noop"},
        **FEW,
    )
    evidence = audited(claim, tmp_path / "out", folder=tmp_path, given=Resources(jobs=2))
    assert evidence.environment["plan width"] == "1"
    assert evidence.verdict.outcome == "not_supported"
    assert len((tmp_path / "calls").read_text()) == 18
    assert canonical(audited(claim, tmp_path / "out", folder=tmp_path)) == canonical(evidence)
    assert len((tmp_path / "calls").read_text()) == 18


OWN = """
from pathlib import Path
import torch
from sklearn.datasets import load_digits
from torch import nn

def load_data():
    x, y = load_digits(return_X_y=True)
    return x[:1200] / 16, y[:1200]

def build_model():
    return nn.Sequential(nn.Linear(64, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 10))

def train(model, data, seed):
    with (Path(__file__).parent / "calls").open("a") as file:
        file.write("x")
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(150):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model.train()(data.x), data.y).backward()
        optimiser.step()
    return model
"""
