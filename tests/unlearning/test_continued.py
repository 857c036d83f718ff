"""The procedures that go on from the trained weights: each is what its paper's formula says."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from auditkit.core.errors import AuditError
from auditkit.models.architectures import answer, mlp
from auditkit.training import Recipe, fit, initialise, run_seed
from auditkit.training.records import Records
from auditkit.unlearning import (
    fine_tune,
    gradient_ascent,
    last_layers,
    neggrad_plus,
    random_labels,
    retrain,
)

RECIPE = Recipe(epochs=4, batch_size=8, learning_rate=0.01)
WHOLE = Recipe(epochs=9, batch_size=100, learning_rate=9.0, optimiser="sgd", momentum=0.0)
"""Plain gradient steps on all records; epochs and rate are to be overruled."""
SEEDS = [1, 2, 3]
CLASSES = 4

Floats = npt.NDArray[np.float64]


def some_records() -> tuple[Records, Records]:
    x = torch.randn(30, 6, generator=torch.Generator().manual_seed(2))
    labels = torch.arange(30) % CLASSES
    return Records(x[:20], labels[:20]), Records(x[20:], labels[20:])


def models() -> list[nn.Module]:
    return [initialise(lambda: mlp((6,), CLASSES, hidden=(10, 8)), seed).eval() for seed in (7, 8, 9)]


def linear() -> nn.Linear:
    found = initialise(lambda: nn.Linear(6, CLASSES), 7).double()
    assert isinstance(found, nn.Linear)
    return found


def doubled(records: Records) -> Records:
    return Records(records.x.double(), records.y)


def weights(model: nn.Module) -> list[torch.Tensor]:
    return [weight.detach() for weight in model.parameters()]


def assert_same(one: nn.Module, other: nn.Module) -> None:
    """The same weights to the last bit."""
    torch.testing.assert_close(weights(one), weights(other), rtol=0, atol=0)


def gradient(w: Floats, records: Records) -> Floats:
    """Of the mean cross-entropy of softmax(w [x, 1]), in closed form: (classes, inputs + 1)."""
    x = np.column_stack([records.x.numpy(), np.ones(len(records.y))])
    p = np.exp(x @ w.T)
    p /= p.sum(axis=1, keepdims=True)
    return np.asarray((p - np.eye(CLASSES)[records.y.numpy()]).T @ x / len(x))


def assert_linear(model: nn.Module, w: Floats) -> None:
    found = torch.column_stack([model.get_parameter("weight"), model.get_parameter("bias")])
    np.testing.assert_allclose(found.detach().numpy(), w, rtol=1e-12, atol=1e-12)


def start() -> Floats:
    model = linear()
    return np.column_stack([model.weight.detach().numpy(), model.bias.detach().numpy()])


def test_fine_tuning_is_more_training_on_retain_alone() -> None:
    """The weights after it are those of so many more epochs on retain, at the rate given, whatever
    is forgotten."""
    retain, forget = some_records()
    unseen = Records(torch.full_like(forget.x, float("nan")), forget.y)
    found = fine_tune.unlearn(
        models(), retain, unseen, seeds=SEEDS, recipe=RECIPE, epochs=2, learning_rate=0.1
    )
    expected = fit(models(), *retain, replace(RECIPE, epochs=2, learning_rate=0.1), seeds=SEEDS)
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other)


def test_gradient_ascent_adds_the_gradient_of_the_forget_records() -> None:
    """On a linear model each step adds rate x the gradient of forget in closed form; retain plays
    no part."""
    retain, forget = (doubled(part) for part in some_records())
    w = start()
    for _ in range(3):
        w = w + 0.5 * gradient(w, forget)
    unseen = Records(torch.full_like(retain.x, float("nan")), retain.y)
    (found,) = gradient_ascent.unlearn(
        [linear()], unseen, forget, seeds=[1], recipe=WHOLE, epochs=3, learning_rate=0.5
    )
    assert_linear(found, w)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_neggrad_plus_weighs_descent_and_ascent(beta: float) -> None:
    """On a linear model each step subtracts rate x (beta x gradient of retain - (1 - beta) x
    gradient of forget)."""
    retain, forget = (doubled(part) for part in some_records())
    w = start()
    for _ in range(3):
        w = w - 0.5 * (beta * gradient(w, retain) - (1 - beta) * gradient(w, forget))
    (found,) = neggrad_plus.unlearn(
        [linear()], retain, forget, seeds=[1], recipe=WHOLE, beta=beta, epochs=3, learning_rate=0.5
    )
    assert_linear(found, w)


def test_forget_batches_come_round_again() -> None:
    """In each round every forget record comes once, and the rounds are in different orders."""
    batches = list(itertools.islice(neggrad_plus._round_and_round(10, 4, seed=1), 6))
    assert [len(batch) for batch in batches] == [4, 4, 2] * 2
    first, second = (torch.cat(batches[k : k + 3]).tolist() for k in (0, 3))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_random_labels_are_wrong_and_each_as_likely() -> None:
    """No record keeps its label, and each of the others is drawn a third of the time: within 5
    standard deviations."""
    y = torch.arange(40_000) % CLASSES
    found = random_labels.relabelled(y, CLASSES, seed=1)
    counts = np.bincount((found - y).remainder(CLASSES).numpy(), minlength=CLASSES)
    assert counts[0] == 0
    assert (abs(counts[1:] - len(y) / 3) < 5 * np.sqrt(len(y) * 2 / 9)).all()


def test_random_labels_is_training_on_with_wrong_labels() -> None:
    """A run's weights are those of training on retain and its own relabelled forget records; runs
    have labels of their own."""
    retain, forget = some_records()
    found = random_labels.unlearn(models(), retain, forget, seeds=SEEDS, recipe=RECIPE, epochs=2)
    drawn = [random_labels.relabelled(forget.y, CLASSES, run_seed(seed, "labels", 0)) for seed in SEEDS]
    assert not torch.equal(drawn[0], drawn[1])
    for one, model, y, seed in zip(found, models(), drawn, SEEDS, strict=True):
        every = torch.cat([retain.x, forget.x]), torch.cat([retain.y, y])
        (other,) = fit([model], *every, replace(RECIPE, epochs=2), seeds=[seed])
        np.testing.assert_allclose(answer(one, forget.x), answer(other, forget.x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("procedure", [last_layers.cf_k, last_layers.eu_k])
@pytest.mark.parametrize("k", [1, 2])
def test_all_but_the_last_layers_stay_to_the_bit(procedure: Callable[..., list[nn.Module]], k: int) -> None:
    """The weights of the first 3 - k layers are the original's, those of the last k all others;
    every weight can be trained again but that which could not be before."""
    given = models()
    for model in given:
        model.get_parameter("1.bias").requires_grad_(False)
    found = procedure(given, *some_records(), seeds=SEEDS, recipe=RECIPE, k=k)
    for one, own in zip(found, given, strict=True):
        same = [torch.equal(a, b) for a, b in zip(weights(one), weights(own), strict=True)]
        assert same == [True] * 2 * (3 - k) + [False] * 2 * k
        assert [w.requires_grad for w in one.parameters()] == [True, False, True, True, True, True]


def test_eu_k_owes_nothing_to_the_layers_it_retrains() -> None:
    """Whatever the last layer was, even no numbers, EU-1 ends with the same weights; CF-1 does
    not."""
    broken = models()
    with torch.no_grad():
        for model in broken:
            model.get_parameter("5.weight").fill_(float("nan"))
    one, two = (
        last_layers.eu_k(given, *some_records(), seeds=SEEDS, recipe=RECIPE) for given in (models(), broken)
    )
    for found, other in zip(one, two, strict=True):
        assert_same(found, other)
    kept = last_layers.cf_k(broken, *some_records(), seeds=SEEDS, recipe=RECIPE)
    assert all(model.get_parameter("5.weight").isnan().all() for model in kept)


def test_with_all_layers_they_are_fine_tuning_and_retraining() -> None:
    """CF-k of all layers is fine-tuning, EU-k of all layers retraining, to the last bit."""
    given: Any = (models(), *some_records())
    options: Any = {"seeds": SEEDS, "recipe": RECIPE}
    pairs = zip(
        last_layers.cf_k(*given, **options, k=3) + last_layers.eu_k(*given, **options, k=3),
        fine_tune.unlearn(*given, **options) + retrain.unlearn(*given, **options),
        strict=True,
    )
    for found, other in pairs:
        assert_same(found, other)


def test_norms_go_with_the_layer_before_them() -> None:
    """Layers are counted by their matrices; a norm is among the last layers if it comes after the
    first of them."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
    assert last_layers.last_layers(model, 1) == [model[4]]
    assert last_layers.last_layers(model, 2) == [model[0], model[1], model[4]]


def test_more_layers_than_there_are_is_refused() -> None:
    """k beyond the number of layers is an error that says how many there are."""
    with pytest.raises(AuditError, match="which is 3, found 4; lower it"):
        last_layers.cf_k(models(), *some_records(), seeds=SEEDS, recipe=RECIPE, k=4)
