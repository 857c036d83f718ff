"""Workers of a Dask or a Ray cluster: the user's, or one that is started on this machine."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from auditkit.core.errors import AuditError, UsageError
from auditkit.engine.task import Task
from auditkit.engine.workers import Pool, Work, WorkerConfig, line

PATIENCE = 15
"""Seconds a cluster is given to answer."""


@contextmanager
def dask_pool(workers: WorkerConfig, work: Work) -> Iterator[Pool]:
    """Workers of a Dask cluster, as `auditkit.engine.backends.open_pool` gives them."""
    try:
        import dask
        from dask.distributed import Client, KilledWorker
        from distributed.utils import silence_logging_cmgr
    except ImportError as error:
        raise _missing("dask") from error
    # Tasks carry their data, and those that are out when a worker dies are tried again by the
    # queue.
    settings = {
        "distributed.admin.large-graph-warning-threshold": "1 TB",
        "distributed.scheduler.allowed-failures": 0,
    }
    with (
        dask.config.set(settings),
        silence_logging_cmgr(logging.CRITICAL),
        _dask_cluster(workers) as cluster,
        ThreadPoolExecutor(sys.maxsize) as threads,  # one for each task that is out, as they are asked for
        ExitStack() as stack,
    ):
        with _answering(workers):
            client = stack.enter_context(Client(cluster, timeout=PATIENCE, set_as_default=False))
            client.wait_for_workers(1, timeout=PATIENCE)

        def submit(task: Task, log: Path) -> Future[Any]:
            # Dask's own executor never comes back where the scheduler is lost.
            return threads.submit(client.submit(work, task, log, pure=False).result)

        # Counted are processes: the threads of one would wait for each other.
        yield Pool(submit, _max_in_flight(workers, len(client.nthreads())), (KilledWorker,))


@contextmanager
def _dask_cluster(workers: WorkerConfig) -> Iterator[Any]:
    """The user's, or a new one on this machine."""
    from dask.distributed import LocalCluster

    if workers.address:
        _reach(workers)
        _ask(workers, "-c", "import sys, dask.distributed as d; d.Client(sys.argv[1])")
        yield workers.address
        return
    with ExitStack() as stack:
        with _answering(workers):
            cluster = LocalCluster(
                n_workers=workers.local_count,
                threads_per_worker=1,
                memory_limit=None,  # close to it workers pause for good, as ours keep what they freed
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,  # in the workers
                local_directory=stack.enter_context(_scratch()),
            )
        yield stack.enter_context(cluster)


def _scratch(place: str | None = None) -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="auditkit-", dir=place, ignore_cleanup_errors=True)


@contextmanager
def ray_pool(workers: WorkerConfig, work: Work) -> Iterator[Pool]:
    """Workers of a Ray cluster, as `auditkit.engine.backends.open_pool` gives them."""
    # Ray tells of dead workers on standard output, where `--json` puts its document.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    try:
        import ray
        from ray import exceptions
    except ImportError as error:
        raise _missing("ray") from error
    remote = ray.remote(max_retries=0)(work)  # it is the queue that tries again

    def submit(task: Task, log: Path) -> Future[Any]:
        needs = {"num_cpus": task.plan.threads, "num_gpus": 1 if task.plan.device == "cuda" else 0}
        future: Future[Any] = remote.options(**needs).remote(task, log).future()
        return future

    died = (
        exceptions.WorkerCrashedError,
        exceptions.NodeDiedError,
        exceptions.OutOfMemoryError,
        exceptions.ObjectLostError,
    )
    with _ray_cluster(workers):
        cpus = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
        at_a_time = sum(int(n // workers.threads) for n in cpus)
        if at_a_time == 0:
            raise AuditError(
                f"a task needs {workers.threads} CPU(s) of one node of the Ray cluster, found nodes with"
                f" {cpus}; start a larger one (docs/cluster.md)"
            )
        check = partial(_reach, workers) if workers.address else Pool.check
        yield Pool(submit, _max_in_flight(workers, at_a_time), died, check)


@contextmanager
def _ray_cluster(workers: WorkerConfig) -> Iterator[None]:
    """Be a driver of the user's cluster, or of a new one on this machine."""
    import ray

    settings: dict[str, Any] = {}
    with ExitStack() as stack:
        if workers.address:
            _reach(workers)
            _ask(workers, "-m", "ray.scripts.scripts", "status", "--address")
        else:
            short = os.environ.get("RAY_TMPDIR", "/tmp")  # the name of a socket in it may have 107 bytes
            settings |= {
                "num_cpus": workers.local_count * workers.threads,
                "include_dashboard": False,
                "_temp_dir": stack.enter_context(_scratch(short)),
            }
        with _answering(workers):
            ray.init(workers.address or "local", log_to_driver=False, logging_level=logging.ERROR, **settings)
        stack.callback(ray.shutdown)
        yield


def _ask(workers: WorkerConfig, *arguments: str) -> None:
    """AuditError where Python, called with these arguments and the address, finds no cluster. A
    process of its own can be ended: what does not answer as a cluster keeps Dask's client waiting
    for ever, and Ray's for two minutes, whatever they are told."""
    command = [sys.executable, *arguments, str(workers.address)]
    with _answering(workers):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            raise TimeoutError("something listens there and does not answer as a cluster") from None
        if done.returncode:
            raise ConnectionError(done.stderr.strip().rpartition("\n")[2])


def _max_in_flight(workers: WorkerConfig, at_a_time: int) -> int:
    """How many tasks may be out: as many as the user allows a cluster, or one at work and one to
    follow for each worker."""
    return workers.jobs if workers.address and workers.jobs else 2 * at_a_time


def _missing(extra: str) -> UsageError:
    return UsageError(f"--backend {extra} needs its extra; install it: pip install 'auditkit[{extra}]'")


def _reach(workers: WorkerConfig) -> None:
    """UsageError for what cannot be an address, AuditError where nothing listens: their own clients
    wait longer, and say less."""
    address = str(workers.address)
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or (workers.backend == "ray" and "://" in address):
        wanted = "host:port" if workers.backend == "ray" else "tcp://host:port"
        raise UsageError(f"--address must be {wanted} of a {workers.backend} cluster, found {address!r}")
    with _answering(workers):
        socket.create_connection((host, port), timeout=PATIENCE).close()


@contextmanager
def _answering(workers: WorkerConfig) -> Iterator[None]:
    """AuditError where the cluster is not there."""
    try:
        yield
    except Exception as error:
        where = f"at {workers.address}" if workers.address else "on this machine"
        raise AuditError(
            f"a {workers.backend} cluster with workers must answer {where} within {PATIENCE} s, found"
            f" {line(error)}; start it, or correct --address (docs/cluster.md); what is finished is kept"
        ) from error
