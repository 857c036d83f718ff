"""Functions that a claim names, and their options."""

from collections.abc import Callable
from typing import Any

import pytest

from auditkit.core.user_code import option_problems


def odd(
    first: object, *, schema: int = 1, _x: float = 0.5, pair: tuple[int, int] = (1, 2), seed: int = 0
) -> None:
    """A function whose options bear names that pydantic keeps for itself."""


def anything(first: object, *, seed: int, **others: object) -> None:
    """A function that takes any option."""


@pytest.mark.parametrize(
    ("function", "options", "wrong"),
    [
        (odd, {"schema": 2, "_x": 1, "pair": [3, 4]}, []),
        (odd, {"schema": True}, ["schema"]),
        (odd, {"_x": "1"}, ["_x"]),
        (odd, {"pair": [3]}, ["pair.1"]),
        (odd, {"first": 1}, ["first"]),
        (odd, {"seed": 1}, ["seed"]),
        (anything, {"whatever": [1, {"a": 2}]}, []),
    ],
)
def test_options_are_judged_by_the_signature(
    function: Callable[..., None], options: dict[str, Any], wrong: list[str]
) -> None:
    """What can be given by name and is not the audit's own to give is an option, of exactly the
    annotated type."""
    problems = option_problems(function, options, "part", positional=1, keywords=("seed",))
    assert [problem.split(":")[0] for problem in problems] == [f"part.options.{name}" for name in wrong]
