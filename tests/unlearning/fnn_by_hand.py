"""Forgetting neural networks on small models, and what they do written out."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from auditkit.models.architectures import cnn, mlp
from auditkit.training import Recipe, fit, initialise, run_seed
from auditkit.training.records import Records
from auditkit.unlearning import fnn
from auditkit.unlearning.fnn_gates import gateable, mean_activations
from auditkit.unlearning.fnn_rates import Rates, ranks
from auditkit.unlearning.fnn_steps import wrong_labels

RECIPE = Recipe(epochs=3, batch_size=8, learning_rate=0.01)
SIDE, CLASSES, SEED = 8, 4, 5


def perceptron() -> nn.Module:
    return mlp((SIDE, SIDE), CLASSES, hidden=(10, 8))


def convolutional() -> nn.Module:
    return cnn((SIDE, SIDE), CLASSES)


def model(build: Callable[[], nn.Module] = perceptron, seed: int = 1) -> nn.Module:
    return initialise(build, seed).double().eval()


def records(n: int = 30, seed: int = 2) -> Records:
    x = torch.randn(n, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)).double()
    return Records(x, torch.arange(n) % CLASSES)


RETAIN, FORGET = records(20), records(12, seed=3)


def unlearned(net: nn.Module, *, recipe: Recipe = RECIPE, seed: int = SEED, **options: Any) -> nn.Module:
    """One model after FNN."""
    (found,) = fnn.unlearn([net], RETAIN, FORGET, seeds=[seed], recipe=recipe, **options)
    return found


def faded(net: nn.Module, **options: Any) -> nn.Module:
    """One model after FNN, folded, and nothing repaired."""
    return unlearned(net, repair_epochs=0, **options)


def trained(net: nn.Module, recipe: Recipe, phase: str, turn: int = 0, lesson: Records = RETAIN) -> nn.Module:
    (found,) = fit([net], *lesson, recipe, seeds=[run_seed(SEED, phase, turn)])
    return found


def logits(net: nn.Module) -> np.ndarray[Any, np.dtype[np.float64]]:
    """In the models' own numbers."""
    with torch.no_grad():
        return np.asarray(net.eval()(records(seed=4).x).numpy())


def weights(net: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in net.named_parameters()}


def assert_same(one: nn.Module, other: nn.Module) -> None:
    """To the last bit."""
    expected = weights(other)
    assert weights(one).keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in weights(one).items())


def scaled(net: nn.Module, phi: Mapping[str, Sequence[float]]) -> nn.Module:
    """A copy with row i of weight and bias of the named layers times phi_i."""
    net = copy.deepcopy(net)
    with torch.no_grad():
        for name, factors in phi.items():
            for kind in ("weight", "bias"):
                for row, factor in zip(net.get_submodule(name).get_parameter(kind), factors, strict=True):
                    row.mul_(factor)
    return net


def assert_close(one: nn.Module, other: nn.Module, tolerance: float = 1e-6) -> None:
    """Up to rounding; rates are multiplied in single precision."""
    torch.testing.assert_close(weights(one), weights(other), rtol=tolerance, atol=1e-9)


by_build = pytest.mark.parametrize("build", [perceptron, convolutional])
by_rates = pytest.mark.parametrize("rates", get_args(Rates))


def fade_by_rank(
    net: nn.Module, t: float, activation: Callable[[nn.Module], Mapping[str, torch.Tensor]]
) -> nn.Module:
    phi = {name: np.exp(-t / ranks(mean).numpy()).tolist() for name, mean in activation(net).items()}
    return scaled(net, phi)


def forget_means(net: nn.Module) -> dict[str, torch.Tensor]:
    return mean_activations(net, gateable(net), FORGET.x)


def assert_same_tensors(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def forward(x: torch.Tensor, values: Sequence[torch.Tensor], phi: Sequence[torch.Tensor]) -> torch.Tensor:
    """The perceptron, with h = relu(phi (W h + b)) written out."""
    h = x.flatten(1)
    for layer, factor in enumerate(phi):
        h = factor * (h @ values[2 * layer].T + values[2 * layer + 1])
        h = h.relu() if layer < len(phi) - 1 else h
    return h


def naive_steps(
    net: nn.Module, t: float, unlearning: str, learning_rates: Sequence[float], turn: int = 0
) -> nn.Module:
    """Plain gradient descent, or ascent, through the gates, batch by batch, one epoch for each
    learning rate."""
    net = copy.deepcopy(net)
    values = list(net.parameters())
    tau = [ranks(mean) for mean in forget_means(net).values()]
    for epoch, rate in enumerate(learning_rates):
        seed = run_seed(run_seed(SEED, "unlearning", turn), "epoch", epoch)
        phi = [torch.exp(-t * (epoch + 1) / each) for each in tau]
        labels = wrong_labels(net, FORGET, seed) if unlearning == "random labels" else FORGET.y
        order = np.random.default_rng(seed).permutation(len(labels))
        for start in range(0, len(order), 8):
            batch = order[start : start + 8]
            loss = cross_entropy(forward(FORGET.x[batch], values, phi), labels[batch])
            with torch.no_grad():
                for value, slope in zip(values, torch.autograd.grad(loss, values), strict=True):
                    value.add_(slope, alpha=rate if unlearning == "ascent" else -rate)
    return net
