"""The queue: tasks handed to workers, each known by its number, in whatever order the results come.

What comes out does not depend on who the workers are: a task carries its plan and its seeds.
"""

import faulthandler
import os
import re
import socket
import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import IO

from auditkit.core.errors import AuditError
from auditkit.engine import clusters
from auditkit.engine.backends import open_pool
from auditkit.engine.store import store_directory
from auditkit.engine.task import Task, Tensors
from auditkit.engine.workers import BACKENDS, Backend, Pool, WorkerConfig, line

__all__ = ["BACKENDS", "Backend", "WorkerConfig", "log_path", "results", "worker_session"]

ATTEMPTS = 3
"""How often a task is tried whose worker dies."""
HOPELESS = 5
"""When so many deaths for every task that may be out at a time come with nothing finished in
between, it is not for one task that workers die."""
_ONE_AT_A_TIME = threading.Lock()
"""A cluster may run tasks in several threads of one process, which has one handler of faults."""

Results = Generator[tuple[int, Tensors]]
Deaths = dict[int, Exception]
"""Number of a task -> what was said when its worker died."""


@dataclass(frozen=True)
class TaskFailure:
    """What a worker returns in place of a result. problems: in words, as not every error can be
    sent."""

    problems: Sequence[str]


def results(tasks: Sequence[Task], workers: WorkerConfig) -> Results:
    """Do all tasks, by workers of their own. Close it to end all work at once.

    Args:
        tasks: each carries its plan and seeds, so that its result does not depend on the workers.
        workers: who does them.

    Yields:
        (number of the task, its tensors by name), as they are finished.

    Raises:
        AuditError, UsageError: as `worker_session` says.
    """
    with worker_session(workers) as results_of:
        yield from results_of(tasks)


@contextmanager
def worker_session(workers: WorkerConfig) -> Iterator[Callable[[Sequence[Task]], Results]]:
    """Gives a function that does tasks, lot after lot, by the same workers.

    They are started when there is a first task, and ended with the block, whatever they do. No more
    tasks are sent than results are taken, so that these do not pile up in this process. A task that
    was out when a worker died is tried again after all others, at last by itself.

    Args:
        workers: who does the tasks; one process of this machine (loky, one job) is this very one.

    Yields:
        tasks -> (number of the task, its tensors by name), as they are finished.

    Raises:
        AuditError: naming the runs and the log, where a worker dies every time, where a task fails,
            and where a cluster cannot be had or is lost.
        UsageError: where a cluster is not named as it must be.
    """
    with ExitStack() as stack:
        hire = cache(lambda: stack.enter_context(open_pool(workers, work)))

        def results_of(tasks: Sequence[Task]) -> Results:
            if workers.backend == "loky" and workers.jobs == 1:
                yield from ((k, task.perform()) for k, task in enumerate(tasks))
            elif tasks:
                yield from _all(tasks, hire())

        yield results_of


def _all(tasks: Sequence[Task], pool: Pool) -> Results:
    left: Sequence[int] = range(len(tasks))
    deaths: Deaths = {}
    for attempt in range(1, ATTEMPTS + 1):
        # At last one at a time, so that the one to blame is known.
        deaths = yield from _tried(tasks, left, pool, 1 if attempt == ATTEMPTS else pool.max_in_flight)
        left = sorted(deaths)
    if deaths:
        raise _dead(tasks, deaths)


def _tried(
    tasks: Sequence[Task], numbers: Sequence[int], pool: Pool, max_in_flight: int
) -> Generator[tuple[int, Tensors], None, Deaths]:
    """Try each of the numbered tasks once. Returns those that were out when a worker died."""
    waiting, out = iter(numbers), dict[Future[Tensors | TaskFailure], int]()
    deaths, in_a_row = Deaths(), 0
    while True:
        for k in islice(waiting, max_in_flight - len(out)):
            task = tasks[k]
            with _in_reach():
                out[pool.submit(task, log_path(task))] = k
        if not out:
            return deaths
        while not (done := wait(out, timeout=clusters.PATIENCE, return_when=FIRST_COMPLETED).done):
            pool.check()
        while done:
            future = done.pop()
            k = out.pop(future)
            try:
                with _in_reach(pool.died):
                    result = future.result()
            except pool.died as error:
                deaths[k], in_a_row = error, in_a_row + 1
                if in_a_row == HOPELESS * max_in_flight:
                    raise _dead(tasks, {k: error}) from error
                continue
            if isinstance(result, TaskFailure):
                raise AuditError(*result.problems)
            in_a_row = 0
            yield k, result


@contextmanager
def _in_reach(passed: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """AuditError for what comes of lost workers, apart from those errors that are passed on."""
    try:
        yield
    except passed:
        raise
    except Exception as error:
        raise AuditError(
            f"workers must stay in reach until all is done, found {line(error)}; what is finished is kept,"
            " and the same command goes on from there"
        ) from error


def _dead(tasks: Sequence[Task], deaths: Mapping[int, Exception]) -> AuditError:
    return AuditError(
        *(
            f"{tasks[k].what} (seeds {_seeds(tasks[k])}): the worker died every time, last with"
            f" {line(error)}; its log is {log_path(tasks[k])} on the worker's machine; what is finished is"
            " kept. If memory ran out, fewer --jobs or a smaller --width may do"
            for k, error in deaths.items()
        )
    )


def work(task: Task, log: Path) -> Tensors | TaskFailure:
    """In a worker: perform the task, with a log that is there for as long as it has not
    succeeded."""
    with _ONE_AT_A_TIME, _opened(log) as file:
        here = f"{socket.gethostname()}, process {os.getpid()}"
        print(f"{task.what}\nseeds {_seeds(task)}\n{here}", file=file, flush=True)
        faulthandler.enable(file)
        try:
            result = task.perform()
        except AuditError as error:
            traceback.print_exc(file=file)
            return TaskFailure(error.problems)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- a user's own code may even exit
            traceback.print_exc(file=file)
            told = f"{task.what} (seeds {_seeds(task)}): {line(error)}; its log is {log} on {here}"
            return TaskFailure([told])
        finally:
            faulthandler.disable()
    with suppress(OSError):
        log.unlink()
    return result


@contextmanager
def _opened(log: Path) -> Iterator[IO[str]]:
    try:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        log.touch(mode=0o600)
    except OSError:  # a worker elsewhere may have no such place; its cluster keeps logs of its own
        log = Path(os.devnull)
    with log.open("w") as file:
        yield file


def log_path(task: Task) -> Path:
    """Where the worker that does this task says what happened, until it is done."""
    name = re.sub(r"[^0-9a-z]+", "-", f"{task.what} {task.seeds[0]}".lower())
    return (store_directory() / "logs" / f"{name}.log").absolute()


def _seeds(task: Task) -> str:
    return ", ".join(map(str, task.seeds))
