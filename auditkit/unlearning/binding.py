"""From what a claim names to a procedure that can be called on a stack of runs."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from auditkit.core import user_code
from auditkit.core.errors import AuditError
from auditkit.training import Recipe
from auditkit.training.records import Records
from auditkit.unlearning import UNLEARNERS, Procedure

GIVEN = ("seed", "seeds", "recipe")
"""Keywords that the audit itself supplies to a procedure, besides (model, retain, forget); all
others are options of a claim."""

Bound = Callable[[Sequence[nn.Module], Records, Records, Sequence[int]], list[nn.Module]]
"""(models, retain, forget, seeds) -> unlearned models."""


def resolve(name: str, folder: Path) -> Procedure:
    """The procedure that a claim names.

    Args:
        name: A key of UNLEARNERS, or the user's own as "package.module:function" or
            "./file.py:function".
        folder: Where the path of a user's own file starts.

    Returns:
        The entry of the table; for the user's own function, one that has no states and refuses no
        model.

    Raises:
        UsageError: If there is none by that name, or the user's module cannot be imported.
    """
    if name in UNLEARNERS:
        return UNLEARNERS[name]
    functions = {ours: entry.function for ours, entry in UNLEARNERS.items()}
    return Procedure(user_code.resolve(name, folder, functions, "procedure.name"))


def is_built_in(name: str) -> bool:
    """Whether a procedure is auditkit's own, and so given all models of a stack at once."""
    return name in UNLEARNERS or name.startswith("auditkit.")


def states_of(name: str) -> tuple[str, ...]:
    """The states in which a procedure's models can be seen, the one it ends in last; none for most
    procedures, and for the user's own."""
    return UNLEARNERS[name].states if name in UNLEARNERS else ()


def wants_recipe(procedure: Procedure) -> bool:
    """Whether a procedure trains, and so asks for the training recipe."""
    return "recipe" in inspect.signature(procedure.function).parameters


def option_problems(procedure: Procedure, options: Mapping[str, Any]) -> list[str]:
    """What is wrong with the options a claim sets for a procedure; [] if nothing is."""
    return user_code.option_problems(procedure.function, options, "procedure", positional=3, keywords=GIVEN)


def model_problems(procedure: Procedure, options: Mapping[str, Any], model: nn.Module) -> list[str]:
    """What can be seen, without training, to stand between a model and a procedure.

    Args:
        procedure: As `resolve` finds it.
        options: Those that the claim sets, each by itself allowed (`option_problems`).
        model: As it is built, untrained.

    Returns:
        Each problem as rule, value and remedy; [] if there is none.
    """
    parameters = inspect.signature(procedure.function).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    return procedure.problems(model, {**defaults, **options})


def bind_procedure(name: str, folder: Path, options: Mapping[str, Any], recipe: Recipe) -> Bound:
    """The procedure a claim names with its options set, and the recipe where it asks for one.

    Args:
        name: As for `resolve`.
        folder: As for `resolve`.
        options: Of the procedure, allowed by `option_problems`.
        recipe: How the models were trained.

    Returns:
        What unlearns a stack of models. A user's own, `unlearn(model, retain, forget, *, seed) ->
        model`, is called for one model after the other.

    Raises:
        UsageError: As `resolve`. What is returned raises AuditError where a user's own function
            fails.
    """
    procedure = resolve(name, folder)
    function = procedure.function
    keywords = {**options, "recipe": recipe} if wants_recipe(procedure) else dict(options)
    if is_built_in(name):
        return lambda models, retain, forget, seeds: function(models, retain, forget, seeds=seeds, **keywords)

    def one_by_one(
        models: Sequence[nn.Module], retain: Records, forget: Records, seeds: Sequence[int]
    ) -> list[nn.Module]:
        unlearned = []
        for model, seed in zip(models, seeds, strict=True):
            call = partial(function, model, retain, forget, seed=seed, **keywords)
            unlearned.append(call_user_code(name, call, seed))
        return unlearned

    return one_by_one


def call_user_code(name: str, call: Callable[[], object], seed: int) -> nn.Module:
    """The model that a call of the user's own function makes.

    Args:
        name: Of the function, for the error.
        call: Calls it.
        seed: Of the run. Torch's generator starts there, and is afterwards as it was.

    Raises:
        AuditError: If the function raises or makes no model.
    """
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)  # for one that draws from torch's own generator
            model = call()
    except (Exception, SystemExit) as error:  # an exit would end us with a code that says something else
        raise AuditError(
            f"{name!r} failed on the run with seed {seed}: {user_code.describe_error(error)}; mend it and run"
            " the same command again"
        ) from error
    if not isinstance(model, nn.Module):
        raise AuditError(
            f"{name!r} must return a torch.nn.Module, found {type(model).__name__} (run with seed {seed});"
            " mend it and run the same command again"
        )
    return model
