"""SalUn."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from auditkit.models.architectures import mlp
from auditkit.training import Recipe, initialise
from auditkit.training.records import Records
from auditkit.unlearning import salun

RECIPE = Recipe(epochs=7, batch_size=8, learning_rate=0.01)


def model(seed: int = 1) -> nn.Module:
    return initialise(partial(mlp, (5,), 3, hidden=(6,)), seed).double().eval()


def records(n: int, seed: int) -> Records:
    generator = torch.Generator().manual_seed(seed)
    return Records(
        torch.randn(n, 5, generator=generator).double(), torch.randint(3, (n,), generator=generator)
    )


RETAIN, FORGET = records(20, 2), records(12, 3)


def flat(parts: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([part.detach().flatten() for part in parts])


def steepness(net: nn.Module) -> torch.Tensor:
    """|the gradient of the mean loss of forget|, of all weights in a row."""
    loss = nn.functional.cross_entropy(net(FORGET.x), FORGET.y)
    return flat(list(torch.autograd.grad(loss, list(net.parameters())))).abs()


def test_salient_weights_of_a_linear_model_by_hand() -> None:
    """With all logits 0 and one record (3, 1) of class 1 of 2 the gradients are +-1.5, +-0.5 and
    +-0.5 for weights and biases: the third of them that is steepest are the two weights on the
    larger input."""
    net = nn.Linear(2, 2)
    nn.init.zeros_(net.weight)
    nn.init.zeros_(net.bias)
    masks = salun.salient(net.eval(), Records(torch.tensor([[3.0, 1.0]]), torch.tensor([1])), 1 / 3)
    assert masks["weight"].tolist() == [[True, False], [True, False]]
    assert masks["bias"].tolist() == [False, False]


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_threshold_is_over_the_whole_model(share: float) -> None:
    """The salient weights are the steepest of all layers together: at a half, those not below the
    median."""
    found = flat(list(salun.salient(model(), FORGET, share).values()))
    steep = steepness(model())
    n = math.ceil(share * len(steep))
    assert found.sum() == min(n, int((steep > 0).sum()))
    assert steep[found].min() >= steep.sort(descending=True).values[n - 1]
    if share == 0.5:
        assert torch.equal(found, (steep >= np.median(steep.numpy())) & (steep > 0))


def test_weights_without_gradient_are_never_salient() -> None:
    """Where more weights than the share allows for have no gradient at all, none of those is
    salient: gamma > 0."""
    dark = Records(torch.zeros_like(FORGET.x), FORGET.y)  # no input, no gradient in the first layer's weights
    masks = salun.salient(model(), dark, 1.0)
    assert not masks["1.weight"].any()
    assert masks["1.bias"].any()


def test_other_labels_are_never_their_own() -> None:
    """Every other label comes as often as every other, the record's own never; the seed decides."""
    many = Records(torch.zeros(3000, 5).double(), torch.arange(3000) % 3)
    labels = salun.other_labels(model(), many, seed=1)
    assert set(labels.tolist()) == {0, 1, 2}
    assert not (labels == many.y).any()
    assert abs(((labels - many.y) % 3 == 1).double().mean().item() - 0.5) < 4 * 0.5 / np.sqrt(3000)
    assert torch.equal(labels, salun.other_labels(model(), many, seed=1))
    assert not torch.equal(labels, salun.other_labels(model(), many, seed=2))


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_weights_that_are_not_salient_stay_to_the_last_bit(optimiser: str, decay: float) -> None:
    """Whatever the optimiser does, momentum and weight decay too, only salient weights change."""
    recipe = Recipe(epochs=1, batch_size=8, learning_rate=0.01, optimiser=optimiser, weight_decay=decay)
    (found,) = salun.unlearn([model()], RETAIN, FORGET, seeds=[4], recipe=recipe, epochs=3, share=0.3)
    for name, mask in salun.salient(model(), FORGET, 0.3).items():
        new, old = found.get_parameter(name), model().get_parameter(name)
        assert torch.equal(new[~mask], old[~mask])
        assert (new[mask] != old[mask]).double().mean() > 0.9


@pytest.mark.parametrize("alpha", [None, 3.0])
def test_salun_is_its_two_terms_written_out(alpha: float | None) -> None:
    """Epochs as in a loop of plain descent with masked gradients over batches from relabelled
    forget and retain records, every record alike by default, else alpha N_forget / N_retain for
    each of the latter."""
    recipe = Recipe(epochs=1, batch_size=8, learning_rate=0.5, optimiser="sgd", momentum=0.0)
    (found,) = salun.unlearn(
        [model()], RETAIN, FORGET, seeds=[4], recipe=recipe, epochs=2, learning_rate=0.1, alpha=alpha
    )
    student, rng = model(), np.random.default_rng(4)
    steep = steepness(student)
    mask = (steep >= np.median(steep.numpy())).double()
    x, y = torch.cat([RETAIN.x, FORGET.x]), torch.cat([RETAIN.y, salun.other_labels(model(), FORGET, 4)])
    kept = 1.0 if alpha is None else alpha * 12 / 20
    counted = torch.tensor([kept] * 20 + [1.0] * 12, dtype=torch.float64)
    for _ in range(2):
        for batch in torch.from_numpy(rng.permutation(32)).split(8):
            log_p = student(x[batch]).log_softmax(dim=1)[torch.arange(8), y[batch]]
            loss = -counted[batch] @ log_p / 8
            gradient = flat(list(torch.autograd.grad(loss, list(student.parameters()))))
            now = flat(list(student.parameters())) - 0.1 * mask * gradient
            nn.utils.vector_to_parameters(now, student.parameters())
    torch.testing.assert_close(found.state_dict(), student.state_dict(), rtol=1e-9, atol=1e-11)


def test_salun_learns_the_random_labels_and_keeps_the_others() -> None:
    """The loss on forget by its random labels falls, by its own it rises, and on retain it does not
    rise."""
    (found,) = salun.unlearn(
        [model()], RETAIN, FORGET, seeds=[4], recipe=RECIPE, epochs=60, learning_rate=0.01
    )

    def loss(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
        return nn.functional.cross_entropy(net(x), y).item()

    random = salun.other_labels(model(), FORGET, 4)
    assert loss(found, FORGET.x, random) < loss(model(), FORGET.x, random)
    assert loss(found, *FORGET) > loss(model(), *FORGET)
    assert loss(found, *RETAIN) < loss(model(), *RETAIN)
