"""Tasks that take no time, and tasks that end their worker: a task's `build` runs where the task
does."""

import faulthandler
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from auditkit.core.environment import answering_environment
from auditkit.engine.plan import Plan
from auditkit.models.architectures import Build, mlp
from auditkit.runs.specs import Train
from auditkit.runs.tasks import Task
from auditkit.training import Recipe


def built() -> nn.Module:
    return mlp((4,), 3, hidden=(5,))


def small_task(k: int, build: Build = built, **changes: Any) -> Task:
    """Train one run, of number k, on 20 records."""
    generator = np.random.default_rng(k)
    given: dict[str, Any] = {
        "what": f"small data, original run {k}",
        "seeds": [1000 + k],
        "sent_from": answering_environment(),
        "plan": Plan(1, 1, "cpu"),
        "build": build,
        "make": Train(np.arange(16)[None], Recipe(epochs=1, batch_size=8, learning_rate=0.1)),
        "x": generator.normal(size=(20, 4)).astype(np.float32),
        "y": generator.integers(0, 3, 20),
        "near": {},
        "near_labels": np.zeros(0, dtype=np.int64),
    }
    return Task(**given | changes)


def dying(how: Callable[[], object], marker: Path | None = None) -> Build:
    """Builds a model in a worker that dies on the way; with a marker once only, and leaves it
    behind."""
    return partial(_dying, how, marker)


def _dying(how: Callable[[], object], marker: Path | None) -> nn.Module:
    if marker is None or not marker.exists():
        if marker is not None:
            marker.write_text(str(os.getpid()))
        how()
    return built()


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def faulty() -> None:
    faulthandler._sigsegv()  # type: ignore[attr-defined]


def noting(notes: Path) -> Build:
    """Builds a model, and leaves a file that says in which process and on how many threads."""
    return partial(_noting, notes)


def _noting(notes: Path) -> nn.Module:
    environ = os.environ.get("OMP_NUM_THREADS")
    (notes / str(time.monotonic_ns())).write_text(f"{os.getpid()} {torch.get_num_threads()} {environ}")
    return built()


def sleeping(notes: Path, seconds: float) -> Build:
    """Builds a model late, and says first in which process."""
    return partial(_sleeping, notes, seconds)


def _sleeping(notes: Path, seconds: float) -> nn.Module:
    _noting(notes)
    time.sleep(seconds)
    return built()


def raising(error: BaseException) -> Build:
    """Builds no model."""
    return partial(_raising, error)


def _raising(error: BaseException) -> nn.Module:
    raise error


def growing(nbytes: int, seconds: float) -> Build:
    """Builds a model, takes so long, and keeps memory for ever."""
    return partial(_growing, nbytes, seconds)


KEPT: list[bytearray] = []


def _growing(nbytes: int, seconds: float) -> nn.Module:
    KEPT.append(bytearray(b"x") * nbytes)
    time.sleep(seconds)
    return built()
