"""From what a claim names to a procedure that can be called on a stack of runs."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from auditkit.core import user_code as named
from auditkit.core.errors import AuditError, UsageError
from auditkit.training import Recipe
from auditkit.training.records import Records
from auditkit.unlearning import UNLEARNERS, fnn, sisa

GIVEN = ("seed", "seeds", "recipe")
"""Keywords that the audit itself supplies to a procedure, besides (model, retain, forget); all
others are options of a claim."""

Procedure = Callable[[Sequence[nn.Module], Records, Records, Sequence[int]], list[nn.Module]]
"""(models, retain, forget, seeds) -> unlearned models."""


def resolve(name: str, folder: Path) -> Callable[..., Any]:
    """The procedure a claim names: built in, or the user's own (see `named.resolve`)."""
    return named.resolve(name, folder, UNLEARNERS, "procedure.name")


def is_built_in(name: str) -> bool:
    """Whether a procedure is auditkit's own, and so given all models of a stack at once."""
    return name in UNLEARNERS or name.startswith("auditkit.")


def option_problems(procedure: Callable[..., Any], options: dict[str, Any]) -> list[str]:
    """What is wrong with the options a claim sets for a procedure; [] if nothing is."""
    return named.option_problems(procedure, options, "procedure", positional=3, keywords=GIVEN)


def model_problems(procedure: Callable[..., Any], options: Mapping[str, Any], model: nn.Module) -> list[str]:
    """What can be seen, without training, to stand between a model and a procedure with these
    options; [] if nothing. SISA needs its own models; FNN layers that can fade, and options that do
    not contradict each other."""
    if procedure is sisa.unlearn:
        return sisa.unfit(model)
    if getattr(procedure, "func", procedure) is not fnn.unlearn:
        return []
    defaults = {name: found.default for name, found in inspect.signature(procedure).parameters.items()}
    given = {name: value for name, value in {**defaults, **options}.items() if name in fnn.CHECKED}
    try:
        fnn.check([model], **given)
    except UsageError as error:
        return [f"procedure.options: {problem}" for problem in error.problems]
    return []


def bind_procedure(name: str, folder: Path, options: Mapping[str, Any], recipe: Recipe) -> Procedure:
    """The procedure a claim names with its options set, and the recipe where it asks for one.

    A user's own, `unlearn(model, retain, forget, *, seed) -> model`, is called for one model after
    the other.
    """
    function = resolve(name, folder)
    wants_recipe = "recipe" in inspect.signature(function).parameters
    given = {**options, "recipe": recipe} if wants_recipe else dict(options)
    if is_built_in(name):
        return lambda models, retain, forget, seeds: function(models, retain, forget, seeds=seeds, **given)

    def one_by_one(
        models: Sequence[nn.Module], retain: Records, forget: Records, seeds: Sequence[int]
    ) -> list[nn.Module]:
        return [
            call_user_code(name, partial(function, model, retain, forget, seed=seed, **given), seed)
            for model, seed in zip(models, seeds, strict=True)
        ]

    return one_by_one


def call_user_code(name: str, call: Callable[[], object], seed: int) -> nn.Module:
    """The model that a call of the user's own function makes; AuditError, with the run's seed, if
    it raises or makes no model. Torch's generator starts at the seed, and is afterwards as it
    was."""
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)  # for one that draws from torch's own generator
            model = call()
    except (Exception, SystemExit) as error:  # an exit would end us with a code that says something else
        raise AuditError(
            f"{name!r} failed on the run with seed {seed}: {named.describe_error(error)}; mend it and run the"
            " same command again"
        ) from error
    if not isinstance(model, nn.Module):
        raise AuditError(
            f"{name!r} must return a torch.nn.Module, found {type(model).__name__} (run with seed {seed});"
            " mend it and run the same command again"
        )
    return model
