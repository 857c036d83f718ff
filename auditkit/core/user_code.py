"""From what a claim names to a function that can be called.

A claim names a function by its key in one of auditkit's tables, or the user's own as
"package.module:function" or "./file.py:function". To resolve the user's own runs the user's code.
"""

import functools
import hashlib
import importlib.util
import inspect
import json
import pkgutil
import sys
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from auditkit.core.errors import UsageError

Function = Callable[..., Any]


def resolve(name: str, folder: Path, table: Mapping[str, Function], key: str) -> Function:
    """The function that a claim names: one of ours, or the user's own, whose code is then run.

    Args:
        name: a key of `table`, "package.module:function" or "./file.py:function".
        folder: where the path of a "./file.py:function" starts.
        table: ours, by name.
        key: where in the claim the name stands ("model.name"), for the errors.

    Returns:
        The function.

    Raises:
        UsageError: if there is no function by that name, or if the user's module raises while it is
            imported.
    """
    if name in table:
        return table[name]
    module, colon, function = name.partition(":")
    if not colon:
        ours = f"one of {', '.join(table)}, or " if table else ""
        raise UsageError(
            f"{key} must be {ours}'package.module:function' or './file.py:function' for your own; found"
            f" {name!r}"
        )
    try:
        if module.endswith(".py"):
            found = getattr(_file_module(folder / Path(module).expanduser()), function)
        else:
            found = pkgutil.resolve_name(name)
    # Whatever the user's module raises is what they need to read; SystemExit would end us with its
    # own code.
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{key} = {name!r}: it could not be imported: {describe_error(error)}; mend it, or correct the"
            " name"
        ) from error
    if not callable(found):
        raise UsageError(f"{key} = {name!r}: it must be a function, found {type(found).__name__}; name one")
    return typing.cast(Function, found)


def describe_error(error: BaseException) -> str:
    """What a user's own code raised, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def code_digest(name: str, folder: Path) -> str:
    """SHA-256 of the code behind a user's own function: of all Python files beside "./file.py", or
    of all in the package of "package.module". What else it reads cannot be known."""
    module = name.partition(":")[0]
    if module.endswith(".py"):
        files = list((folder / Path(module).expanduser()).resolve().parent.glob("*.py"))
    else:
        spec = importlib.util.find_spec(module.partition(".")[0])
        places = list(spec.submodule_search_locations or ()) if spec else []
        files = [file for place in places for file in Path(place).rglob("*.py")]
        files += [Path(spec.origin)] if spec and spec.origin and not places else []
    total = hashlib.sha256()
    for file in sorted(files):
        total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def option_problems(
    function: Function,
    options: Mapping[str, Any],
    part: str,
    *,
    positional: int,
    keywords: Collection[str] = (),
) -> list[str]:
    """What is wrong with the `options` that part `part` of a claim sets for `function`; [] if
    nothing is.

    The options of a function are the parameters that can be given by name, less those the audit
    itself gives: the first `positional` and the `keywords`. Their annotations say what may be
    given.
    """
    try:
        known = _options(function, positional, keywords)
        table = _table(function, known)
    except Exception as error:  # noqa: BLE001 -- the annotations may be the user's own
        return [
            (
                f"{part}.options: the function's parameters could not be read: {describe_error(error)}; mend"
                " its annotations"
            )
        ]
    try:
        # Strict and as JSON: a list may stand for a tuple, but no text for a number. The function
        # is given the options as they are, not as a lenient reader would have taken them.
        table.model_validate_json(json.dumps(options, default=str), strict=True)
    except ValidationError as error:
        return [_option_problem(part, list(known), e) for e in error.errors()]
    return []


@functools.cache
def _executed(path: Path, source: bytes) -> ModuleType:
    """The module that a file's `source` makes. Executed once: the models of one stack must be of
    one class, and a file that is executed again defines its classes anew."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Under a name that hides nothing, and only while it runs, as dataclasses look themselves up; a
    # class whose module stays in sys.modules would be sent to workers by a name that they cannot
    # import.
    module.__name__ = f"auditkit own {path.stem}"
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102 -- as an import would
    finally:
        sys.modules.pop(module.__name__, None)
    return module


def _file_module(path: Path) -> ModuleType:
    return _executed(path.resolve(), path.read_bytes())


def _options(function: Function, positional: int, keywords: Collection[str]) -> dict[str, inspect.Parameter]:
    """name -> parameter, of every parameter that is an option."""
    parameters = list(inspect.signature(function, eval_str=True).parameters.values())[positional:]
    by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return {p.name: p for p in parameters if p.kind in by_name and p.name not in keywords}


def _table(function: Function, known: Mapping[str, inspect.Parameter]) -> type[BaseModel]:
    """The options as a pydantic model. Its fields have names of their own, as an option may have
    one that pydantic keeps for itself; errors speak of the alias."""
    fields: Any = {
        f"option_{i}": (
            Any if p.annotation is p.empty else p.annotation,
            Field(alias=name) if p.default is p.empty else Field(default=p.default, alias=name),
        )
        for i, (name, p) in enumerate(known.items())
    }
    open_ended = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())
    config = ConfigDict(extra="allow" if open_ended else "forbid", arbitrary_types_allowed=True)
    return create_model("Options", __config__=config, **fields)


def _option_problem(part: str, known: list[str], error: Any) -> str:
    where = ".".join((f"{part}.options", *(str(step) for step in error["loc"])))
    if error["type"] == "extra_forbidden":
        return f"{where}: not an option of this {part}; its options: {', '.join(known) or 'none'}"
    return f"{where}: {error['msg'][0].lower()}{error['msg'][1:]}, found {error['input']!r}"
