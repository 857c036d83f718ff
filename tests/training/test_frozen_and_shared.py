from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from auditkit.training import fit
from tests.training.textbook import (
    MEMBERS,
    OPTIMISERS,
    PIXELS,
    RECIPE,
    SEEDS,
    assert_close_weights,
    assert_equal_weights,
    convolutional,
    normalising,
    perceptron,
    records,
    residual,
    started,
    tied,
    train_alone,
    wrapped,
)


def frozen(build: Callable[[], nn.Module], layer: str) -> Callable[[], nn.Module]:
    def built() -> nn.Module:
        model = build()
        model.get_submodule(layer).requires_grad_(False)
        return model

    return built


@pytest.mark.parametrize(
    ("build", "layer"), [(perceptron, "1"), (wrapped, "net.3"), (convolutional, "1"), (residual, "stages.0")]
)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("n", [1, 3])
def test_frozen_weights_stay(build: Callable[[], nn.Module], layer: str, optimiser: str, n: int) -> None:
    """What is frozen stays as it was, weight decay or not; the rest learns what the plain loop
    says."""
    x, y = records()
    built = frozen(build, layer)
    models, starts = started(built, SEEDS[:n]), started(built, SEEDS[:n])
    fit(models, x, y, OPTIMISERS[optimiser], seeds=SEEDS[:n], members=MEMBERS[:n])
    for model, start, seed, own in zip(models, starts, SEEDS, MEMBERS, strict=False):
        assert_equal_weights(model.get_submodule(layer), start.get_submodule(layer))
        assert not any(weight.requires_grad for weight in model.get_submodule(layer).parameters())
        assert_close_weights(model, train_alone(start, x, y, OPTIMISERS[optimiser], seed, own))


@pytest.mark.parametrize("n", [1, 2])
def test_a_model_that_is_all_frozen_stays(n: int) -> None:
    """There is nothing to train, and that is no error."""
    x, y = records()
    models, before = started(perceptron, SEEDS[:n]), started(perceptron, SEEDS[:n])
    for model in models:
        model.requires_grad_(False)
    for model, start in zip(fit(models, x, y, RECIPE, seeds=SEEDS[:n]), before, strict=True):
        assert_equal_weights(model, start)


def again_and_again() -> nn.Module:
    """A perceptron that passes one layer twice."""
    layer, relu = nn.Linear(PIXELS, PIXELS), nn.ReLU()
    return nn.Sequential(layer, relu, nn.Linear(PIXELS, PIXELS), relu, layer)


def one_relu() -> nn.Module:
    """A perceptron whose units are all one module, and whose answers pass it too."""
    relu = nn.ReLU()
    return nn.Sequential(nn.Linear(PIXELS, 8), relu, nn.Linear(8, 3), relu)


@pytest.mark.parametrize("build", [tied, again_and_again, one_relu])
def test_layers_that_share_weights_are_trained_as_one(build: Callable[[], nn.Module]) -> None:
    """A weight in two places learns from both, in a stack as in the plain loop."""
    x, y = records()
    models = fit(started(build, SEEDS), x, y, RECIPE, seeds=SEEDS)
    for model, start, seed in zip(models, started(build, SEEDS), SEEDS, strict=True):
        assert_close_weights(model, train_alone(start, x, y, RECIPE, seed, np.arange(len(x))))


def test_batch_norm_trained_alone_keeps_its_running_statistics() -> None:
    """One model with batch norm has the weights and the running statistics of the plain loop."""
    x, y = records()
    (model,) = fit(started(normalising, [3]), x, y, RECIPE, seeds=[7])
    alone = train_alone(started(normalising, [3])[0], x, y, RECIPE, 7, np.arange(len(x)))
    assert_close_weights(model, alone)
    assert model.get_buffer("1.num_batches_tracked") == 2 * 4
    assert not torch.equal(model.get_buffer("1.running_mean"), torch.zeros(8, dtype=x.dtype))
