"""A claim read from TOML, with everything that is wrong with it at once."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from auditkit.claims.claim import Claim
from auditkit.claims.criteria import ONE_RUN_MARGINS, WITHOUT_STRESS
from auditkit.core.errors import UsageError


def read_claim(path: Path) -> tuple[Claim, list[str]]:
    """The claim in a TOML file, and every problem with what it says.

    A key with a problem keeps its default in the claim returned, so that the caller can go on and
    find the problems that lie elsewhere; such a claim must not be run. Raises UsageError where
    there is no TOML to read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: a claim must be a readable TOML file, found: {error}") from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: a claim must be valid TOML, found: {error}") from error
    return parse_claim(raw)


def parse_claim(raw: dict[str, Any]) -> tuple[Claim, list[str]]:
    """The claim in parsed TOML, and every problem with what it says; see `read_claim`."""
    try:
        return fill_defaults(Claim.model_validate(raw)), []
    except ValidationError as error:
        problems = [_problem(e) for e in error.errors()]
        sound = raw
        for e in error.errors():
            sound = _without(sound, e["loc"])
        return fill_defaults(Claim.model_validate(sound)), problems


def fill_defaults(claim: Claim) -> Claim:
    """The claim with the margins of its kind written out where it says nothing of them, so that
    they are locked."""
    unstressed = claim if claim.kind == "procedure" else with_margins(claim, WITHOUT_STRESS)
    return with_margins(unstressed, ONE_RUN_MARGINS) if claim.kind == "endpoint" else unstressed


def with_margins(claim: Claim, margins: Mapping[str, object]) -> Claim:
    """The claim with these criteria where it does not set them itself."""
    unsaid = {name: value for name, value in margins.items() if name not in claim.criteria.model_fields_set}
    return claim.model_copy(update={"criteria": claim.criteria.model_copy(update=unsaid)})


def _problem(error: Any) -> str:
    """A pydantic error as where, what is wrong, what was found, what to do."""
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _fields(error["loc"][:-1])
        close = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        meant = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
        return f"{where}: not a key of a claim; {meant}"
    return f"{where}: {error['msg'][0].lower()}{error['msg'][1:]}, found {error['input']!r}"


def _fields(loc: tuple[Any, ...]) -> list[str]:
    part: type[BaseModel] = Claim
    for name in loc:
        annotation = part.model_fields[name].annotation
        kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
        part = next(kind for kind in kinds if issubclass(kind, BaseModel))
    return list(part.model_fields)


def _without(raw: dict[str, Any], loc: tuple[Any, ...]) -> dict[str, Any]:
    """raw without the key at loc, or without as much of the path as is a table."""
    head, *rest = loc
    if head not in raw:
        return raw
    if rest and isinstance(raw[head], dict):
        return {**raw, head: _without(raw[head], tuple(rest))}
    return {key: value for key, value in raw.items() if key != head}
