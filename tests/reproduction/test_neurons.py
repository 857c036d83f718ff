import numpy as np
import pytest
import torch
from torch import nn

from auditkit.models.architectures import mlp
from auditkit.reproduction.neurons import describe_neurons
from auditkit.training import initialise
from auditkit.training.records import Records
from auditkit.unlearning.fnn_gates import attach, set_time

X = torch.randn(40, 16, generator=torch.Generator().manual_seed(1))
FORGET = Records(X, torch.arange(40) % 3)


def model() -> nn.Module:
    """A perceptron on images of 4 x 4 pixels, the third of whose hidden units is never active."""
    net = initialise(lambda: mlp((16,), 3, hidden=(6,)), 4)
    with torch.no_grad():
        net.get_submodule("1").get_parameter("bias")[2] = -100
    return net


def test_neurons_are_described_as_by_a_loop() -> None:
    """Rank, what is left, mean activation by class and the mean of the most exciting images of
    every unit are those found one record at a time."""
    net = model()
    found = describe_neurons(net, "1", FORGET, t=2.0, shown=30, examples=4)
    layer = net.get_submodule("1")
    weight, bias = (layer.get_parameter(name).detach().numpy() for name in ("weight", "bias"))
    active = [[max(0.0, float(weight[i] @ x + bias[i])) for i in range(6)] for x in X.numpy()]
    means = [sum(record[i] for record in active) / 40 for i in range(6)]
    order = sorted(range(6), key=lambda i: -means[i])
    assert [neuron.unit for neuron in found.shown] == order[:5]
    assert found.silent == 1
    assert found.retention == pytest.approx([np.exp(-2.0 / rank) for rank in range(1, 7)])
    for rank, neuron in enumerate(found.shown, 1):
        own = np.array([record[neuron.unit] for record in active])
        assert neuron.rank == rank
        assert neuron.retention == pytest.approx(np.exp(-2.0 / rank))
        assert neuron.by_class == pytest.approx([own[label::3].mean() for label in range(3)], abs=1e-6)
        image = X.numpy()[np.argsort(-own)[: min(4, (own > 0).sum())]].mean(axis=0).reshape(4, 4)
        scaled = (image - image.min()) / (image.max() - image.min())
        np.testing.assert_allclose(neuron.image, scaled, atol=6e-4)


def test_gates_do_not_hide_what_a_neuron_responds_to() -> None:
    """A gate that is on is switched off first: a gated network is described as the one without."""
    gated = model()
    attach(gated.get_submodule("1"), torch.ones(6))
    set_time(gated, 5)
    assert describe_neurons(gated, "1", FORGET, t=2.0) == describe_neurons(model(), "1", FORGET, t=2.0)


def test_units_are_shown_from_the_first_rank_to_the_last_alive() -> None:
    """Fewer units than there are include the most and the least active one that is not silent."""
    shown = describe_neurons(model(), "1", FORGET, t=1.0, shown=2).shown
    assert [neuron.rank for neuron in shown] == [1, 5]
