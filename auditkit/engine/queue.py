"""The queue: tasks handed to workers on this machine or on a cluster, through joblib.

One code path for loky, Dask and Ray. What comes out does not depend on it: a task carries its plan and
its seeds, and results are known by the task's number, in whatever order they come.
"""

import faulthandler
import os
import re
import socket
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import BrokenProcessPool

from auditkit.engine.store import store_directory
from auditkit.engine.tasks import Task, Tensors, perform
from auditkit.errors import AuditError, UsageError

Backend = Literal["loky", "dask", "ray"]
BACKENDS: tuple[Backend, ...] = ("loky", "dask", "ray")
ATTEMPTS = 3
"""How often in a row workers may die without one task finished in between."""
PATIENCE = 10
"""Seconds a cluster is given to answer."""


@dataclass(frozen=True)
class Workers:
    """Who does the work. jobs: how many tasks at a time, None for all that a cluster has. threads: those of
    each task. address: of a cluster that is already running; without one Dask and Ray start their own here."""

    jobs: int | None
    threads: int
    backend: Backend = "loky"
    address: str | None = None


def results(tasks: Sequence[Task], workers: Workers) -> Iterator[tuple[int, Tensors]]:
    """Do all tasks; gives (number of the task, its result) as they are finished.

    A task whose worker died is tried again, at last by itself. Raises AuditError, naming the runs and the log,
    where its worker dies every time, where a task fails, and where a cluster cannot be had.
    """
    if workers.backend == "loky" and workers.jobs == 1:
        yield from ((k, perform(task)) for k, task in enumerate(tasks))
        return
    left, deaths = dict(enumerate(tasks)), 0
    with _backend(workers) as died:
        while left:
            # After two deaths in a row one task at a time, so that the one to blame is known.
            batch = dict(left) if deaths < ATTEMPTS - 1 else dict([next(iter(left.items()))])
            try:
                for k, result in _attempt(batch):
                    del left[k]
                    deaths = 0
                    yield k, result
            except died as error:
                deaths += 1
                if deaths == ATTEMPTS:
                    raise _dead(next(iter(batch.values())), error) from error


def _attempt(tasks: Mapping[int, Task]) -> Iterator[tuple[int, Tensors]]:
    parallel = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
    found: Iterator[tuple[int, Tensors]] = parallel(delayed(_logged)(k, task) for k, task in tasks.items())
    yield from found


def _logged(k: int, task: Task) -> tuple[int, Tensors]:
    """In a worker: perform the task, with a log that is there for as long as it has not succeeded."""
    log = log_path(task)
    try:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        log.touch(mode=0o600)
    except OSError:  # a worker elsewhere may have no such place; its cluster keeps logs of its own
        log = Path(os.devnull)
    with log.open("w") as file:
        here = f"{socket.gethostname()}, process {os.getpid()}"
        print(f"{task.what}\nseeds {list(task.seeds)}\n{here}", file=file, flush=True)
        faulthandler.enable(file)
        try:
            result = perform(task)
        except Exception:
            traceback.print_exc(file=file)
            raise
        finally:
            faulthandler.disable()
    if log.is_file():
        log.unlink()
    return k, result


def log_path(task: Task) -> Path:
    """Where the worker that does this task says what happened, until it is done."""
    return store_directory() / "logs" / f"{re.sub(r'[^0-9a-z]+', '-', task.what.lower())}.log"


def _dead(task: Task, error: Exception) -> AuditError:
    return AuditError(
        f"{task.what} (seeds {', '.join(map(str, task.seeds))}): the worker died {ATTEMPTS} times, last with "
        f"{type(error).__name__}: {' '.join(str(error).split())[:200]}; its log is {log_path(task)} on the worker's "
        "machine; what is finished is kept. If memory ran out, fewer --jobs or a smaller --width may do"
    )


@contextmanager
def _backend(workers: Workers) -> Iterator[tuple[type[Exception], ...]]:
    """Make joblib's calls go to these workers. Gives the errors that mean a worker died."""
    if workers.backend == "loky":
        with parallel_config("loky", n_jobs=workers.jobs, inner_max_num_threads=workers.threads):
            yield (BrokenProcessPool,)
    elif workers.backend == "dask":
        with _dask(workers) as died, parallel_config("dask", n_jobs=workers.jobs or -1):
            yield died
    else:
        with _ray(workers) as died, parallel_config("ray", n_jobs=workers.jobs or -1):
            yield died


@contextmanager
def _dask(workers: Workers) -> Iterator[tuple[type[Exception], ...]]:
    try:
        from dask.distributed import Client, KilledWorker, LocalCluster
    except ImportError as error:
        raise _missing("dask") from error
    if workers.address:
        _reach(workers.address, "Dask scheduler")
        with _answering(workers, "Dask scheduler"):
            client = Client(workers.address, timeout=PATIENCE)
        with client:
            yield (KilledWorker,)
        return
    with (
        LocalCluster(n_workers=workers.jobs, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        yield (KilledWorker,)


@contextmanager
def _ray(workers: Workers) -> Iterator[tuple[type[Exception], ...]]:
    try:
        import ray
        from ray.exceptions import RayActorError, WorkerCrashedError
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise _missing("ray") from error
    if workers.address:
        _reach(workers.address, "Ray cluster")
    with _answering(workers, "Ray cluster"):
        ray.init(
            address=workers.address or "local",
            num_cpus=None if workers.address else workers.jobs,
            log_to_driver=False,
            logging_level="error",
            include_dashboard=None if workers.address else False,
        )
    try:
        register_ray()  # type: ignore[no-untyped-call]
        yield RayActorError, WorkerCrashedError
    finally:
        ray.shutdown()


def _missing(extra: str) -> UsageError:
    return UsageError(f"--backend {extra} needs its extra; install it: pip install 'auditkit[{extra}]'")


def _reach(address: str, what: str) -> None:
    """AuditError where nothing listens at "host:port" or "scheme://host:port"; their own clients wait for
    minutes, and say less."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host is None or port is None:
        raise UsageError(f"--address must be host:port or scheme://host:port of a {what}, found {address!r}")
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError as error:
        raise _silent(address, what, error) from error


@contextmanager
def _answering(workers: Workers, what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise _silent(workers.address or "this machine", what, error) from error


def _silent(address: str, what: str, error: Exception) -> AuditError:
    return AuditError(
        f"--address {address}: a {what} must answer there, found: {' '.join(str(error).split())[:200]}; start it, or "
        "correct the address (docs/cluster.md); what is finished is kept"
    )
