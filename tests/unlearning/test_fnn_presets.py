import inspect
import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from auditkit.core.errors import UsageError
from auditkit.models.architectures import answer
from auditkit.training import Recipe, initialise
from auditkit.training.records import Records
from auditkit.unlearning import UNLEARNERS, fnn
from auditkit.unlearning.binding import bind_procedure, option_problems
from auditkit.unlearning.fnn_gates import set_time
from tests.unlearning.fnn_by_hand import (
    CLASSES,
    FORGET,
    RECIPE,
    RETAIN,
    SEED,
    assert_same,
    by_build,
    convolutional,
    fade_by_rank,
    faded,
    forget_means,
    logits,
    model,
    naive_steps,
    trained,
    unlearned,
    weights,
)


@by_build
@pytest.mark.parametrize("unlearning", ["gate", "descent"])
def test_gate_on_and_off_differ_by_the_gate_alone(build: Callable[[], nn.Module], unlearning: str) -> None:
    """The published end state and its gate switched off hold the same weights: what the gate hides
    is all there."""
    options: dict[str, Any] = {"turns": 2, "t": 3.0, "fold": "last turn", "repair_epochs": 1, "learn": "all"}
    on, off = (
        unlearned(model(build), **options, unlearning=unlearning, state=state)
        for state in ("gate on", "gate off")
    )
    assert_same(on, off)
    assert not np.allclose(logits(on), logits(off))
    set_time(on, 0)
    np.testing.assert_array_equal(logits(on), logits(off))


def test_switching_off_the_published_gate_brings_the_memory_back() -> None:
    """A model that knows its forget records knows them as well as ever once the gate of "fnn-rank"
    is off, and worse while it is on."""
    recipe = Recipe(epochs=40, batch_size=8, learning_rate=0.01)
    everything = Records(torch.cat([RETAIN.x, FORGET.x]), torch.cat([RETAIN.y, FORGET.y]))
    original = trained(model(), recipe, "original", lesson=everything)

    def loss(net: nn.Module) -> float:
        return cross_entropy(net(FORGET.x), FORGET.y).item()

    published = partial(UNLEARNERS["fnn-rank"].function, [original], RETAIN, FORGET, recipe=recipe)
    [on], [off] = (published(seeds=[SEED], state=state) for state in ("gate on", "gate off"))
    assert loss(off) <= loss(original)
    assert loss(off) < loss(on)


def test_linear_layers_are_the_fully_connected_ones() -> None:
    """layers = "linear" is fc1 and fc2 of the paper's CNN; the convolutions do not fade."""
    options: dict[str, Any] = {"t": 2.0}
    found = faded(model(convolutional), layers="linear", **options)
    assert_same(found, faded(model(convolutional), layers=["fc1", "fc2"], **options))
    for name in ("conv1", "conv2"):
        assert_same(found.get_submodule(name), model(convolutional).get_submodule(name))
    assert not torch.equal(weights(found)["fc1.weight"], weights(model(convolutional))["fc1.weight"])


NO_SUCH_LAYERS = (
    "layers must name layers of the model that can fade (1, 3, 5), found {}; name some of them, or leave it"
    " out and all of them fade"
)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"layers": ["1", "2"]}, NO_SUCH_LAYERS.format("['1', '2']")),
        ({"layers": []}, NO_SUCH_LAYERS.format("[]")),
        (
            {"span": (2.0, 1.0)},
            "span must be (least, most) with 0 < least <= most, found (2.0, 1.0); correct it",
        ),
        (
            {"rates": "fixed", "spacing": "linear"},
            "fixed rates have one constant, tau, found spacing = 'linear'; leave it out",
        ),
        (
            {"rates": "ordered", "by": "contrast"},
            "rates = 'ordered' look at no activation, found by = 'contrast'; leave it out",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], told: str) -> None:
    """Each is refused at the start, with what is wrong and what to do."""
    with pytest.raises(UsageError) as caught:
        unlearned(model(), **options)
    assert str(caught.value) == told


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Several wrong options are several problems of one error."""
    with pytest.raises(UsageError) as caught:
        unlearned(model(), layers=["no"], span=(0.0, 1.0), rates="fixed", spacing="geometric", by="contrast")
    assert len(caught.value.problems) == 4


def test_fresh_needs_layers_that_can_be_drawn() -> None:
    """A layer without reset_parameters is refused by name, but only if something fresh is asked
    for."""

    class Fixed(nn.Linear):
        reset_parameters = None  # type: ignore[assignment]

        def __init__(self) -> None:
            nn.Module.__init__(self)
            self.weight, self.bias = nn.Parameter(torch.ones(CLASSES, 64)), nn.Parameter(torch.ones(CLASSES))

    net = nn.Sequential(nn.Flatten(), Fixed()).double()
    faded(net)
    with pytest.raises(UsageError, match=r"found '1', a Fixed without reset_parameters; give it one"):
        faded(net, fresh=0.5)


PUBLISHED: dict[str, Any] = {
    "turns": 10,
    "clock": "turn",
    "t": 1.0,
    "unlearning": "descent",
    "unlearning_epochs": 2,
    "fold": "last turn",
    "learn": "all",
    "repair_epochs": 1,
    "layers": "linear",
    "spacing": "equidistant",
    "by": "forget",
    "recompute": True,
    "fresh": 0.0,
    "state": "gate on",
}
"""What the public code does, written out."""

VARIANTS: dict[str, dict[str, Any]] = {
    "fnn-ffr": {"rates": "fixed", "tau": 30.0},
    "fnn-ordered": {"rates": "ordered"},
    "fnn-random": {"rates": "random subset"},
    "fnn-rank": {"rates": "rank"},
    "fnn-top": {"rates": "top", "top": 30},
    "fnn-reversed": {"rates": "reversed"},
}


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_presets_are_the_published_protocol(name: str) -> None:
    """Each named variant does what the protocol of the public code does, with its rates, to the
    letter."""
    known = inspect.signature(UNLEARNERS[name].function).parameters
    written = {**PUBLISHED, **VARIANTS[name]}
    assert {option: known[option].default for option in written} == written
    (found,) = UNLEARNERS[name].function([model()], RETAIN, FORGET, seeds=[SEED], recipe=RECIPE)
    expected = unlearned(model(), **PUBLISHED, **VARIANTS[name])
    assert_same(found, expected)
    np.testing.assert_array_equal(logits(found), logits(expected))


def test_a_published_run_ends_right_after_unlearning() -> None:
    """Two turns of the protocol are: unlearn, learn, unlearn, and the gate of the second stays at t
    = 2."""
    recipe = replace(RECIPE, optimiser="sgd", momentum=0.0, learning_rate=0.1)
    everything = Records(torch.cat([RETAIN.x, FORGET.x]), torch.cat([RETAIN.y, FORGET.y]))
    found = unlearned(model(), recipe=recipe, **{**PUBLISHED, "turns": 2}, rates="rank")
    net = naive_steps(model(), 1.0, "descent", [0.1, 0.1])
    net = trained(net, replace(recipe, epochs=1), "repair", lesson=everything)
    before = forget_means(net)
    net = naive_steps(net, 1.0, "descent", [0.1, 0.1], turn=1)
    np.testing.assert_allclose(
        logits(found), logits(fade_by_rank(net, 2.0, lambda _: before)), rtol=1e-5, atol=1e-9
    )


def test_every_preset_is_a_procedure_with_its_states() -> None:
    """Each preset is in the table; its last state is the one it is in if a claim says nothing."""
    for name in ("fnn", *fnn.PRESETS):
        default = inspect.signature(UNLEARNERS[name].function).parameters["state"].default
        assert UNLEARNERS[name].states[-1] == default
        assert sorted(UNLEARNERS[name].states) == sorted(fnn.STATES)


@pytest.mark.parametrize("name", sorted(fnn.PRESETS))
def test_a_claim_may_set_any_option_of_a_preset_otherwise(name: str, tmp_path: Path) -> None:
    """The options of a preset are those of FNN, read as strictly; what a claim sets counts before
    the preset."""
    every: dict[str, Any] = {
        "rates": "rank", "spacing": "geometric", "tau": 3.0, "span": [1.0, 9.0], "top": 2, "by": "contrast",
        "recompute": False, "layers": ["1", "5"], "t": 2.0, "clock": "constant", "unlearning": "ascent",
        "unlearning_epochs": 1, "fold": "every turn", "fresh": 0.5, "learn": "retain", "turns": 2,
        "repair_epochs": 1, "repair_rate": 0.5, "repair_schedule": "cosine", "state": "folded and repaired",
    }  # fmt: skip
    assert option_problems(UNLEARNERS[name], every) == []
    assert option_problems(UNLEARNERS[name], {"layers": "linear"}) == []
    for wrong in ({"layers": "conv"}, {"turns": 0}, {"fresh": 2.0}, {"rates": "best"}, {"speed": 1}):
        assert len(option_problems(UNLEARNERS[name], wrong)) > 0
    (found,) = bind_procedure(name, tmp_path, every, RECIPE)([model()], RETAIN, FORGET, [SEED])
    assert_same(found, unlearned(model(), **every))


@pytest.mark.parametrize("name", sorted(fnn.PRESETS))
def test_presets_can_be_sent_to_a_worker(name: str) -> None:
    """Pickled and back, a preset is the same function with the same options."""
    sent = pickle.loads(pickle.dumps(UNLEARNERS[name])).function
    assert (sent.func, sent.keywords) == (fnn.unlearn, dict(fnn.PRESETS[name]))


def test_answers_are_in_the_models_own_numbers() -> None:
    """Whatever the family does, a float32 model stays one, without a gate where it is folded."""
    net = initialise(convolutional, 1)
    (found,) = fnn.unlearn(
        [net],
        *(Records(part.x.float(), part.y) for part in (RETAIN, FORGET)),
        seeds=[SEED],
        recipe=RECIPE,
        fresh=0.5,
        unlearning="ascent",
        spacing="geometric",
        by="contrast",
    )
    assert {value.dtype for value in found.state_dict().values()} == {torch.float32}
    assert np.isfinite(answer(found, FORGET.x.float())).all()
