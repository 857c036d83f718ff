"""Fixtures that several files of the engine's tests use."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditkit.engine.queue import Backend, WorkerConfig
from tests.engine.cluster_programs import answering, dask_scheduler, dask_workers, free_port, running


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of one's own for each test."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "runs"))
    return tmp_path / "runs"


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
