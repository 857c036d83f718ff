import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from auditkit.probes.copies import plain_copy
from auditkit.training import initialise, run_seed
from auditkit.training.records import Records
from auditkit.unlearning.fnn_gates import gateable
from auditkit.unlearning.fnn_rates import ranks
from auditkit.unlearning.fnn_steps import wrong_labels
from tests.unlearning.fnn_by_hand import (
    CLASSES,
    FORGET,
    RECIPE,
    RETAIN,
    SEED,
    assert_close,
    assert_same,
    assert_same_tensors,
    fade_by_rank,
    faded,
    forget_means,
    logits,
    model,
    naive_steps,
    records,
    trained,
    unlearned,
    weights,
)


def redrawn(name: str) -> dict[str, torch.Tensor]:
    """Weight and bias of a fresh draw, in the order of the model's layers under the seed of the
    run's first turn."""
    fresh = model()

    def draw() -> nn.Module:
        for each in gateable(fresh):
            layer = fresh.get_submodule(each)
            assert isinstance(layer, nn.Linear)
            layer.reset_parameters()
        return fresh

    return weights(initialise(draw, run_seed(SEED, "fresh", 0)).get_submodule(name))


def test_what_has_faded_for_good_is_drawn_anew() -> None:
    """With fresh = 1 and endless time, every row is that of a layer that has never been trained."""
    found = faded(model(), t=1e6, fresh=1.0)
    for name in gateable(model()):
        assert_same_tensors(weights(found.get_submodule(name)), redrawn(name))


@pytest.mark.parametrize("epochs", [1, 2])
@pytest.mark.parametrize("fresh", [0.0, 0.3, 1.0])
def test_fresh_mixes_a_new_draw_into_what_has_faded(fresh: float, epochs: int) -> None:
    """Row i of weight and bias becomes phi_i w_i + fresh (1 - phi_i) w_new,i, and the units that do
    not fade stay."""
    found = faded(model(), t=2.0 / epochs, unlearning_epochs=epochs, fresh=fresh)
    for name, mean in forget_means(model()).items():
        old, new = weights(model().get_submodule(name)), redrawn(name)
        got = weights(found.get_submodule(name))
        for unit, rank in enumerate(ranks(mean).tolist()):
            phi = math.exp(-2.0 / rank)
            for kind in ("weight", "bias"):
                expected = phi * old[kind][unit] + fresh * (1 - phi) * new[kind][unit]
                torch.testing.assert_close(got[kind][unit], expected, rtol=1e-6, atol=1e-9)
    one_layer = faded(model(), t=2.0, fresh=fresh, layers=["1"])
    assert_same(one_layer.get_submodule("3"), model().get_submodule("3"))
    assert_same(faded(model(), t=0.0, fresh=fresh), model())


@pytest.mark.parametrize("unlearning", ["descent", "ascent", "random labels"])
def test_steps_are_taken_through_the_gate(unlearning: str) -> None:
    """Two epochs of descent, ascent or descent on wrong labels, at t and 2 t, are those of a loop
    that writes the gates and the steps out: the weights under the gate are its, and folded they
    have faded by the last phi."""
    recipe = replace(RECIPE, optimiser="sgd", momentum=0.0, learning_rate=0.5)
    options: dict[str, Any] = {"t": 1.0, "unlearning": unlearning, "unlearning_epochs": 2, "recipe": recipe}
    by_hand = naive_steps(model(), 1.0, unlearning, [0.5, 0.5])
    under = plain_copy(unlearned(model(), state="gate off", **options))
    assert_close(under, by_hand)
    assert not np.allclose(logits(under), logits(model()), atol=1e-3)
    assert_close(
        faded(model(), **options),
        fade_by_rank(by_hand, 2.0, lambda _: forget_means(model())),
    )


@pytest.mark.parametrize(
    ("schedule", "learning_rates"),
    [("constant", [0.5, 0.5]), ("cosine", [0.5, 0.25]), ("step", [0.5, 0.05])],
)
def test_unlearning_follows_the_schedule_of_the_recipe(schedule: str, learning_rates: list[float]) -> None:
    """Epochs of unlearning are taken at the rates that the recipe has for so many epochs."""
    recipe = replace(RECIPE, optimiser="sgd", momentum=0.0, learning_rate=0.5, schedule=schedule, gamma=0.1)
    options: dict[str, Any] = {"unlearning": "descent", "unlearning_epochs": 2, "recipe": recipe, "t": 1.0}
    under = plain_copy(unlearned(model(), **options, state="gate off"))
    assert_close(under, naive_steps(model(), 1.0, "descent", learning_rates))


def test_ascent_raises_the_loss_that_descent_lowers() -> None:
    """On the forget records, seen through the gate, after the same number of steps."""

    def loss(unlearning: str) -> float:
        on = unlearned(model(), unlearning=unlearning, unlearning_epochs=3, t=0.1, state="gate on")
        return cross_entropy(on(FORGET.x), FORGET.y).item()

    # The gate of three epochs is the same, whatever is done through it.
    assert loss("descent") < loss("gate") < loss("ascent")
    assert loss("gate") < loss("random labels")


def test_layers_that_are_not_trained_fade_and_are_not_trained() -> None:
    """A frozen layer is left alone by the steps and stays frozen, but fades as all others do."""
    net = model()
    net.get_submodule("1").requires_grad_(False)
    found = unlearned(net, t=2.0, unlearning="descent")
    assert_same(found.get_submodule("1"), faded(model(), t=2.0).get_submodule("1"))
    trainable = {name: weight.requires_grad for name, weight in found.named_parameters()}
    assert trainable == {name: weight.requires_grad for name, weight in net.named_parameters()}
    assert not torch.equal(weights(found)["3.weight"], weights(faded(model(), t=2.0))["3.weight"])


def test_random_labels_are_wrong_and_otherwise_by_chance() -> None:
    """No record is given its own label; each other class is as likely, and the draw is the
    seed's."""
    many = records(3000)
    labels = wrong_labels(model(), many, seed=1)
    assert (labels != many.y).all()
    shifts = torch.bincount((labels - many.y) % CLASSES, minlength=CLASSES) / len(many.y)
    assert shifts.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3], abs=4 * math.sqrt(2 / 9 / 3000))
    assert torch.equal(labels, wrong_labels(model(), many, seed=1))
    assert not torch.equal(labels, wrong_labels(model(), many, seed=2))


@pytest.mark.parametrize(
    ("options", "learnt"),
    [
        ({"repair_rate": 0.5}, {"learning_rate": 0.005}),
        ({"repair_schedule": "cosine"}, {"schedule": "cosine"}),
        ({"repair_schedule": "constant"}, {"schedule": "constant"}),
        ({}, {}),
    ],
)
def test_repair_is_the_recipe_at_its_own_rate(options: dict[str, Any], learnt: dict[str, Any]) -> None:
    """Repair is training on what is left by the recipe, its learning rate times repair_rate, by
    repair_schedule."""
    recipe = replace(RECIPE, schedule="step", gamma=0.5)
    found = unlearned(model(), t=2.0, repair_epochs=4, recipe=recipe, **options)
    expected = trained(faded(model(), t=2.0), replace(recipe, epochs=4, **learnt), "repair")
    assert_same(found, expected)


def test_learning_on_all_sees_the_forget_records_too() -> None:
    """With learn = "all" a repair is training on retain and forget records, as in the public
    code."""
    everything = Records(torch.cat([RETAIN.x, FORGET.x]), torch.cat([RETAIN.y, FORGET.y]))
    found = unlearned(model(), t=2.0, repair_epochs=2, learn="all")
    expected = trained(faded(model(), t=2.0), replace(RECIPE, epochs=2), "repair", lesson=everything)
    assert_same(found, expected)


def test_without_folding_gates_alone_leave_no_trace_on_what_is_learnt() -> None:
    """If only the last turn is folded, the turns before it are plain learning, as their gate is
    switched off."""
    net = model()
    for turn in range(2):
        net = trained(net, replace(RECIPE, epochs=1), "repair", turn)
    learnt = copy.deepcopy(net)
    expected = trained(faded(net, t=2.0), replace(RECIPE, epochs=1), "repair", 2)
    options: dict[str, Any] = {"t": 2.0, "turns": 3, "repair_epochs": 1, "fold": "last turn"}
    assert_same(unlearned(model(), **options), expected)
    assert_same(plain_copy(unlearned(model(), **options, state="gate off")), learnt)
