"""The user's own procedure, as a claim names it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from auditkit.core.errors import AuditError
from auditkit.models.architectures import mlp
from auditkit.training import Recipe, initialise
from auditkit.training.records import Records
from auditkit.unlearning import UNLEARNERS
from auditkit.unlearning.binding import bind_procedure, model_problems, resolve

RECIPE = Recipe(epochs=2, batch_size=8, learning_rate=0.01)
SEEDS = [2**62 + 1, 5, 6]

OURS = """
import copy
import torch

CALLS = []

def unlearn(model, retain, forget, *, seed, share=0.5):
    CALLS.append((model, retain, forget, seed, share))
    done = copy.deepcopy(model)
    done.drawn = torch.rand(3)
    return done

def with_recipe(model, retain, forget, *, recipe, seed):
    model.recipe = recipe
    return model

def failing(model, retain, forget, *, seed):
    torch.rand(3)
    if seed == 5:
        {failure}
    return model
"""


def models() -> list[nn.Module]:
    return [initialise(lambda: mlp((6,), 3, hidden=(4,)), k) for k in range(3)]


def some() -> tuple[Records, Records]:
    x = torch.randn(12, 6, generator=torch.Generator().manual_seed(0))
    y = torch.arange(12) % 3
    return Records(x[:8], y[:8]), Records(x[8:], y[8:])


@pytest.fixture
def ours(tmp_path: Path) -> Callable[..., Path]:
    """Writes the user's file, and returns the folder where it lies."""

    def written(failure: str = "pass") -> Path:
        (tmp_path / "ours.py").write_text(OURS.replace("{failure}", failure))
        return tmp_path

    return written


def test_own_procedure_is_called_once_a_model(ours: Callable[..., Path]) -> None:
    """Each model goes to the user's function by itself, in turn, with all records, its own seed and
    the options of the claim; what it returns comes back in that order."""
    folder, given, (retain, forget) = ours(), models(), some()
    procedure = bind_procedure("./ours.py:unlearn", folder, {"share": 0.25}, RECIPE)
    found = procedure(given, retain, forget, SEEDS)
    calls = resolve("./ours.py:unlearn", folder).function.__globals__["CALLS"]
    assert len(calls) == len(found) == 3
    for call, model, seed, done in zip(calls, given, SEEDS, found, strict=True):
        assert call[0] is model
        assert call[1:] == (retain, forget, seed, 0.25)
        assert torch.equal(done.get_parameter("1.weight"), model.get_parameter("1.weight"))


def drawn(seed: int) -> torch.Tensor:
    return torch.rand(3, generator=torch.Generator().manual_seed(seed))


def test_own_procedure_draws_from_its_runs_seed(ours: Callable[..., Path]) -> None:
    """Torch's global generator starts at the seed of each run, and is afterwards as it was."""
    procedure = bind_procedure("./ours.py:unlearn", ours(), {}, RECIPE)
    before = torch.get_rng_state()
    found: list[Any] = [*procedure(models(), *some(), SEEDS)]
    assert torch.equal(before, torch.get_rng_state())
    assert [done.drawn.tolist() for done in found] == [drawn(seed).tolist() for seed in SEEDS]


def test_own_procedure_is_given_the_recipe_if_it_asks(ours: Callable[..., Path]) -> None:
    """One that names `recipe` gets that of the claim."""
    procedure = bind_procedure("./ours.py:with_recipe", ours(), {}, RECIPE)
    found: list[Any] = [*procedure(models(), *some(), SEEDS)]
    assert all(done.recipe is RECIPE for done in found)


FAILED = "'./ours.py:failing' failed on the run with seed 5: {}; mend it and run the same command again"
NO_MODEL = (
    "'./ours.py:failing' must return a torch.nn.Module, found {} (run with seed 5); mend it and run the same "
    "command again"
)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ("raise ZeroDivisionError('oh')", FAILED.format("ZeroDivisionError: oh")),
        ("raise SystemExit(1)", FAILED.format("SystemExit: 1")),
        ("return None", NO_MODEL.format("NoneType")),
        ("return model.state_dict()", NO_MODEL.format("OrderedDict")),
    ],
)
def test_own_procedure_that_fails_is_told_with_its_seed(
    ours: Callable[..., Path], failure: str, told: str
) -> None:
    """Whatever it raises, even an exit, and whatever it returns but a model, is one error that
    names the run; torch's generator is as it was."""
    procedure = bind_procedure("./ours.py:failing", ours(failure), {}, RECIPE)
    before = torch.get_rng_state()
    with pytest.raises(AuditError) as caught:
        procedure(models(), *some(), SEEDS)
    assert str(caught.value) == told
    assert caught.value.exit_code == 4
    assert torch.equal(before, torch.get_rng_state())


def test_own_procedure_can_be_interrupted(ours: Callable[..., Path]) -> None:
    """Ctrl-C while it runs is no failure of it."""
    procedure = bind_procedure("./ours.py:failing", ours("raise KeyboardInterrupt"), {}, RECIPE)
    with pytest.raises(KeyboardInterrupt):
        procedure(models(), *some(), SEEDS)


@pytest.mark.parametrize(
    ("name", "options"), [("fnn", {"t": 2.0, "repair_epochs": 1}), ("noop", {}), ("retrain", {})]
)
def test_built_in_procedures_get_all_models_at_once(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    """Bound, a built-in procedure does to a list what it does when it is called with options and
    recipe."""
    recipe = {} if name == "noop" else {"recipe": RECIPE}
    expected = UNLEARNERS[name].function(models(), *some(), seeds=SEEDS, **recipe, **options)
    found = bind_procedure(name, tmp_path, options, RECIPE)(models(), *some(), SEEDS)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)


def test_fnn_options_are_refused_before_anything_is_trained() -> None:
    """Options that contradict each other, or that the model cannot follow, are problems of the
    claim, in presets too."""
    model = models()[0]
    assert model_problems(UNLEARNERS["fnn"], {}, model) == []
    assert model_problems(UNLEARNERS["noop"], {"layers": ["none"]}, model) == []
    found = model_problems(UNLEARNERS["fnn-ffr"], {"spacing": "linear", "by": "contrast"}, model)
    assert len(found) == 2
    assert all(problem.startswith("procedure.options: ") for problem in found)
    [no_ensemble] = model_problems(UNLEARNERS["sisa"], {}, model)
    assert no_ensemble.startswith("the procedure 'sisa' needs an ensemble")
    [unknown] = model_problems(UNLEARNERS["fnn"], {"layers": ["nowhere"]}, model)
    assert "nowhere" in unknown
