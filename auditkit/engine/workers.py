"""Who does the work: what a user asks for, and what the queue is given."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from auditkit.engine.plan import cores
from auditkit.engine.task import Task

Backend = Literal["loky", "dask", "ray"]
BACKENDS: tuple[Backend, ...] = ("loky", "dask", "ray")


Work = Callable[[Task, Path], Any]


@dataclass(frozen=True)
class WorkerConfig:
    """Who does the work.

    Attributes:
        jobs: how many tasks at a time; None for as many as the workers have cores for.
        threads: those of each task.
        backend: processes of this machine (loky), or a cluster (dask, ray).
        address: of a cluster that is already running; without one Dask and Ray start their own on
            this machine.
    """

    jobs: int | None
    threads: int
    backend: Backend = "loky"
    address: str | None = None

    @property
    def local_count(self) -> int:
        """How many workers there are if they are started on this machine."""
        return self.jobs or max(1, cores() // self.threads)


@dataclass(frozen=True)
class Pool:
    """Workers that are there.

    submit: sends one a task, with the place of its log. max_in_flight: how many tasks may be out at
    a time, those that wait and those whose results are not yet taken included. died: what a future
    raises whose worker died. check: raises where the cluster is no longer there.
    """

    submit: Callable[[Task, Path], Future[Any]]
    max_in_flight: int
    died: tuple[type[Exception], ...]
    check: Callable[[], None] = lambda: None


def line(error: BaseException) -> str:
    """An error in one line that is not too long."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
