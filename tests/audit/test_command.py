"""`auditkit audit` as it is called: exit codes, standard output and error, and Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from auditkit.cli.main import main
from auditkit.data import SOURCES
from auditkit.evidence.bundle import key_path
from tests.audit.audits import draw_no_pdf

PLAN = ("--width", "6", "--threads", "1")
"""Measured twice on a busy machine it may come out different, and with it the last bits."""


@pytest.fixture(autouse=True)
def without_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    """No bundle of these tests has a PDF."""
    draw_no_pdf(monkeypatch)


def call(*arguments: str) -> Result:
    """The command in this process."""
    return CliRunner().invoke(main, arguments)


def claim_toml(procedure: str, seed: int = 0, epochs: int = 40) -> str:
    return f"""
name = "small"
seed = {seed}
data = {{train = 400, control = 120, test = 150, population = 200}}
forget = {{fraction = 0.2}}
model = {{options = {{hidden = [64]}}}}
training = {{epochs = {epochs}}}
runs = {{per_arm = 12, shadow = 4}}
procedure = {{name = "{procedure}"}}
criteria = {{attacks = ["loss"], reported = [], recoveries = ["relearned"]}}
"""


def test_a_procedure_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user's procedure raises comes out as one error with the run and its seed, exit code
    4."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "def unlearn(model, retain, forget, *, seed):\n    raise ZeroDivisionError('oh')\n"
    )
    (tmp_path / "claim.toml").write_text(claim_toml(procedure="./mine.py:unlearn"))
    done = call("audit", "claim.toml", "--out", "out", *PLAN, "--jobs", "1")
    assert done.exit_code == 4
    assert re.search(
        r"error: digits, unlearned run 0: '\./mine\.py:unlearn' failed on the run with seed \d+: "
        r"ZeroDivisionError: oh",
        done.stderr,
    )
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["lock.json"]


def test_a_budget_that_does_not_suffice_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--memory and --time that cannot hold the plan: both said at once, exit code 2, and nothing is
    locked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claim.toml").write_text(claim_toml(procedure="noop"))
    done = call("audit", "claim.toml", "--out", "out", "--memory", "1MB", "--time", "0.001s")
    assert done.exit_code == 2
    assert re.search(
        r"2 errors: \n  --memory must be at least \d+ MB for 1 worker.*\n  --time must be at", done.stderr
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("procedure", "code"), [("noop", 1)])
def test_the_exit_code_is_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, procedure: str, code: int
) -> None:
    """The command exits with the code of its outcome and puts one JSON document on standard
    output."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claim.toml").write_text(claim_toml(procedure=procedure))
    done = call("audit", "claim.toml", "--out", "out", "--json", *PLAN, "--jobs", "1")
    assert done.exit_code == code
    assert done.stdout.encode().rstrip() == (tmp_path / "out" / "evidence.json").read_bytes()
    assert "12 each of original" in done.stderr


def test_wrong_usage_exits_with_two_and_leaves_nothing(tmp_path: Path) -> None:
    """A claim with problems lists them all on standard error, writes nothing, and exits with 2."""
    (tmp_path / "claim.toml").write_text("sede = 1\n[criteria]\naccuracy = 0\n")
    command = [sys.executable, "-m", "auditkit", "audit", "claim.toml", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "2 errors: ",
        "  criteria.accuracy: input should be greater than 0, found 0",
        "  sede: not a key of a claim; did you mean 'seed'?",
    ]
    assert json.loads(done.stdout)["exit_code"] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["claim.toml"]


@pytest.mark.slow
def test_an_interrupted_audit_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while training keeps the finished arms; the same command ends with the bytes of an
    undisturbed audit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "store"))
    (tmp_path / "claim.toml").write_text(claim_toml(procedure="noop", seed=5, epochs=8))
    command = ["audit", "claim.toml", *PLAN, "--out", "out"]
    first = subprocess.Popen(
        [sys.executable, "-m", "auditkit", *command, "--jobs", "2"],
        env=os.environ,
        stderr=subprocess.PIPE,
        text=True,
        # a job in the background of a shell inherits SIGINT ignored; who types Ctrl-C is in the
        # foreground
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- no threads here
    )
    deadline = time.monotonic() + 120
    while len(kept := list((tmp_path / "store").glob("*.safetensors"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    _, told = first.communicate(timeout=60)
    assert first.returncode == 4
    assert "stopped; what is done is kept" in told
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["lock.json"]

    before = {path: path.stat().st_ino for path in kept}
    assert call(*command, "--jobs", "1").exit_code == 1
    assert {path: path.stat().st_ino for path in kept} == before  # none was written again
    key_path(tmp_path / "other").write_bytes(key_path(tmp_path / "out").read_bytes())
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "other store"))
    assert call(*command[:-1], "other", "--jobs", "1").exit_code == 1
    resumed, undisturbed = (tmp_path / name / "evidence.json" for name in ("out", "other"))
    assert resumed.read_bytes() == undisturbed.read_bytes()


def test_data_sets_are_listed() -> None:
    """`auditkit data list` names each set with its records and licence."""
    done = call("data", "list", "--json")
    assert done.exit_code == 0
    listed = {row["name"]: (row["records"], row["licence"]) for row in json.loads(done.stdout)}
    assert listed == {name: (source.records, source.licence) for name, source in SOURCES.items()}
