import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from auditkit.models.architectures import answer, mlp
from auditkit.training import initialise
from auditkit.unlearning.fnn_gates import (
    attach,
    fold,
    gateable,
    mean_activations,
    retention,
    set_time,
)
from auditkit.unlearning.fnn_rates import ranks


def model() -> nn.Module:
    return initialise(lambda: mlp((6,), 4, hidden=(10, 8)), 1).eval()


def convolutional() -> nn.Module:
    layers = (nn.Conv2d(1, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 16, 4))
    return initialise(lambda: nn.Sequential(*copy.deepcopy(layers)), 1).eval()


def x(n: int = 30, shape: tuple[int, ...] = (6,)) -> torch.Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(2))


def gated(net: nn.Module, seed: int = 3) -> nn.Module:
    """The network with random time constants on every unit."""
    g = torch.Generator().manual_seed(seed)
    for name in gateable(net):
        layer = net.get_submodule(name)
        attach(layer, 1 + 20 * torch.rand(layer.get_parameter("weight").shape[0], generator=g))
    return net


@pytest.mark.parametrize(
    ("t", "tau", "expected"),
    [(0, 0, 1), (0, 5, 1), (3, 0, 0), (3, float("inf"), 1), (5, 5, np.exp(-1)), (1, 10, np.exp(-0.1))],
)
def test_retention_follows_the_ebbinghaus_curve(t: float, tau: float, expected: float) -> None:
    """phi(t; tau) = exp(-t/tau), with phi(0; 0) = 1, phi(t; 0) = 0 and phi(t; inf) = 1."""
    assert retention(t, torch.tensor([float(tau)])).item() == pytest.approx(expected)


def test_time_does_not_run_backwards() -> None:
    """A negative time is refused."""
    with pytest.raises(ValueError, match="t must be >= 0"):
        retention(-1, torch.ones(1))


@pytest.mark.parametrize(("net", "shape"), [(model, (6,)), (convolutional, (1, 6, 6))])
def test_a_gate_at_time_zero_is_the_identity(net: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    """Switched off, the gates change no answer at all."""
    plain = net()
    np.testing.assert_array_equal(
        answer(gated(copy.deepcopy(plain)), x(shape=shape)), answer(plain, x(shape=shape))
    )


@pytest.mark.parametrize(("net", "shape"), [(model, (6,)), (convolutional, (1, 6, 6))])
def test_folding_changes_no_answer_and_leaves_an_ordinary_model(
    net: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    """fold(gated model) computes exactly what the gates computed, with the parameters of the
    original."""
    plain = net()
    on = gated(copy.deepcopy(plain))
    set_time(on, 4.0)
    before = answer(on, x(shape=shape))
    folded = fold(on)
    np.testing.assert_array_equal(answer(folded, x(shape=shape)), before)
    assert set(folded.state_dict()) == set(plain.state_dict())
    assert not np.allclose(before, answer(plain, x(shape=shape)))


def test_the_gate_attenuates_activations() -> None:
    """Unit i computes sigma(phi(t; tau_i) (w_i . x + b_i)) (equation E2), written out by hand."""
    net = model()
    tau = torch.arange(1.0, 11.0)
    first, second, last = (net.get_submodule(name) for name in gateable(net))
    hidden = torch.relu(torch.exp(-3.0 / tau) * first(x()))
    expected = last(torch.relu(second(hidden))).detach().numpy()
    attach(first, tau)
    set_time(net, 3.0)
    np.testing.assert_allclose(answer(net, x()), expected, rtol=1e-5, atol=1e-6)


def test_infinite_time_constants_forget_nothing() -> None:
    """tau -> infinity is the identity at any time."""
    net = model()
    before = answer(net, x())
    for name in gateable(net):
        layer = net.get_submodule(name)
        attach(layer, torch.full((layer.get_parameter("weight").shape[0],), float("inf")))
    set_time(net, 1e6)
    np.testing.assert_array_equal(answer(net, x()), before)


def test_a_uniform_gate_on_the_logits_is_a_temperature() -> None:
    """It scales all logits by exp(-t/tau): no prediction changes, every confidence does."""
    net = model()
    before = answer(net, x())
    attach(net.get_submodule(gateable(net)[-1]), torch.full((4,), 5.0))
    set_time(net, 2.0)
    after = answer(net, x())
    np.testing.assert_allclose(after, before * np.exp(-0.4), rtol=1e-5)
    np.testing.assert_array_equal(after.argmax(1), before.argmax(1))


def test_ranks_put_the_most_active_unit_first() -> None:
    """The published ranking of [.1, .9, .5, -2] is [2, 0, 1, 3], here counted from 1."""
    assert ranks(torch.tensor([0.1, 0.9, 0.5, -2.0])).tolist() == [3, 1, 2, 4]


def test_equal_activations_are_ranked_in_the_order_of_the_units() -> None:
    """Ranks are a permutation even where activations tie."""
    assert ranks(torch.zeros(5)).tolist() == [1, 2, 3, 4, 5]


def test_activations_are_read_after_the_relu_and_logits_as_they_are() -> None:
    """mean_activations equals the means computed layer by layer by hand."""
    net = model()
    first, second, last = (net.get_submodule(name) for name in gateable(net))
    hidden = torch.relu(first(x()))
    deeper = torch.relu(second(hidden))
    means = mean_activations(net, gateable(net), x())
    for name, expected in zip(gateable(net), (hidden, deeper, last(deeper)), strict=True):
        torch.testing.assert_close(means[name], expected.mean(0).detach())


def test_convolutions_fade_channel_by_channel() -> None:
    """The activation of a convolution is the mean over records and positions of each channel."""
    net, images = convolutional(), x(shape=(1, 6, 6))
    channels = torch.relu(net.get_submodule("0")(images)).mean(dim=(0, 2, 3)).detach()
    torch.testing.assert_close(mean_activations(net, ["0"], images)["0"], channels)


def test_time_constants_must_fit_the_layer() -> None:
    """A tau of the wrong length is refused with both lengths."""
    with pytest.raises(ValueError, match=r"each of 10 units, got \(3,\)"):
        attach(model().get_submodule("1"), torch.ones(3))
