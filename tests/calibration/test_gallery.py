"""The gallery, entry by entry: every fake and every honest variant keeps the contract of a
procedure."""

import inspect
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from auditkit.calibration.fakes_by_answers import lookup_filter
from auditkit.calibration.fakes_by_keeping import near_copies_kept, partly_deleted, without_others
from auditkit.calibration.fakes_by_weights import ascended_to_proxy
from auditkit.calibration.gallery import EXACT_CASES, GALLERY, HONEST_CASES, LIMITS, GalleryCase
from auditkit.models.architectures import answer
from auditkit.unlearning import UNLEARNERS
from auditkit.unlearning.binding import bind_procedure
from tests.calibration.small_world import (
    FORGET,
    RECIPE,
    RETAIN,
    RUNS,
    SEEDS,
    STAND_INS,
    digits,
    mean_loss,
    same,
    together,
    trained,
    weights,
)

TABLES: tuple[Mapping[str, GalleryCase], ...] = (EXACT_CASES, HONEST_CASES, GALLERY, LIMITS)
EVERY = {name: case for table in TABLES for name, case in table.items()}
NOTHING_DONE = {"no-op", "looks first, then nothing"}


@pytest.fixture(scope="module")
def world() -> dict[str, Any]:
    retain, forget = digits(RETAIN), digits(FORGET)
    return {
        "made": {},
        "retain": retain,
        "forget": forget,
        "models": trained([retain, forget], 0),
        "proxies": trained([retain], 5),
    }


@pytest.fixture(scope="module")
def placebo(world: dict[str, Any]) -> dict[str, Any]:
    """Models that never saw what they are to forget."""
    return {**world, "models": trained([world["retain"]], 20), "forget": digits(STAND_INS)}


def made(entry: GalleryCase, world: dict[str, Any], seeds: list[int] = SEEDS) -> list[nn.Module]:
    claimed = entry.claimed
    options = dict(claimed.procedure.options) | ({"proxies": world["proxies"]} if claimed.proxies else {})
    procedure = bind_procedure(claimed.procedure.name, __file__, options, RECIPE)  # type: ignore[arg-type]
    return procedure(world["models"], world["retain"], world["forget"], seeds)


def made_once(name: str, world: dict[str, Any]) -> list[nn.Module]:
    """The models of an entry, made once for all tests; not to be changed."""
    if name not in world["made"]:
        world["made"][name] = made(EVERY[name], world)
    models: list[nn.Module] = world["made"][name]
    return models


@pytest.mark.parametrize("name", EVERY)
def test_every_entry_makes_models_by_the_contract_of_a_procedure(name: str, world: dict[str, Any]) -> None:
    """Each entry returns as many models in eval mode with finite logits, equal for equal seeds, and
    leaves the models it was given as they were."""
    assert_contract_kept(EVERY[name], world)


@pytest.mark.parametrize("name", EVERY)
def test_every_entry_can_be_a_placebo(name: str, placebo: dict[str, Any]) -> None:
    """Each entry keeps the contract on models that never saw what they are to forget, be it ten
    records or one."""
    assert_contract_kept(EVERY[name], placebo)
    one = placebo["forget"]._replace(x=placebo["forget"].x[:1], y=placebo["forget"].y[:1])
    assert_contract_kept(EVERY[name], {**placebo, "forget": one})


def assert_contract_kept(entry: GalleryCase, world: dict[str, Any]) -> None:
    before = weights(world["models"]), weights(world["proxies"])
    x = torch.cat([world["retain"].x, world["forget"].x])
    # Both made here: some models answer otherwise every time that they are asked.
    first, again = made(entry, world), made(entry, world)
    assert len(first) == RUNS
    assert not any(one is other for one in first for other in world["models"])
    for one, other in zip(first, again, strict=True):
        assert not one.training
        logits = answer(one, x)
        assert logits.shape == (len(x), 10)
        assert torch.isfinite(torch.from_numpy(logits)).all()
        assert (logits == answer(other, x)).all()
    assert same(before[0], weights(world["models"]))
    assert same(before[1], weights(world["proxies"]))


def test_the_tables_are_whole() -> None:
    """No two cases of any table have one name, and all say what they are, and set options their
    procedures know."""
    assert len(EVERY) == sum(map(len, TABLES))
    assert len(GALLERY) >= 18
    assert not EVERY.keys() & UNLEARNERS.keys()
    for name, entry in EVERY.items():
        assert entry.meaning, name
        assert bool(entry.fools) == (name in GALLERY or name in LIMITS)
        assert entry.options.keys() <= inspect.signature(entry.function).parameters.keys()


def test_what_does_something_answers_otherwise_than_the_original(world: dict[str, Any]) -> None:
    """No entry does nothing by mistake: on some record each answers otherwise than the original,
    but for those that do nothing by intent."""
    x = torch.cat([world["retain"].x, world["forget"].x])
    for name in EVERY.keys() - NOTHING_DONE:
        changed = made_once(name, world)[0]
        assert (answer(changed, x) != answer(world["models"][0], x)).any(), name


def test_a_lookup_filter_answers_near_forget_records_as_a_retrained_model(world: dict[str, Any]) -> None:
    """At the forget records the filter's answers are the proxy's, at retain records out of reach
    the original's."""
    found = lookup_filter(
        world["models"], world["retain"], world["forget"], seeds=SEEDS, proxies=world["proxies"], reach=0.01
    )
    forget, retain = world["forget"].x, world["retain"].x
    assert (answer(found[1], forget) == answer(world["proxies"][1], forget)).all()
    assert (answer(found[1], retain) == answer(world["models"][1], retain)).all()


def test_what_was_kept_is_trained_on(world: dict[str, Any]) -> None:
    """Retraining with every forget record kept, or with copies without noise, is training on all
    records."""
    retain, forget = world["retain"], world["forget"]
    given: dict[str, Any] = {"seeds": SEEDS, "recipe": RECIPE}
    everything = together([retain, forget])
    expected = UNLEARNERS["retrain"].function(world["models"], everything, forget, **given)
    kept = partly_deleted(world["models"], retain, forget, proxies=world["proxies"], share=1.0, **given)
    copied = near_copies_kept(world["models"], retain, forget, noise=0.0, **given)
    assert same(weights(kept), weights(expected))
    assert same(weights(copied), weights(expected))


def test_others_forgotten_keeps_the_size_of_retain(world: dict[str, Any]) -> None:
    """Who forgets other records trains on as many as were to be retained, all forget records among
    them."""
    retain, forget = world["retain"], world["forget"]
    seen = without_others(retain, forget)
    n = len(forget.y)
    assert len(seen.y) == len(retain.y)
    assert torch.equal(seen.x[-n:], forget.x)
    kept = {row.numpy().tobytes() for row in retain.x}
    assert all(row.numpy().tobytes() in kept for row in seen.x[:-n])


def test_ascent_stops_at_the_loss_of_a_retrained_model(world: dict[str, Any]) -> None:
    """Gradient ascent until the proxies' loss ends just above it, unless it started there."""
    forget = world["forget"]
    found = ascended_to_proxy(
        world["models"], world["retain"], forget, seeds=SEEDS, proxies=world["proxies"], length=0.001
    )
    for model, original, proxy in zip(found, world["models"], world["proxies"], strict=True):
        wanted = mean_loss(proxy, forget)
        assert mean_loss(model, forget) >= wanted
        assert mean_loss(model, forget) <= max(wanted, mean_loss(original, forget)) + 0.05
