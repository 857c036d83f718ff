"""The contract of UNLEARNERS: an entry is all that anyone needs to know of a procedure."""

import inspect
import pickle
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
from torch import nn

from auditkit.claims.claim import Claim
from auditkit.data import Dataset, load
from auditkit.models.architectures import mlp
from auditkit.study.checks import claim_problems
from auditkit.study.model_checks import fit_problems
from auditkit.training import Recipe, initialise
from auditkit.unlearning import UNLEARNERS, Procedure, sisa
from auditkit.unlearning.binding import (
    GIVEN,
    bind_procedure,
    model_problems,
    option_problems,
    resolve,
    states_of,
    wants_recipe,
)

by_name = pytest.mark.parametrize("name", sorted(UNLEARNERS))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """Loaded once."""
    return load("digits")


def parameters(name: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(UNLEARNERS[name].function, eval_str=True).parameters)


@by_name
def test_an_entry_is_called_as_the_audit_calls_it(name: str, tmp_path: Path) -> None:
    """Every function takes models, retain and forget, then seeds by keyword, the recipe if it
    names it, and options that all have a default and can be read from a claim."""
    known = parameters(name)
    assert list(known)[:3] == ["models", "retain", "forget"]
    keywords = {key: p for key, p in known.items() if key not in ("models", "retain", "forget")}
    assert "seeds" in keywords
    assert all(p.kind is p.KEYWORD_ONLY for p in keywords.values())
    assert all(p.default is not p.empty for key, p in keywords.items() if key not in GIVEN)
    assert option_problems(UNLEARNERS[name], {}) == []
    assert option_problems(UNLEARNERS[name], {"no such option": 1}) != []
    assert wants_recipe(UNLEARNERS[name]) == ("recipe" in known)
    assert callable(bind_procedure(name, tmp_path, {}, Recipe(1, 1, 0.1)))


@by_name
def test_an_entry_says_its_states_and_no_others(name: str) -> None:
    """A procedure has states if and only if it has the option `state`, which takes exactly these,
    and the last by default; a study and a report read them here."""
    option = parameters(name).get("state")
    assert states_of(name) == UNLEARNERS[name].states
    assert bool(states_of(name)) == (option is not None)
    if option is not None:
        assert sorted(get_args(option.annotation)) == sorted(states_of(name))
        assert option.default == states_of(name)[-1]


@by_name
def test_an_entry_is_what_a_claim_and_a_worker_get_by_its_name(name: str, tmp_path: Path) -> None:
    """A claim's name is resolved to the entry itself, a claim that gives no more passes its checks,
    and the entry can be sent to a worker."""
    assert resolve(name, tmp_path) is UNLEARNERS[name]
    assert claim_problems(Claim.model_validate({"procedure": {"name": name}}), tmp_path) == []
    sent = pickle.loads(pickle.dumps(UNLEARNERS[name]))
    assert (sent.states, sent.problems.__class__) == (
        UNLEARNERS[name].states,
        UNLEARNERS[name].problems.__class__,
    )


@by_name
def test_an_entry_lets_the_model_through_that_it_is_made_for(name: str) -> None:
    """With its own defaults no procedure refuses a model that it can unlearn."""
    build = partial(mlp, (6,), 4)
    suited = partial(sisa.Ensemble, build, Recipe(1, 8, 0.01), 2) if name == "sisa" else build
    assert model_problems(UNLEARNERS[name], {}, initialise(suited, 1)) == []


@by_name
def test_what_an_entry_refuses_is_refused_before_training(
    name: str, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of a claim asks the entry, whichever it is, about the model as it is built, with
    every option as set or by default; and tells what it says."""

    def problems(model: nn.Module, options: Mapping[str, Any]) -> list[str]:
        defaults = {key: p.default for key, p in parameters(name).items()}
        assert {key: options[key] for key in defaults} == defaults
        return [f"{type(model).__name__} must be larger, found small; enlarge it"]

    claim = Claim.model_validate({"procedure": {"name": name}})
    monkeypatch.setitem(UNLEARNERS, name, replace(UNLEARNERS[name], problems=problems))
    assert fit_problems(claim, digits, tmp_path) == ["Sequential must be larger, found small; enlarge it"]


@by_name
def test_an_entry_says_where_it_is_from(name: str) -> None:
    """The file of every procedure names its paper, but for the two that have none; its function
    says what it returns."""
    function = UNLEARNERS[name].function
    function = function.func if isinstance(function, partial) else function
    source = str(sys.modules[function.__module__].__doc__)
    assert "arXiv" in source or name in {"noop", "retrain"}
    assert str(function.__doc__).strip()


def test_your_own_procedure_is_an_entry_like_any_other(tmp_path: Path) -> None:
    """A user's function is resolved to an entry without states, which refuses no model."""
    (tmp_path / "ours.py").write_text("def unlearn(model, retain, forget, *, seed):\n    return model\n")
    entry = resolve("./ours.py:unlearn", tmp_path)
    assert isinstance(entry, Procedure)
    assert entry.states == states_of("./ours.py:unlearn") == ()
    assert model_problems(entry, {}, mlp((6,), 4)) == []
