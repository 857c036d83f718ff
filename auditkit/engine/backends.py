"""Workers on this machine or on a cluster, each kind reached in its own way, all used in one: a
task is sent, and a future comes back.

Not `joblib.Parallel` over joblib's own backends, tried with joblib 1.6, distributed 2026.8 and Ray
2.60: over Dask it waits for ever where a worker has died for good, or a task could not be sent;
over Ray it gives no generator; over Dask it does the tasks in this process where the cluster has
one worker; and nothing limits the results that wait in this process.
"""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor, process_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from auditkit.engine.clusters import dask_pool, ray_pool
from auditkit.engine.task import Task
from auditkit.engine.workers import Pool, Work, WorkerConfig

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""How many threads libraries start, if told before they are loaded."""


def open_pool(workers: WorkerConfig, work: Work) -> AbstractContextManager[Pool]:
    """Have workers that do `work`, for as long as the block lasts.

    At its end they are ended, or their cluster is left, with whatever is still out.

    Args:
        workers: which, and how many.
        work: what each does with a task and the place of its log.

    Raises:
        UsageError: where they are not named as they must be.
        AuditError: where they cannot be had.
    """
    return {"loky": _loky, "dask": dask_pool, "ray": ray_pool}[workers.backend](workers, work)


@contextmanager
def _loky(workers: WorkerConfig, work: Work) -> Iterator[Pool]:
    environment = dict.fromkeys(THREADS, str(workers.threads))

    def start() -> Any:
        return ProcessPoolExecutor(
            workers.local_count, env=environment, initializer=_settle, initargs=(os.getpid(),)
        )

    executor = start()

    def submit(task: Task, log: Path) -> Future[Any]:
        nonlocal executor
        try:
            future: Future[Any] = executor.submit(work, task, log)
        except TerminatedWorkerError:  # the death of one ends all
            executor = start()
            future = executor.submit(work, task, log)
        return future

    try:
        yield Pool(submit, 2 * workers.local_count, (TerminatedWorkerError,))
    finally:
        executor.shutdown(kill_workers=True)


def _settle(driver: int) -> None:
    """In a worker of loky's, before its first task."""
    # loky ends a worker that has grown by 300 MB, with a warning. Ours keep what they freed, on
    # purpose.
    process_executor._USE_PSUTIL = False
    threading.Thread(target=_end_with, args=(driver,), daemon=True).start()


def _end_with(driver: int) -> None:
    """End this process when the one that started it has ended, be it by kill -9."""
    while os.getppid() == driver:
        time.sleep(1)
    os._exit(1)
