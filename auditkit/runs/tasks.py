"""What a worker does: train a stack of runs and ask it, or unlearn and ask.

A task carries all that it needs, as arrays, so that a worker shares nothing with whoever sends it
but the installed packages; what it returns are arrays too.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from auditkit.core.environment import answering_environment, differences
from auditkit.core.errors import AuditError
from auditkit.core.ids import Query
from auditkit.engine.memory import keep_freed_memory
from auditkit.engine.plan import Plan, threads
from auditkit.models.architectures import Build
from auditkit.runs.answers import Tensors
from auditkit.runs.ask import ask_models
from auditkit.runs.make import make_models, weights_of
from auditkit.runs.specs import LoadedWeights, ProbeSpec, Train, Unlearn
from auditkit.signals.interface import NOTHING, Interface
from auditkit.training.records import Records

_ONE_AT_A_TIME = threading.Lock()
"""A cluster may run tasks in several threads of one process, and torch's random state is the
process's own."""


@dataclass(frozen=True, eq=False)
class Task:
    """Work on one stack of runs.

    what: in words. seeds: of its runs. sent_from: the environment of whoever sends the task; a
    worker whose own differs refuses, as it would get other numbers. x: float32 (records, *shape),
    y: int64 (records,): all records that the audit uses; every model is asked about each of them.
    near: jittered query -> float32 (draws, near records, *shape), near_labels: int64 (near
    records,): what else it is asked. inspect: how else it is looked at, None for not at all.
    interface: what is left out of its answers, but for what it says in hand.
    """

    what: str
    seeds: Sequence[int]
    sent_from: Mapping[str, str]
    plan: Plan
    build: Build
    make: Train | LoadedWeights | Unlearn
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    near: Mapping[Query, npt.NDArray[np.float32]]
    near_labels: npt.NDArray[np.int64]
    inspect: ProbeSpec | None = None
    interface: Interface = NOTHING

    def perform(self) -> Tensors:
        """Do the work; see `perform`."""
        return perform(self)

    def records(self, rows: npt.NDArray[np.int64] | slice) -> Records:
        """Some of the records, on the plan's device."""
        x, y = (torch.from_numpy(np.array(part[rows])).to(self.plan.device) for part in (self.x, self.y))
        return Records(x, y)


def perform(task: Task) -> Tensors:
    """Do the work of a task.

    Raises:
        AuditError: saying which runs, where the environment is not the sender's, where the user's
            own code fails, or where the device's memory does not suffice.
    """
    if differ := differences(task.sent_from, answering_environment()):
        raise AuditError(
            f"a worker must have the versions of whoever sends it work, found that {'; '.join(differ)};"
            " install the same versions there"
        )
    keep_freed_memory()
    torch.backends.cudnn.deterministic = True  # else the same plan need not give the same bits
    try:
        with _ONE_AT_A_TIME, threads(task.plan.threads), torch.random.fork_rng(devices=[]):
            models = make_models(task)
            weights = weights_of(models) if isinstance(task.make, Train) else {}
            return {**weights, **ask_models(task, models)}
    except torch.OutOfMemoryError as error:
        narrower = max(1, task.plan.width // 2)
        raise AuditError(
            f"{task.what}: {len(task.seeds)} run(s) in one stack must fit into the device's memory, found:"
            f" {_first_line(error)}; a narrower plan is another plan, with last bits of its own: run again"
            f" with --width {narrower} and another --out"
        ) from error
    except AuditError as error:
        raise AuditError(*(f"{task.what}: {problem}" for problem in error.problems)) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
