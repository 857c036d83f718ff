"""Audits on Dask and Ray: clusters that are really started, workers that are really killed, one
digest."""

import hashlib
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import torch

from auditkit.claims.claim import parse_claim
from auditkit.core.errors import AuditError, UsageError
from auditkit.engine import clusters
from auditkit.engine.cost import Resources
from auditkit.engine.queue import Backend, WorkerConfig, log_path, results
from auditkit.evidence.bundle import key_path
from auditkit.pipeline import audit
from tests.engine.small_tasks import built, dying, killed, sleeping, small_task

ROOT = Path(__file__).parents[2]

# Clusters that Ray starts want a token: one of our own, so that none is left in the user's home.
# Ray reads this when it is imported, and that is not before a test begins.
TOKEN = tempfile.NamedTemporaryFile("w", prefix="auditkit-token-")  # noqa: SIM115 -- for as long as we run
TOKEN.write(secrets.token_hex(32))
TOKEN.flush()
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": TOKEN.name, "RAY_USAGE_STATS_ENABLED": "0"}


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(*command: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of this environment, in a group of processes of its own that ends with the
    block."""
    program = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        program, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def answering(port: int) -> None:
    """Wait until something listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens at {port}")


@contextmanager
def dask_scheduler(**variables: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    command = ["dask", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with running(*command, **variables) as process:
        answering(port)
        yield f"tcp://127.0.0.1:{port}", process


@contextmanager
def dask_workers(address: str, processes: int, threads: int) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="auditkit-test-") as scratch:
        layout = ["--nworkers", str(processes), "--nthreads", str(threads), "--memory-limit", "0"]
        place = ["--no-dashboard", "--local-directory", scratch]
        with running("dask", "worker", address, *layout, *place):
            yield


@pytest.fixture(scope="module")
def dask_address() -> Iterator[str]:
    """A Dask cluster with two worker processes, one of them with two threads."""
    with (
        dask_scheduler(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as (address, _),
        dask_workers(address, 1, 1),
        dask_workers(address, 1, 2),
    ):
        yield address


@pytest.fixture(scope="module")
def ray_address() -> Iterator[str]:
    """A Ray cluster of one node with two processors."""
    port = free_port()
    limits = ["--num-cpus=2", "--object-store-memory=100000000", "--include-dashboard=false"]
    # not in pytest's own folder: the names of sockets in it must be short
    with (
        tempfile.TemporaryDirectory(prefix="auditkit-test-", ignore_cleanup_errors=True) as scratch,
        running("ray", "start", "--head", "--block", f"--port={port}", f"--temp-dir={scratch}", *limits),
    ):
        answering(port)
        yield f"127.0.0.1:{port}"


@pytest.fixture(params=["dask", "ray"])
def cluster(request: pytest.FixtureRequest) -> WorkerConfig:
    """Two workers of a running cluster, of each kind."""
    backend: Backend = request.param
    return WorkerConfig(2, 1, backend, request.getfixturevalue(f"{backend}_address"))


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_cluster_that_is_started_here_does_the_work(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker of a cluster of our own gives, by number, what this process gives to the bit."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path))
    tasks = [small_task(k) for k in range(2)]
    by_cluster, alone = (dict(results(tasks, WorkerConfig(1, 1, kind))) for kind in (backend, "loky"))
    assert by_cluster.keys() == alone.keys()
    for k, tensors in by_cluster.items():
        assert all(torch.equal(tensor, alone[k][name]) for name, tensor in tensors.items())


@pytest.mark.slow
def test_on_a_cluster_what_dies_is_tried_again_and_named(
    cluster: WorkerConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A task whose worker is killed once succeeds; one whose worker always dies is named when all
    others are there, with its log; and the cluster tells the user nothing of it."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path))
    builds = {1: dying(killed, tmp_path / "died"), 3: dying(killed)}
    tasks = [small_task(k, builds.get(k, built)) for k in range(6)]
    came = set[int]()
    with pytest.raises(
        AuditError, match=r"original run 3 \(seeds 1003\): the worker died every time"
    ) as told:
        came.update(k for k, _ in results(tasks, cluster))
    assert came == {0, 1, 2, 4, 5}
    log = log_path(tasks[3])
    assert str(log) in str(told.value)
    assert log.read_text().startswith("small data, original run 3\nseeds 1003\n")
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_an_address_without_a_cluster_is_told_soon(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing listens, or nothing that answers, an audit says so instead of waiting; what
    cannot be an address is an error of usage."""
    monkeypatch.setattr(clusters, "PATIENCE", 3)

    def told(address: str) -> str:
        with pytest.raises(AuditError, match=backend) as error:
            list(results([small_task(0)], WorkerConfig(2, 1, backend, address)))
        return f"{type(error.value).__name__}: {error.value}"

    start = time.monotonic()
    assert "Connection refused" in told(f"127.0.0.1:{free_port()}")
    for wrong in ("localhost", "host:", ":80", "host:99999", "tcp://[::1"):
        assert told(wrong).startswith("UsageError: --address must be ")
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        assert "does not answer as a cluster" in told(f"127.0.0.1:{silent.getsockname()[1]}")
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_an_extra_that_is_not_there_is_named(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the user is told what to install."""
    monkeypatch.setitem(sys.modules, backend, None)  # as Python marks what it cannot import
    with pytest.raises(UsageError, match=rf"pip install 'auditkit\[{backend}\]'"):
        list(results([small_task(0)], WorkerConfig(2, 1, backend)))


@pytest.mark.slow
def test_a_dask_cluster_without_workers_or_lost_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that has no workers is not waited for; one that is lost later ends the audit,
    which keeps what it has."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "store"))
    (tmp_path / "notes").mkdir()
    tasks = [small_task(0), *(small_task(k, sleeping(tmp_path / "notes", 3)) for k in range(1, 4))]
    with dask_scheduler() as (address, scheduler):
        monkeypatch.setattr(clusters, "PATIENCE", 3)
        with pytest.raises(AuditError, match=r"a dask cluster with workers must answer .* workers arrived"):
            list(results(tasks, WorkerConfig(2, 1, "dask", address)))
        monkeypatch.undo()
        with (
            dask_workers(address, 1, 1),
            closing(results(tasks, WorkerConfig(2, 1, "dask", address))) as given,
        ):
            assert next(given)[0] == 0
            scheduler.kill()
            with pytest.raises(AuditError, match=r"workers must stay in reach .* goes on from there"):
                next(given)


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
            "auditkit.pipeline.report_files", lambda files, tell: {}
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
