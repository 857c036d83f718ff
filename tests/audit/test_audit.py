"""Whole audits, small: real digits, real training, real files."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pytest
from sklearn.datasets import load_digits

from auditkit.attacks import ATTACKS
from auditkit.claims.criteria import REPORTED, STANDARD
from auditkit.claims.read import parse_claim
from auditkit.core.canonical import canonical
from auditkit.core.errors import AuditError, IntegrityError, UsageError
from auditkit.core.progress import NullReporter
from auditkit.data import SOURCES
from auditkit.engine.resources import Resources
from auditkit.evidence.bundle import key_path, read_bundle
from auditkit.evidence.report_files import report
from auditkit.evidence.schema import Skipped
from auditkit.pipeline import audit
from auditkit.probes import RECOVERIES
from auditkit.training import run_seed
from tests.reports.test_pdf import needs_subset

SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"train": 400, "control": 120, "test": 150, "population": 200},
    "forget": {"fraction": 0.2},
    "model": {"options": {"hidden": [64]}},
    "training": {"epochs": 40},
    "runs": {"per_arm": 12, "shadow": 4},
    "criteria": {"attacks": ["gap", "loss", "lira-online"], "reported": [], "recoveries": []},
}
WHOLE: dict[str, Any] = {"criteria": {}}
"""With the whole battery, as a claim has it that says nothing of it."""


def claim_of(**changes: Any) -> Any:
    claim, problems = parse_claim(SMALL | changes)
    assert problems == []
    return claim


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(autouse=True)
def one_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """These audits share their trained runs: all are of one claim but for the procedure."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(store))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Path:
    """The bundle of a finished small FNN audit."""
    out = tmp_path_factory.mktemp("audits") / "small"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDITKIT_CACHE", str(store))
        audit(claim_of(**WHOLE), out)
    return out


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "auditkit", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_a_no_op_is_not_supported(tmp_path: Path) -> None:
    """Nothing was done, and the audit says so: every part of the memory is left."""
    evidence = audit(claim_of(procedure={"name": "noop"}), tmp_path / "out")
    assert evidence.verdict.outcome == "not_supported"
    exact = evidence.residual_memory.exact
    assert (exact.value, exact.low, exact.high) == pytest.approx((1, 1, 1))


def test_an_honest_retraining_is_not_refuted(tmp_path: Path) -> None:
    """Exact unlearning leaves no memory that the audit could hold against it."""
    evidence = audit(claim_of(procedure={"name": "retrain"}), tmp_path / "out")
    assert evidence.verdict.outcome != "not_supported"
    exact = evidence.residual_memory.exact
    assert exact.low is not None
    assert exact.high is not None
    assert exact.low < 0.2
    assert exact.high > -0.2
    assert exact.high - exact.low < 0.6


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
        training={"epochs": 5},
    )
    told = Told()
    evidence = audit(claim, tmp_path / "out", folder=tmp_path, tell=told)
    (warning,) = evidence.warnings
    assert re.match(r"\d+ of 40 forget records have a near-copy left in retain", warning)
    assert (evidence.data.exact_duplicates or 0) > 10
    assert told.lines.index(f"warning: {warning}") < told.lines.index("attacking every compared run ...")


class Told(NullReporter):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_fnn_is_seen_in_three_states(finished: Path) -> None:
    """With the gate off nothing is forgotten at all, exactly; folding and repair forget most."""
    states = json.loads((finished / "evidence.json").read_text())["states"]
    assert [state["name"] for state in states] == ["gate on", "gate off", "folded and repaired"]
    on, off, repaired = (state["rho"]["value"] for state in states)
    assert off == pytest.approx(1)
    assert repaired < on
    assert [state["claimed"] for state in states] == [False, False, True]


def test_the_same_audit_gives_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    """Trained again from nothing, evidence and scores are byte-identical; only the key differs."""
    out = tmp_path / "again"
    key_path(out).write_bytes(key_path(finished).read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDITKIT_CACHE", str(tmp_path / "empty store"))
        # The same plan: measured again beside other tests it may come out different.
        plan = json.loads((finished / "lock.json").read_bytes())["plan"]
        audit(claim_of(**WHOLE), out, given=Resources(width=plan["width"], threads=plan["threads"]))
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
        assert set(attack["auc"]) == {"original", "unlearned", "retrained"}
    assert sorted(line["name"] for line in evidence["residual_memory"]["recovered"]) == sorted(RECOVERIES)
    assert evidence["agreement"]["attacks"] == len(STANDARD) + len(REPORTED)
    assert not [line for line in evidence["not_checked"] if line["what"].startswith(("attack:", "residual"))]
    scores = np.load(finished / "scores" / "scores.npz")
    assert {name.split("/")[2] for name in scores.files if "/attack/" in name} == {*STANDARD, *REPORTED}


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
    evidence = audit(claim, tmp_path / "out", folder=tmp_path)
    assert evidence.verdict.outcome == "not_supported"
    assert evidence.residual_memory.exact.value == pytest.approx(1, abs=0.01)
    assert evidence.not_checked[0].what == "attack: Gradient norm"
    assert [f.name for f in evidence.findings if isinstance(f, Skipped)] == ["residual memory, relearned"]


def test_the_swapped_world(tmp_path: Path) -> None:
    """Asked for, the SWAP test of a no-op finds memory with every attack that goes by answers;
    models of the swapped world were trained on stand-ins from control, and never on a forget
    record."""
    runs = {"per_arm": 12, "shadow": 4, "swap": True}
    evidence = audit(claim_of(procedure={"name": "noop"}, runs=runs), tmp_path / "out")
    assert [line.name for line in evidence.swap] == ["gap", "loss", "lira-online"]
    for line in evidence.swap:
        assert line.advantage.low is not None
        assert line.advantage.low > 0


def test_a_broken_claim_of_differential_privacy_is_refuted(tmp_path: Path) -> None:
    """Where the noise is switched off, a claim whose unlearning is honest is refuted by its
    canaries alone."""
    privacy = {"noise_multiplier": 0.0, "epochs": 100, "canaries": 200, "guesses": 100}
    evidence = audit(claim_of(procedure={"name": "retrain"}, privacy=privacy), tmp_path / "out")
    assert (
        evidence.verdict.sentence
        == "Not supported: training gives away more than the claimed epsilon allows."
    )
    assert evidence.privacy is not None
    assert evidence.privacy.accounted is None
    assert evidence.privacy.words in (tmp_path / "out" / "report.html").read_text()


def test_what_was_required_is_what_was_locked(finished: Path) -> None:
    """The tests in the evidence are those that were locked before the first run, in their order."""
    lock, evidence = (json.loads((finished / name).read_bytes()) for name in ("lock.json", "evidence.json"))
    assert [finding["name"] for finding in evidence["findings"]] == lock["required_tests"]
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
    before = {name: (finished / name).read_bytes() for name in ("report.html", "report.pdf", "summary.md")}
    assert sorted(report(finished)) == sorted(before)
    assert {name: (finished / name).read_bytes() for name in before} == before


def test_rendering_a_report_needs_no_torch(finished: Path) -> None:
    """`report` imports neither torch nor any procedure."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom auditkit.evidence.report_files import report\n"
        f"report(Path({str(finished)!r}))\n"
        "assert 'torch' not in sys.modules and 'auditkit.unlearning' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_place_locked_by_another_claim_is_left_alone(finished: Path) -> None:
    """Another claim cannot overwrite a bundle; the error names what differs."""
    before = {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()}
    with pytest.raises(UsageError, match=r"differs in claim\.procedure\.name"):
        audit(claim_of(procedure={"name": "noop"}, **WHOLE), finished)
    assert {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()} == before


def test_a_users_own_procedure_runs(tmp_path: Path) -> None:
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
    evidence = audit(claim_of(procedure=procedure), tmp_path / "out", folder=tmp_path)
    key_path(tmp_path / "again").write_bytes(key_path(tmp_path / "out").read_bytes())
    again = audit(claim_of(procedure=procedure), tmp_path / "again", folder=tmp_path)
    assert canonical(again) == canonical(evidence)  # what it drew at random, it drew from the run's seed
    assert evidence.verdict.outcome == "not_supported"
    assert evidence.residual_memory.exact.value == pytest.approx(1, abs=1e-6)  # a temperature forgets nothing
    assert evidence.states == ()


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
    told, out = Told(), tmp_path / "out"
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
    evidence = audit(claim, out, folder=tmp_path, tell=told)
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


def test_a_procedure_that_fails_is_named(tmp_path: Path) -> None:
    """What a user's procedure raises comes out as one error with the run and its seed, exit code
    4."""
    (tmp_path / "mine.py").write_text(
        "def unlearn(model, retain, forget, *, seed):\n    raise ZeroDivisionError('oh')\n"
    )
    (tmp_path / "claim.toml").write_text(_toml(procedure="./mine.py:unlearn"))
    done = run("audit", "claim.toml", "--out", "out", cwd=tmp_path)
    assert done.returncode == 4
    assert re.search(
        r"error: digits, unlearned run 0: '\./mine\.py:unlearn' failed on the run with seed \d+: "
        r"ZeroDivisionError: oh",
        done.stderr,
    )
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["lock.json"]


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
    evidence = audit(claim_of(procedure=procedure), tmp_path / "out", folder=tmp_path)
    assert evidence.verdict.outcome == "inconclusive"
    assert (
        evidence.verdict.reasons[0]
        == f"Answers that are not finite numbers: unlearned run 3 (seed {seed}). Their numbers are left out"
        " of every arm."
    )
    assert [arm.runs for arm in evidence.arms] == [11] * 4
    assert evidence.residual_memory.exact.value == pytest.approx(1, abs=1e-6)


def test_an_audit_whose_runs_all_diverge_cannot_run(tmp_path: Path) -> None:
    """Where fewer than three runs are left there is nothing to compare: one error that names
    them."""
    (tmp_path / "mine.py").write_text(DIVERGING)
    procedure = {"name": "./mine.py:unlearn", "options": {"runs": []}}
    with pytest.raises(AuditError, match=r"at least 3 runs an arm .* found 0; .* unlearned run 0 \(seed"):
        audit(claim_of(procedure=procedure), tmp_path / "out", folder=tmp_path)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["lock.json"]


def test_training_that_diverges_is_told_by_its_runs(tmp_path: Path) -> None:
    """A learning rate at which the loss turns NaN ends in an error that names the runs and what to
    lower."""
    claim = claim_of(training={"epochs": 3, "learning_rate": 1e30, "optimiser": "sgd"})
    with pytest.raises(AuditError, match=r"original run 0 \(seed .*lower training.learning_rate"):
        audit(claim, tmp_path / "out")


def test_own_model_data_and_training_go_through_the_queue(tmp_path: Path) -> None:
    """A claim with the user's own load_data, build_model and train is audited, one run a process,
    and its runs are used again by the same audit alone."""
    (tmp_path / "ours.py").write_text(OWN)
    claim = claim_of(
        data=SMALL["data"] | {"source": "./ours.py:load_data"},
        model={"name": "./ours.py:build_model"},
        training={"train": "./ours.py:train"},
        procedure={"name": "noop"},
        runs={"per_arm": 12, "shadow": 0},
    )
    evidence = audit(claim, tmp_path / "out", folder=tmp_path, given=Resources(jobs=2))
    assert evidence.environment["plan width"] == "1"
    assert evidence.verdict.outcome == "not_supported"
    assert len((tmp_path / "calls").read_text()) == 36
    assert canonical(audit(claim, tmp_path / "out", folder=tmp_path)) == canonical(evidence)
    assert len((tmp_path / "calls").read_text()) == 36


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


def test_a_budget_that_does_not_suffice_is_refused_before_training(tmp_path: Path) -> None:
    """--memory and --time that cannot hold the plan: both said at once, exit code 2, and nothing is
    locked."""
    (tmp_path / "claim.toml").write_text(_toml(procedure="noop"))
    done = run("audit", "claim.toml", "--out", "out", "--memory", "1MB", "--time", "0.001s", cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(
        r"2 errors: \n  --memory must be at least \d+ MB for 1 worker.*\n  --time must be at", done.stderr
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("procedure", "code"), [("noop", 1)])
def test_the_exit_code_is_the_verdict(tmp_path: Path, procedure: str, code: int) -> None:
    """The command exits with the code of its outcome and puts one JSON document on standard
    output."""
    (tmp_path / "claim.toml").write_text(_toml(procedure=procedure))
    done = run("audit", "claim.toml", "--out", "out", "--json", cwd=tmp_path)
    assert done.returncode == code
    assert done.stdout.encode().rstrip() == (tmp_path / "out" / "evidence.json").read_bytes()
    assert "12 each of original" in done.stderr


def test_wrong_usage_exits_with_two_and_leaves_nothing(tmp_path: Path) -> None:
    """A claim with problems lists them all on standard error, writes nothing, and exits with 2."""
    (tmp_path / "claim.toml").write_text("sede = 1\n[criteria]\naccuracy = 0\n")
    done = run("audit", "claim.toml", "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "2 errors: ",
        "  criteria.accuracy: input should be greater than 0, found 0",
        "  sede: not a key of a claim; did you mean 'seed'?",
    ]
    assert json.loads(done.stdout)["exit_code"] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["claim.toml"]


def test_an_interrupted_audit_goes_on_where_it_was(tmp_path: Path) -> None:
    """Ctrl-C while training keeps the finished arms; the same command ends with the bytes of an
    undisturbed audit."""
    (tmp_path / "claim.toml").write_text(_toml(procedure="noop", seed=5, epochs=8))
    environment = {**os.environ, "AUDITKIT_CACHE": str(tmp_path / "store")}
    # A plan that is measured twice on a busy machine may come out different, and with it the last
    # bits.
    plan = ["--width", "6", "--threads", "1"]
    command = [sys.executable, "-m", "auditkit", "audit", "claim.toml", *plan, "--out", "out"]
    first = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # a job in the background of a shell inherits SIGINT ignored; who types Ctrl-C is in the
        # foreground
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- no threads here
    )
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "store").glob("*.safetensors"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    _, told = first.communicate(timeout=60)
    assert first.returncode == 4
    assert "stopped; what is done is kept" in told
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["lock.json"]

    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    resumed = (tmp_path / "out" / "evidence.json").read_bytes()
    other = [*command[:-1], "other"]
    key_path(tmp_path / "other").write_bytes(key_path(tmp_path / "out").read_bytes())
    environment["AUDITKIT_CACHE"] = str(tmp_path / "other store")
    subprocess.run(other, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert (tmp_path / "other" / "evidence.json").read_bytes() == resumed


def test_data_sets_are_listed(tmp_path: Path) -> None:
    """`auditkit data list` names each set with its records and licence."""
    done = run("data", "list", "--json", cwd=tmp_path)
    assert done.returncode == 0
    listed = {row["name"]: (row["records"], row["licence"]) for row in json.loads(done.stdout)}
    assert listed == {name: (source.records, source.licence) for name, source in SOURCES.items()}


def _toml(procedure: str, seed: int = 0, epochs: int = 40) -> str:
    return f"""
name = "small"
seed = {seed}
data = {{train = 400, control = 120, test = 150, population = 200}}
forget = {{fraction = 0.2}}
model = {{options = {{hidden = [64]}}}}
training = {{epochs = {epochs}}}
runs = {{per_arm = 12, shadow = 4}}
procedure = {{name = "{procedure}"}}
criteria = {{attacks = ["loss"], recoveries = ["relearned"]}}
"""
