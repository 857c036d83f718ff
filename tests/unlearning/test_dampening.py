"""Selective synaptic dampening."""

from typing import cast

import pytest
import torch
from torch import nn

from auditkit.models.architectures import mlp
from auditkit.training import initialise
from auditkit.training.records import Records
from auditkit.unlearning import ssd


def records(n: int = 8, seed: int = 2, classes: int = 3) -> Records:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=generator).double()
    return Records(x, torch.randint(classes, (n,), generator=generator))


def linear() -> nn.Linear:
    return cast(nn.Linear, initialise(lambda: nn.Linear(4, 3), 1).double().eval())


def test_the_fisher_diagonal_of_a_linear_model_by_hand() -> None:
    """The gradient of a record's cross-entropy is (p - onehot) x for the weights and p - onehot for
    the biases; an importance is the mean of its square."""
    some, model = records(), linear()
    error = model(some.x).softmax(dim=1).detach() - nn.functional.one_hot(some.y, 3)
    found = ssd.importances(model, some)
    torch.testing.assert_close(found["bias"], error.square().mean(dim=0))
    torch.testing.assert_close(found["weight"], (error.square().T @ some.x.square()) / 8)


def test_the_fisher_diagonal_of_one_logistic_record_by_hand() -> None:
    """With both logits 0 the label's gradient is -1/2 in both classes, up to sign: importances are
    x^2 / 4."""
    model = nn.Linear(1, 2)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    found = ssd.importances(model.eval(), Records(torch.tensor([[6.0]]), torch.tensor([1])))
    assert found["weight"].flatten().tolist() == [9.0, 9.0]
    assert found["bias"].tolist() == [0.25, 0.25]


class Branching(nn.Module):
    """Takes its path by the data, which vmap cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = mlp((4,), 3, hidden=(5,))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.inner(x) if x.sum() > 0 else self.inner(-x))


@pytest.mark.parametrize("build", [lambda: mlp((4,), 3, hidden=(5,)), Branching])
def test_importances_are_those_of_a_loop_over_records(
    build: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many records at once, in parts that do not divide them, or one by one where the model looks
    at its data: it is the mean of the squared gradients of single records."""
    some, model = records(), initialise(build, 1).double().eval()
    monkeypatch.setattr(ssd, "NUMBERS", 3 * sum(weight.numel() for weight in model.parameters()) + 1)
    naive = {name: torch.zeros_like(weight) for name, weight in model.named_parameters()}
    for x, y in zip(*some, strict=True):
        model.zero_grad()
        nn.functional.cross_entropy(model(x[None]), y[None]).backward()
        for name, weight in model.named_parameters():
            assert weight.grad is not None
            naive[name] += weight.grad**2 / 8
    model.zero_grad()
    torch.testing.assert_close(ssd.importances(model, some), naive)


def test_dampening_factors_by_hand() -> None:
    """Selected above alpha times the importance to all, strictly; then lambda I_D / I_Df, at most
    1."""
    to_all, to_forget = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0]), torch.tensor([0.5, 2.0, 4.0, 8.0, 0.0])
    assert ssd.factors(to_all, to_forget, alpha=2.0, dampening=1.0).tolist() == [1.0, 1.0, 0.25, 0.125, 1.0]
    assert ssd.factors(to_all, to_forget, alpha=1.0, dampening=6.0).tolist() == [1.0, 1.0, 1.0, 0.75, 1.0]
    assert ssd.factors(to_all, to_forget, alpha=1.0, dampening=0.5).tolist() == [
        1.0,
        0.25,
        0.125,
        0.0625,
        1.0,
    ]


def test_weights_are_multiplied_by_their_factors() -> None:
    """The importance to all counts retain and forget records alike; every weight becomes its factor
    times itself, and one that is not selected stays as it is to the last bit."""
    retain, forget, before = records(30), records(10, seed=3), linear()
    (after,) = ssd.unlearn([before], retain, forget, seeds=[1], alpha=1.1, dampening=0.9)
    both = Records(torch.cat([retain.x, forget.x]), torch.cat([retain.y, forget.y]))
    to_all, to_forget = ssd.importances(before, both), ssd.importances(before, forget)
    for name, weight in after.named_parameters():
        old = before.get_parameter(name)
        selected = to_forget[name] > 1.1 * to_all[name]
        assert 0 < selected.sum() < selected.numel()
        assert torch.equal(weight[~selected], old[~selected])
        torch.testing.assert_close(
            weight, torch.where(selected, 0.9 * to_all[name] / to_forget[name], 1.0) * old
        )


def test_nothing_is_selected_above_one_over_the_share() -> None:
    """If the forget records are a quarter of all, no weight is more than 4 times as important to
    them; where the retain records have no gradient, all that matter at all are nearly so."""
    retain, forget, before = records(30), records(10, seed=3), linear()
    (same,) = ssd.unlearn([before], retain, forget, seeds=[1], alpha=4.01)
    assert all(torch.equal(a, b) for a, b in zip(same.parameters(), before.parameters(), strict=True))
    # Logits so large that the retain records, all of one class, have no gradient at all.
    certain = nn.Linear(4, 3).double().eval()
    with torch.no_grad():
        certain.weight.fill_(0.1)
        certain.bias.copy_(torch.tensor([1e4, 0.0, 0.0]))
    known = Records(retain.x, torch.zeros_like(retain.y))
    wrong = Records(forget.x, torch.ones_like(forget.y))
    (found,) = ssd.unlearn([certain], known, wrong, seeds=[1], alpha=3.99)
    torch.testing.assert_close(found.get_parameter("weight")[:2], certain.weight[:2] / 4)
    assert torch.equal(found.get_parameter("weight")[2], certain.weight[2])


def test_weights_that_are_not_trained_are_left() -> None:
    """A frozen weight has no importance and stays."""
    before = linear().requires_grad_(False)
    before.bias.requires_grad_(True)
    (after,) = ssd.unlearn([before], records(30), records(10, seed=3), seeds=[1])
    assert torch.equal(after.get_parameter("weight"), before.weight)
    assert not torch.equal(after.get_parameter("bias"), before.bias)
    assert [weight.requires_grad for weight in after.parameters()] == [False, True]
