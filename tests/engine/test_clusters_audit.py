"""Audits on every kind of workers, and killed at any moment: one digest."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from auditkit.claims.read import parse_claim
from auditkit.engine.resources import Backend, Resources
from auditkit.evidence.bundle import key_path
from auditkit.pipeline import audit

CLAIM = """
name = "small"
data = {train = 400, control = 120, test = 150, population = 200}
forget = {fraction = 0.2}
model = {options = {hidden = [32]}}
training = {epochs = 100}
runs = {per_arm = 4, shadow = 4}
criteria = {residual_memory = 0.9, attacks = ["loss"], planning_sd = 0.05}
"""


def digest(out: Path, how: str) -> str:
    """SHA-256 of the evidence; shown with `pytest -s`."""
    found = hashlib.sha256((out / "evidence.json").read_bytes()).hexdigest()
    print(f"\n{found}  {how}")
    return found


def audited(out: Path, given: Resources) -> None:
    """Audit the claim, with a store of its own."""
    claim, problems = parse_claim(tomllib.loads(CLAIM))
    assert problems == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDITKIT_CACHE", str(out.with_name(f"{out.name} store")))
        patch.setattr(
            "auditkit.evidence.report_files.report_files", lambda files, tell: {}
        )  # made from the evidence alone
        audit(claim, out, given=given)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of one worker."""
    out = tmp_path_factory.mktemp("alone") / "out"
    audited(out, Resources(width=2, jobs=1))
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "running_cluster"),
    [("loky", False), ("dask", False), ("dask", True), ("ray", False), ("ray", True)],
)
def test_whoever_does_the_work_the_evidence_is_the_same(
    backend: Backend, running_cluster: bool, alone: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Two workers here, on Dask or on Ray, started for the audit or running already, leave the
    evidence of one worker, byte for byte."""
    address = request.getfixturevalue(f"{backend}_address") if running_cluster else None
    key_path(tmp_path / "out").write_bytes(key_path(alone).read_bytes())
    audited(tmp_path / "out", Resources(width=2, jobs=2, backend=backend, address=address))
    how = f"2 workers, {backend}{', running cluster' if address else ''}"
    assert digest(tmp_path / "out", how) == digest(alone, "1 worker")


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts the audit with two workers from the command line, again and again."""
    (tmp_path / "claim.toml").write_text(CLAIM)
    line = [
        sys.executable,
        "-m",
        "auditkit",
        "audit",
        "claim.toml",
        "--out",
        "out",
        "--width",
        "2",
        "--jobs",
        "2",
    ]
    environment = {**os.environ, "AUDITKIT_CACHE": str(tmp_path / "store")}
    quiet = subprocess.DEVNULL
    started = []

    def start() -> subprocess.Popen[bytes]:
        started.append(
            subprocess.Popen(
                line, cwd=tmp_path, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
            )
        )
        return started[-1]

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for left in Path("/dev/shm").glob(f"sem.loky-{process.pid}-*"):
            left.unlink()  # nobody is left to do so after kill -9 of everybody


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)


def at_work(logs: Path, audit: int) -> int | None:
    """A process of the audit that performs a task now, as its log tells. Other logs are of
    processes that were killed, and their numbers may by now be those of strangers."""
    for log in logs.glob("*.log"):
        with suppress(OSError, IndexError, ValueError):  # just done, or just begun
            worker = int(log.read_text().split("process ")[1])
            if Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1] == str(audit):
                return worker
    return None


@pytest.mark.slow
def test_killed_at_any_moment_the_same_command_ends_with_the_same_bytes(
    command: Callable[[], subprocess.Popen[bytes]], alone: Path, tmp_path: Path
) -> None:
    """kill -9 of the audit and all its workers, at random moments of training, and of one worker
    alone: the evidence is that of an undisturbed audit."""
    key_path(tmp_path / "out").write_bytes(key_path(alone).read_bytes())
    stored = tmp_path / "store"
    moments = sorted(random.sample(range(14), 2))
    for moment in moments:
        process = command()
        until(lambda: len(list(stored.glob("*.safetensors"))) >= moment and (stored / "logs").exists())  # noqa: B023
        time.sleep(random.uniform(0, 0.3))
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert [file.name for file in (tmp_path / "out").iterdir()] == ["lock.json"]
    process = command()
    while (worker := at_work(stored / "logs", process.pid)) is None and process.poll() is None:
        time.sleep(0.01)
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    assert process.wait(timeout=100) in (0, 1, 3)
    how = f"2 workers, killed with {moments} files stored or more, and one of them alone"
    assert digest(tmp_path / "out", how) == digest(alone, "1 worker")
    assert list((stored / "logs").iterdir()) == []
