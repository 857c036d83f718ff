import itertools
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from auditkit.models.architectures import mlp
from auditkit.training.mlp_gradient import Layer, linear_layers, write_gradients

RUNS, BATCH, CLASSES = 3, 7, 4
WIDTHS = [(5, CLASSES), (5, 6, CLASSES), (5, 6, 8, CLASSES), (5, 6, 8, 3, CLASSES)]
by_widths = pytest.mark.parametrize("widths", WIDTHS)


def random_layers(widths: Sequence[int], *, transposed: bool = False) -> list[Layer]:
    """Weights and biases of a stack, in double precision; transposed, with the units last in
    memory."""
    rng = np.random.default_rng(1)
    layers = []
    for inputs, units in itertools.pairwise(widths):
        weight = torch.from_numpy(rng.normal(size=(RUNS, inputs, units))).mT
        bias = torch.from_numpy(rng.normal(size=(RUNS, units)))
        laid_out = weight if transposed else weight.contiguous()
        layers.append((laid_out.requires_grad_(), bias.requires_grad_()))
    return layers


def random_batch(batch: int = BATCH) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(batch)
    x, y = rng.normal(size=(RUNS, batch, WIDTHS[0][0])), rng.integers(0, CLASSES, (RUNS, batch))
    return torch.from_numpy(x), torch.from_numpy(y)


def gradients_of_one(layers: Sequence[Layer], x: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
    """By automatic differentiation of one run's mean cross-entropy."""
    for i, (weight, bias) in enumerate(layers):
        x = nn.functional.linear(x if i == 0 else x.relu(), weight, bias)
    flat = [tensor for layer in layers for tensor in layer]
    return list(torch.autograd.grad(nn.functional.cross_entropy(x, y), flat))


def assert_gradients(layers: Sequence[Layer], x: torch.Tensor, y: torch.Tensor) -> None:
    """What is in `.grad` is what torch derives for each run by itself."""
    for k in range(RUNS):
        expected = gradients_of_one([(weight[k], bias[k]) for weight, bias in layers], x[k], y[k])
        found = [tensor.grad for layer in layers for tensor in layer]
        torch.testing.assert_close([grad[k] for grad in found if grad is not None], expected)


@by_widths
@pytest.mark.parametrize("transposed", [False, True])
def test_the_gradient_is_what_torch_derives(widths: Sequence[int], transposed: bool) -> None:
    """Back-propagation written out equals automatic differentiation of each run by itself, and each
    gradient lies in memory as its weight does."""
    layers, (x, y) = random_layers(widths, transposed=transposed), random_batch()
    before = x.clone(), y.clone(), [tensor.detach().clone() for layer in layers for tensor in layer]
    write_gradients(layers, x, y)
    assert_gradients(layers, x, y)
    for weight, bias in layers:
        assert weight.grad is not None
        assert bias.grad is not None
        assert weight.grad.stride() == weight.stride()
        assert bias.grad.stride() == bias.stride()
    torch.testing.assert_close(
        (x, y, [t.detach() for layer in layers for t in layer]), before, rtol=0, atol=0
    )


@by_widths
def test_a_gradient_takes_the_place_of_the_last(widths: Sequence[int]) -> None:
    """A second batch, of another size, leaves its own gradient where the first left its."""
    layers = random_layers(widths)
    write_gradients(layers, *random_batch())
    places = [t.grad.data_ptr() for layer in layers for t in layer if t.grad is not None]
    x, y = random_batch(4)
    write_gradients(layers, x, y)
    assert_gradients(layers, x, y)
    assert [t.grad.data_ptr() for layer in layers for t in layer if t.grad is not None] == places


def test_a_sure_and_right_answer_has_no_gradient() -> None:
    """Logits that leave no doubt give zero where they are right, and inputs over the batch where
    they are wrong: (softmax - one-hot)^T x / n."""
    weight, bias = torch.zeros(1, 2, 3).requires_grad_(), torch.tensor([[1e4, -1e4]]).requires_grad_()
    x = torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    write_gradients([(weight, bias)], x, torch.tensor([[0, 1]]))
    assert weight.grad is not None
    assert weight.grad.tolist() == [[[2.0, 2.5, 3.0], [-2.0, -2.5, -3.0]]]
    assert bias.grad is not None
    assert bias.grad.tolist() == [[0.5, -0.5]]


def hidden(*between: nn.Module, **options: bool) -> list[nn.Module]:
    """Two linear layers with something between them, for records of six numbers."""
    return [nn.Linear(6, 5, **options), *between, nn.Linear(5, 3)]


def test_which_layers_a_perceptron_has() -> None:
    """The names of its linear layers, first to last, whether it flattens its records or need not,
    and whatever its layers are called."""
    named = nn.Sequential(
        OrderedDict(a=nn.Linear(6, 5), b=nn.ReLU(), z=nn.Linear(5, 4), c=nn.ReLU(), d=nn.Linear(4, 3))
    )
    assert linear_layers(named, (6,)) == ["a", "z", "d"]
    assert linear_layers(nn.Sequential(*hidden(nn.ReLU())), (6,)) == ["0", "2"]
    assert linear_layers(nn.Sequential(*hidden(nn.ReLU(inplace=True))), (6,)) == ["0", "2"]
    assert linear_layers(nn.Sequential(nn.Linear(6, 3)), (6,)) == ["0"]
    for shape in [(6,), (2, 3), (1, 2, 3)]:
        assert linear_layers(mlp(shape, 3, hidden=(5, 4)), shape) == ["1", "3", "5"]


class Louder(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(2 * x)


class Special(nn.Sequential):
    """It might have a forward of its own."""


def frozen() -> nn.Module:
    model = nn.Sequential(*hidden(nn.ReLU()))
    model[0].requires_grad_(False)
    return model


def frozen_bias() -> nn.Module:
    model = nn.Sequential(*hidden(nn.ReLU()))
    model.get_parameter("2.bias").requires_grad_(False)
    return model


def passed_twice() -> nn.Module:
    layer, relu = nn.Linear(6, 6), nn.ReLU()
    return nn.Sequential(layer, relu, nn.Linear(6, 6), relu, layer)


def tied() -> nn.Module:
    first, last = nn.Linear(6, 6), nn.Linear(6, 6)
    last.weight = first.weight
    return nn.Sequential(first, nn.ReLU(), last)


def relu_again() -> nn.Module:
    relu = nn.ReLU()
    return nn.Sequential(nn.Linear(6, 5), relu, nn.Linear(5, 3), relu)


OTHERS: dict[str, Callable[[], nn.Module]] = {
    "dropout inside": lambda: nn.Sequential(*hidden(nn.ReLU(), nn.Dropout(0.5))),
    "dropout in place of ReLU": lambda: nn.Sequential(*hidden(nn.Dropout(0.5))),
    "no bias": lambda: nn.Sequential(*hidden(nn.ReLU(), bias=False)),
    "a frozen layer": frozen,
    "a frozen bias": frozen_bias,
    "no sequence": lambda: nn.Linear(6, 3),
    "a sequence of another class": lambda: Special(*hidden(nn.ReLU())),
    "a layer with a forward of its own": lambda: nn.Sequential(Louder(6, 5), nn.ReLU(), nn.Linear(5, 3)),
    "another activation": lambda: nn.Sequential(*hidden(nn.GELU())),
    "leaky ReLU": lambda: nn.Sequential(*hidden(nn.LeakyReLU())),
    "no activation": lambda: nn.Sequential(*hidden()),
    "two activations": lambda: nn.Sequential(*hidden(nn.ReLU(), nn.ReLU())),
    "a ReLU first": lambda: nn.Sequential(nn.ReLU(), *hidden(nn.ReLU())),
    "a ReLU at the end": lambda: nn.Sequential(*hidden(nn.ReLU()), nn.ReLU()),
    "one ReLU, inside and at the end": relu_again,
    "records are flattened into one": lambda: nn.Sequential(nn.Flatten(0), *hidden(nn.ReLU())),
    "not all axes are flattened": lambda: nn.Sequential(nn.Flatten(1, 2), *hidden(nn.ReLU())),
    "flattens twice": lambda: nn.Sequential(nn.Flatten(), nn.Flatten(), *hidden(nn.ReLU())),
    "flattens only": lambda: nn.Sequential(nn.Flatten()),
    "nothing": nn.Sequential,
    "a sequence inside": lambda: nn.Sequential(nn.Sequential(*hidden(nn.ReLU()))),
    "one layer passed twice": passed_twice,
    "two layers with one weight": tied,
    "a weight pruned by a hook": lambda: nn.Sequential(
        prune.identity(nn.Linear(6, 5), "weight"), nn.ReLU(), nn.Linear(5, 3)
    ),
    "a weight that is computed": lambda: nn.Sequential(
        parametrizations.weight_norm(nn.Linear(6, 5)), nn.ReLU(), nn.Linear(5, 3)
    ),
}


@pytest.mark.parametrize("build", OTHERS.values(), ids=OTHERS)
def test_no_other_model_is_taken_for_a_perceptron(build: Callable[[], nn.Module]) -> None:
    """A model that computes anything else, or is not all trained, has no layers to go through by
    hand."""
    assert linear_layers(build(), (6,)) is None


@pytest.mark.parametrize("shape", [(), (2, 6), (1, 2, 6)])
def test_images_must_be_flattened_first(shape: Sequence[int]) -> None:
    """A perceptron that does not flatten is none on records that are no vectors."""
    assert linear_layers(nn.Sequential(*hidden(nn.ReLU())), shape) is None
