"""Claims as they are read."""

from pathlib import Path
from typing import Any

import pytest

from auditkit.claims.claim import BUILT_IN, Claim
from auditkit.claims.read import parse_claim, read_claim
from auditkit.core.errors import UsageError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_the_built_in_claim_is_the_first_example() -> None:
    """`auditkit audit` without a claim judges examples/digits-fnn.toml."""
    assert (EXAMPLES / "digits-fnn.toml").read_bytes() == BUILT_IN.read_bytes()


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"sede": 1}, "sede: not a key of a claim; did you mean 'seed'?"),
        (
            {"criteria": {"residual_memroy": 0.1}},
            "criteria.residual_memroy: not a key of a claim; did you mean 'residual_memory'?",
        ),
        (
            {"criteria": {"residual_memory": 0}},
            "criteria.residual_memory: input should be greater than 0, found 0",
        ),
        (
            {"criteria": {"attack_gap": -0.1}},
            "criteria.attack_gap: input should be greater than 0, found -0.1",
        ),
        ({"criteria": {"jitter": [0.1, -1]}}, "criteria.jitter.1: input should be greater than 0, found -1"),
        ({"runs": {"per_arm": 2}}, "runs.per_arm: input should be greater than or equal to 3, found 2"),
        (
            {"training": {"learning_rate": float("nan")}},
            "training.learning_rate: input should be a finite number, found nan",
        ),
        ({"model": {"hidden": [64]}}, "model.hidden: not a key of a claim; known here: name, options"),
        (
            {"training": {"optimiser": "adamm"}},
            "training.optimiser: input should be 'adam', 'adamw' or 'sgd', found 'adamm'",
        ),
        ({"training": {"momentum": 1}}, "training.momentum: input should be less than 1, found 1"),
        (
            {"training": {"schedule": "linear"}},
            "training.schedule: input should be 'constant', 'cosine' or 'step', found 'linear'",
        ),
        ({"training": {"gamma": 0}}, "training.gamma: input should be greater than 0, found 0"),
        (
            {"training": {"augment": ["shift", "rotate"]}},
            "training.augment.1: input should be 'shift' or 'flip', found 'rotate'",
        ),
        ({"seed": -1}, "seed: input should be greater than or equal to 0, found -1"),
    ],
)
def test_a_key_with_a_problem_is_named_with_what_was_found(raw: dict[str, Any], problem: str) -> None:
    """An unknown, misspelt or impossible key is one problem that says where, what and what was
    found."""
    claim, problems = parse_claim(raw)
    assert problems == [problem]
    assert claim == Claim()


@pytest.mark.parametrize("content", ["name = ", "\xff"])
def test_a_file_that_is_no_toml_is_one_clear_error(tmp_path: Path, content: str) -> None:
    """Broken TOML and broken text are errors that name the file."""
    path = tmp_path / "claim.toml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=r"claim\.toml: a claim must be"):
        read_claim(path)
