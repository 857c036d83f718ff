"""From what a claim names to a procedure that can be called."""

import importlib.util
import inspect
import pkgutil
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from torch import nn

from auditkit.errors import UsageError
from auditkit.training import Recipe
from auditkit.unlearning import UNLEARNERS

GIVEN = ("seed", "recipe")
"""Keywords that the audit itself supplies to a procedure; all others are options of a claim."""


def resolve(name: str, folder: Path) -> Callable[..., nn.Module]:
    """The procedure a claim names: built in, "package.module:function" or "./file.py:function" with
    the file's path starting at `folder`. The latter two run the user's code. UsageError if there is
    none by that name."""
    if name in UNLEARNERS:
        return UNLEARNERS[name]
    module, colon, function = name.partition(":")
    if not colon:
        raise UsageError(
            f"procedure.name must be one of {', '.join(UNLEARNERS)}, or 'package.module:function' or "
            f"'./file.py:function' for your own; found {name!r}"
        )
    try:
        found = getattr(_module(folder / module), function) if module.endswith(".py") else _named(name)
    except Exception as error:  # whatever the user's module raises is what they need to read
        raise UsageError(
            f"procedure.name = {name!r}: it could not be imported: {type(error).__name__}: {error}"
        ) from error
    if not callable(found):
        raise UsageError(f"procedure.name = {name!r}: it must be a function, found {type(found).__name__}")
    return typing.cast(Callable[..., nn.Module], found)


def _named(name: str) -> object:
    return pkgutil.resolve_name(name)


def _module(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def option_problems(procedure: Callable[..., nn.Module], options: dict[str, Any]) -> list[str]:
    """What is wrong with the options a claim sets, judged by the keywords that the procedure names and
    their annotations; [] if nothing is."""
    try:
        _options_model(procedure).model_validate(options)
    except ValidationError as error:
        return [_option_problem(procedure, e) for e in error.errors()]
    return []


def bind(
    procedure: Callable[..., nn.Module], options: dict[str, Any], recipe: Recipe
) -> Callable[..., nn.Module]:
    """The procedure with its options set, and the recipe where it asks for one: what is left to give
    is (model, retain, forget, *, seed)."""
    wants_recipe = "recipe" in inspect.signature(procedure).parameters
    given = {**options, "recipe": recipe} if wants_recipe else options
    return lambda model, retain, forget, *, seed: procedure(model, retain, forget, seed=seed, **given)


def _options_model(procedure: Callable[..., nn.Module]) -> type[BaseModel]:
    hints = typing.get_type_hints(procedure, include_extras=True)
    parameters = inspect.signature(procedure).parameters.values()
    keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in GIVEN]
    fields: Any = {
        p.name: (hints.get(p.name, Any), ... if p.default is p.empty else p.default) for p in keywords
    }
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    config = ConfigDict(extra="allow" if open_ended else "forbid", arbitrary_types_allowed=True)
    return create_model("Options", __config__=config, **fields)


def _option_problem(procedure: Callable[..., nn.Module], error: Any) -> str:
    where = ".".join(("procedure.options", *(str(part) for part in error["loc"])))
    if error["type"] == "extra_forbidden":
        known = ", ".join(_options_model(procedure).model_fields) or "none"
        return f"{where}: not an option of this procedure; its options: {known}"
    return f"{where}: {error['msg'][0].lower()}{error['msg'][1:]}, found {error['input']!r}"
