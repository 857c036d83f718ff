"""What a worker does: train a stack of runs and ask it, or unlearn and ask.

A task carries all that it needs, as arrays, so that a worker shares nothing with whoever sends it
but the installed packages; what it returns are arrays too.
"""

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from auditkit.core import user_code as named
from auditkit.core.environment import differences, environment
from auditkit.core.errors import AuditError
from auditkit.engine.memory import keep_freed_memory
from auditkit.engine.plan import Plan, threads
from auditkit.models.architectures import Build, answer
from auditkit.probes import OBSERVATIONS, RECOVERIES
from auditkit.signals.interface import NOTHING, Interface, apply_interface
from auditkit.signals.measurements import jittered_margins
from auditkit.training import Recipe, fit, initialise
from auditkit.training.records import Records
from auditkit.unlearning.binding import bind_procedure, call_user_code

Tensors = dict[str, torch.Tensor]
"""What a task returns: "weights/<name>" (runs, ...) if it trained, "logits/" (runs, records,
classes), and, each the mean over the draws, "logits/<query>" (runs, near records, classes) and
"near/<query>" (runs, near records), margins; of unlearned models "drawn/<query>" (runs, near
records, classes), the first draw, which shows what they do not say there; of models looked at in
hand also "near/<recovery>" and "observed/<name>" (runs, near records)."""

_ONE_AT_A_TIME = threading.Lock()
"""A cluster may run tasks in several threads of one process, and torch's random state is the
process's own."""


@dataclass(frozen=True, eq=False)
class Train:
    """Train the stack from scratch. members: (runs, n), positions among the task's records. own:
    name and folder of the user's own `train(model, data, seed) -> model`, in place of the
    recipe."""

    members: npt.NDArray[np.int64]
    recipe: Recipe
    own: tuple[str, Path] | None = None


@dataclass(frozen=True, eq=False)
class LoadedWeights:
    """The stack as it was trained before. weights: name -> (runs, ...)."""

    weights: Mapping[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Unlearn:
    """Make the stack from trained runs by a procedure. weights: of those runs. retain, forget:
    positions among the task's records. procedure, folder, options, recipe: see
    `auditkit.unlearning.binding.bind_procedure`. proxies: weights of as many models of the
    claimant's own, which a procedure is given that asks for them."""

    weights: Mapping[str, torch.Tensor]
    retain: npt.NDArray[np.int64]
    forget: npt.NDArray[np.int64]
    procedure: str
    folder: Path
    options: Mapping[str, Any]
    recipe: Recipe
    proxies: Mapping[str, torch.Tensor] | None = None


@dataclass(frozen=True, eq=False)
class ProbeSpec:
    """What is looked at with the models in hand. observed: name in `auditkit.probes.OBSERVATIONS`
    -> which of the near records are asked about. recovered: names in RECOVERIES. retain, forget,
    control: positions among the task's records; near records are forget, then control. recipe: how
    the models were trained. seed: the same for every run, so that runs are told apart by what they
    are alone."""

    observed: Mapping[str, npt.NDArray[np.int64]]
    recovered: Sequence[str]
    retain: npt.NDArray[np.int64]
    forget: npt.NDArray[np.int64]
    control: npt.NDArray[np.int64]
    recipe: Recipe
    seed: int

    def commitment(self) -> bytes:
        """SHA-256 over all of it but the recipe."""
        total = hashlib.sha256(repr((list(self.observed), list(self.recovered), self.seed)).encode())
        for positions in (*self.observed.values(), self.retain, self.forget, self.control):
            total.update(f"{len(positions)}\0".encode() + positions.tobytes())
        return total.digest()


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
    near: Mapping[str, npt.NDArray[np.float32]]
    near_labels: npt.NDArray[np.int64]
    inspect: ProbeSpec | None = None
    interface: Interface = NOTHING

    def perform(self) -> "Tensors":
        """Do the work; see `perform`."""
        return perform(self)

    def records(self, rows: npt.NDArray[np.int64] | slice) -> Records:
        """Some of the records, on the plan's device."""
        x, y = (torch.from_numpy(np.array(part[rows])).to(self.plan.device) for part in (self.x, self.y))
        return Records(x, y)


def perform(task: Task) -> Tensors:
    """Do the work of a task.

    Raises AuditError, saying which runs, where the environment is not the sender's, where the
    user's own code fails, or where the device's memory does not suffice.
    """
    if differ := differences(task.sent_from, environment()):
        raise AuditError(
            f"a worker must have the versions of whoever sends it work, found that {'; '.join(differ)};"
            " install the same versions there"
        )
    keep_freed_memory()
    torch.backends.cudnn.deterministic = True  # else the same plan need not give the same bits
    try:
        with _ONE_AT_A_TIME, threads(task.plan.threads), torch.random.fork_rng(devices=[]):
            models = _made(task)
            weights = _weights(models) if isinstance(task.make, Train) else {}
            return {**weights, **_answers(task, models)}
    except torch.OutOfMemoryError as error:
        narrower = max(1, task.plan.width // 2)
        raise AuditError(
            f"{task.what}: {len(task.seeds)} run(s) in one stack must fit into the device's memory, found:"
            f" {_first_line(error)}; a narrower plan is another plan, with last bits of its own: run again"
            f" with --width {narrower} and another --out"
        ) from error
    except AuditError as error:
        raise AuditError(*(f"{task.what}: {problem}" for problem in error.problems)) from error


def _made(task: Task) -> list[nn.Module]:
    make = task.make
    if isinstance(make, LoadedWeights):
        return unpacked(task, make.weights)
    if isinstance(make, Unlearn):
        given = {} if make.proxies is None else {"proxies": unpacked(task, make.proxies)}
        procedure = bind_procedure(make.procedure, make.folder, {**make.options, **given}, make.recipe)
        records = task.records(make.retain), task.records(make.forget)
        return procedure(unpacked(task, make.weights), *records, task.seeds)
    models = [initialise(task.build, seed).to(task.plan.device) for seed in task.seeds]
    if make.own:
        train = named.resolve(*make.own, {}, "training.train")
        return [
            _alike(
                call_user_code(make.own[0], partial(train, model, task.records(rows), seed), seed),
                model,
                make.own[0],
            )
            for model, rows, seed in zip(models, make.members, task.seeds, strict=True)
        ]
    every = task.records(slice(None))
    return fit(models, every.x, every.y, make.recipe, seeds=task.seeds, members=make.members)


def _alike(trained: nn.Module, model: nn.Module, name: str) -> nn.Module:
    """The trained model, if its weights can be put into one that is freshly built, as they will
    be."""
    found, expected = ({key: value.shape for key, value in m.state_dict().items()} for m in (trained, model))
    if found != expected:
        raise AuditError(
            f"{name!r} must return the model it was given, trained, found one with other weights "
            f"({type(trained).__name__}); mend it and run the same command again"
        )
    return trained


def unpacked(task: Task, weights: Mapping[str, torch.Tensor]) -> list[nn.Module]:
    """The models of a stack, in eval mode."""
    models = [initialise(task.build, 0).to(task.plan.device).eval() for _ in task.seeds]
    for k, model in enumerate(models):
        model.load_state_dict({name: rows[k] for name, rows in weights.items()})
    return models


def _weights(models: Sequence[nn.Module]) -> Tensors:
    states = [model.state_dict() for model in models]
    return {f"weights/{name}": torch.stack([s[name] for s in states]).cpu() for name in states[0]}


def _answers(task: Task, models: Sequence[nn.Module]) -> Tensors:
    def ask(model: nn.Module, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return apply_interface(task.interface, answer(model, torch.from_numpy(np.array(inputs))))

    answers: Tensors = {"logits/": torch.from_numpy(np.stack([ask(m, task.x) for m in models]))}
    for query, inputs in task.near.items():
        shape = inputs.shape[:2]
        drawn = [ask(m, inputs.reshape(-1, *inputs.shape[2:])).reshape(1, *shape, -1) for m in models]
        margins = [jittered_margins(logits, task.near_labels) for logits in drawn]
        answers[f"near/{query}"] = torch.from_numpy(np.concatenate(margins))
        answers[f"logits/{query}"] = torch.from_numpy(np.concatenate([z.mean(axis=1) for z in drawn]))
        if isinstance(task.make, Unlearn):
            answers[f"drawn/{query}"] = torch.from_numpy(np.concatenate([z[:, 0] for z in drawn]))
    return answers if task.inspect is None else {**answers, **_inspected(task, task.inspect, models)}


def _inspected(task: Task, inspect: ProbeSpec, models: Sequence[nn.Module]) -> Tensors:
    """What the models show to whoever has them in hand; what one of them cannot be asked is left
    out."""
    answers: Tensors = {}
    retain, forget, control = (task.records(p) for p in (inspect.retain, inspect.forget, inspect.control))
    near = Records(torch.cat([forget.x, control.x]), torch.cat([forget.y, control.y]))
    for name, places in inspect.observed.items():
        values = np.full((len(models), len(near.y)), np.nan)
        x, y = near.x[places], near.y[places]
        with _as_far_as_it_goes():
            for row, model in zip(values, models, strict=True):
                row[places] = OBSERVATIONS[name](model, x, y, inspect.seed)
            answers[f"observed/{name}"] = torch.from_numpy(values)
    for name in inspect.recovered:
        recover = RECOVERIES[name]
        with _as_far_as_it_goes():
            logits = [recover(m, retain, forget, control.x, inspect.recipe, inspect.seed) for m in models]
            margins = jittered_margins(np.stack(logits)[:, None], task.near_labels)
            if np.isfinite(margins).all():
                answers[f"near/{name}"] = torch.from_numpy(margins)
    return answers


@contextmanager
def _as_far_as_it_goes() -> Iterator[None]:
    """Leaves out what a model cannot be put through: a procedure of the user's own may return
    models whose answers have no gradient, or that fail in any other way when they are taken apart.
    The evidence says what is missing."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception:  # noqa: BLE001
        return


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
