"""How a worker asks the models of a stack."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from auditkit.core.ids import Recovered
from auditkit.models.architectures import answer
from auditkit.probes import OBSERVATIONS, RECOVERIES
from auditkit.runs.answers import Tensors, written
from auditkit.runs.specs import ProbeSpec, Unlearn
from auditkit.signals.hinge_margin import jittered_margins
from auditkit.signals.interface import apply_interface
from auditkit.training.records import Records

if TYPE_CHECKING:
    from auditkit.runs.tasks import Task


def ask_models(task: "Task", models: Sequence[nn.Module]) -> Tensors:
    """What the models of a task's stack answer, see `auditkit.runs.answers`."""

    def ask(model: nn.Module, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return apply_interface(task.interface, answer(model, torch.from_numpy(np.array(inputs))))

    answers: Tensors = {written("logits"): torch.from_numpy(np.stack([ask(m, task.x) for m in models]))}
    for query, inputs in task.near.items():
        shape = inputs.shape[:2]
        drawn = [ask(m, inputs.reshape(-1, *inputs.shape[2:])).reshape(1, *shape, -1) for m in models]
        margins = [jittered_margins(logits, task.near_labels) for logits in drawn]
        answers[written("near", query)] = torch.from_numpy(np.concatenate(margins))
        answers[written("logits", query)] = torch.from_numpy(np.concatenate([z.mean(axis=1) for z in drawn]))
        if isinstance(task.make, Unlearn):
            answers[written("drawn", query)] = torch.from_numpy(np.concatenate([z[:, 0] for z in drawn]))
    return answers if task.inspect is None else {**answers, **_inspected(task, task.inspect, models)}


def _inspected(task: "Task", inspect: ProbeSpec, models: Sequence[nn.Module]) -> Tensors:
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
            answers[written("observed", name)] = torch.from_numpy(values)
    for name in inspect.recovered:
        recover = RECOVERIES[name]
        with _as_far_as_it_goes():
            logits = [recover(m, retain, forget, control.x, inspect.recipe, inspect.seed) for m in models]
            margins = jittered_margins(np.stack(logits)[:, None], task.near_labels)
            if np.isfinite(margins).all():
                answers[written("near", Recovered(name))] = torch.from_numpy(margins)
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
