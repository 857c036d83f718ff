"""What the commands of auditkit share: sizes and durations, what may be used of the machine, how
failures end."""

import json
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from auditkit.core.errors import AuditError


class Size(click.ParamType[int]):
    """Bytes, as "800MB" or "4GB"."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([MGT])B?", str(value).upper())
        if found is None:
            self.fail(f"must be a number of MB, GB or TB as in 4GB, found {value!r}", param, ctx)
        return round(float(found[1]) * {"M": 1e6, "G": 1e9, "T": 1e12}[found[2]])


class Duration(click.ParamType[float]):
    """Seconds, as "90s", "30m" or "12h"."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number of seconds."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([smh])", str(value))
        if found is None:
            self.fail(f"must be a number of s, m or h as in 30m, found {value!r}", param, ctx)
        return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


RESOURCES = (
    click.option(
        "--jobs", type=click.IntRange(min=1), help="Workers; by default as many as there are cores for."
    ),
    click.option(
        "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to train."
    ),
    click.option("--width", type=click.IntRange(min=1), help="Runs a stack, in place of measuring."),
    click.option("--threads", type=click.IntRange(min=1), help="Threads a stack, in place of measuring."),
    click.option("--memory", type=Size(), help="Most memory of all processes together, as 4GB."),
    click.option("--time", "seconds", type=Duration(), help="Most time for training, as 30m."),
)


def resource_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each thing of the machine that an audit may be told to use."""
    for option in reversed(RESOURCES):
        command = option(command)
    return command


@contextmanager
def failures(as_json: bool) -> Iterator[None]:
    """Turn what goes wrong into one message and an exit code."""
    try:
        yield
    except AuditError as error:
        _fail(list(error.problems), error.exit_code, as_json)
    except KeyboardInterrupt:
        _fail(["stopped; what is done is kept, and the same command goes on from there"], 4, as_json)
    except Exception as error:  # noqa: BLE001 -- Python's own exit code for it would read as a refuted claim
        traceback.print_exc()
        _fail([f"auditkit itself failed ({type(error).__name__}: {error}); please report this"], 4, as_json)


def _fail(problems: list[str], code: int, as_json: bool) -> NoReturn:
    if as_json:
        document: dict[str, Any] = {"error": problems, "exit_code": code}
        click.echo(json.dumps(document))
    heading = "error" if len(problems) == 1 else f"{len(problems)} errors"
    click.echo(f"{heading}: " + "\n  ".join(["", *problems] if len(problems) > 1 else problems), err=True)
    sys.exit(code)
