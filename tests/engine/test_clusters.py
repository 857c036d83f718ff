"""Tasks on Dask and Ray: clusters that are really started, workers that are really killed."""

import socket
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import torch

from auditkit.core.errors import AuditError, UsageError
from auditkit.engine import clusters
from auditkit.engine.queue import WorkerConfig, log_path, results
from auditkit.engine.resources import Backend
from tests.engine.cluster_programs import dask_scheduler, dask_workers, free_port
from tests.engine.small_tasks import built, dying, killed, sleeping, small_task


@pytest.mark.slow
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
