"""How a worker makes the models of a stack."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from auditkit.core import user_code
from auditkit.core.errors import AuditError
from auditkit.runs.answers import Tensors, written
from auditkit.runs.specs import LoadedWeights, Train, Unlearn
from auditkit.training import fit, initialise
from auditkit.unlearning.binding import bind_procedure, call_user_code

if TYPE_CHECKING:
    from auditkit.runs.tasks import Task


def make_models(task: "Task") -> list[nn.Module]:
    """The models of a task's stack: trained, loaded, or unlearned."""
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
        return _trained_by_user(task, make, *make.own, models)
    every = task.records(slice(None))
    return fit(models, every.x, every.y, make.recipe, seeds=task.seeds, members=make.members)


def _trained_by_user(
    task: "Task", make: Train, name: str, folder: Path, models: Sequence[nn.Module]
) -> list[nn.Module]:
    """The models trained by the user's own function, one after the other."""
    train = user_code.resolve(name, folder, {}, "training.train")
    trained = []
    for model, rows, seed in zip(models, make.members, task.seeds, strict=True):
        call = partial(train, model, task.records(rows), seed)
        trained.append(_alike(call_user_code(name, call, seed), model, name))
    return trained


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


def unpacked(task: "Task", weights: Mapping[str, torch.Tensor]) -> list[nn.Module]:
    """The models of a stack, in eval mode."""
    models = [initialise(task.build, 0).to(task.plan.device).eval() for _ in task.seeds]
    for k, model in enumerate(models):
        model.load_state_dict({name: rows[k] for name, rows in weights.items()})
    return models


def weights_of(models: Sequence[nn.Module]) -> Tensors:
    """The weights of a stack, as answers."""
    states = [model.state_dict() for model in models]
    return {written("weights", name): torch.stack([s[name] for s in states]).cpu() for name in states[0]}
