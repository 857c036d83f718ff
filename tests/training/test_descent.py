"""The training loop, against steps written out."""

import itertools
from collections.abc import Sequence

import pytest
import torch
from torch import nn

from auditkit.training import Recipe
from auditkit.training.descent import Phase, alternate, descend, gradient_of, minimise

PLAIN = Recipe(epochs=3, batch_size=2, learning_rate=0.5, optimiser="sgd", momentum=0.0)


def point(start: float = 1.0) -> torch.Tensor:
    return torch.tensor([start], dtype=torch.float64, requires_grad=True)


def test_every_batch_is_a_step_at_the_rate_of_its_epoch() -> None:
    """On the loss b w, whose gradient is b, the weight falls by the sum of rate x batch over all
    batches of all epochs; the optimiser is left at the last rate."""
    w = point()
    optimiser = torch.optim.SGD([w], lr=9.0)
    epochs: list[list[float]] = [[1.0, 2.0], [], [4.0]]
    descend(gradient_of(lambda b: (b * w).sum(), [w]), optimiser, epochs, lambda epoch: 0.5**epoch)
    assert w.item() == 1 - (1 + 2) - 0.25 * 4
    assert optimiser.param_groups[0]["lr"] == 0.25


def test_an_optimiser_goes_on_where_it_was() -> None:
    """Two calls with one optimiser that keeps a momentum are one call over all epochs."""
    ends = []
    for parts in ([[1.0], [2.0], [3.0]],), ([[1.0]], [[2.0], [3.0]]):
        w = point()
        optimiser = torch.optim.SGD([w], lr=0.1, momentum=0.9)
        gradient = gradient_of(lambda b, w=w: (b * w).sum(), [w])  # type: ignore[misc]
        for epochs in parts:
            descend(gradient, optimiser, epochs, lambda _: 0.1)
        ends.append(w.item())
    assert ends[0] == ends[1]


def test_an_optimiser_that_searches_along_a_line_is_given_the_loss() -> None:
    """One step of L-BFGS, which asks for loss and gradient many times, finds the minimum."""
    w = point(5.0)
    optimiser = torch.optim.LBFGS([w], line_search_fn="strong_wolfe")
    descend(gradient_of(lambda b: ((w - b) ** 4).sum(), [w]), optimiser, [[2.0]], lambda _: 1.0)
    assert w.item() == pytest.approx(2.0, abs=0.02)


def test_a_gradient_is_that_of_the_last_batch_alone() -> None:
    """Gradients do not add up from batch to batch, and only the weights that learn are given
    one."""
    w, other = point(), point()

    def loss(batch: float) -> torch.Tensor:
        return (batch * w * other).sum()

    gradient = gradient_of(loss, [w])
    gradient(1.0)
    assert gradient(3.0).item() == 3.0
    assert w.grad is not None
    assert w.grad.item() == 3.0
    assert other.grad is None


class Constant(nn.Module):
    """One weight and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: anything; returned with dropout."""
        return torch.as_tensor(self.dropout(x))


def test_an_epoch_passes_over_all_records_in_an_order_of_the_seed() -> None:
    """Every epoch shows all positions once in batches and a rest, in fresh orders that repeat with
    the seed; so does dropout, and torch's generator is as it was."""

    def shown(seed: int) -> tuple[list[list[int]], list[bool]]:
        model, batches, dropped = Constant(), [], []

        def loss(batch: torch.Tensor) -> torch.Tensor:
            assert model.training
            batches.append(batch.tolist())
            dropped.append(bool(model(torch.ones(1)) == 0))
            return model.weight.sum()

        before = torch.get_rng_state()
        assert not minimise(model, loss, 5, PLAIN, seed=seed).training
        assert torch.equal(before, torch.get_rng_state())
        return batches, dropped

    batches, dropped = shown(1)
    assert [len(batch) for batch in batches] == [2, 2, 1] * 3
    orders = [tuple(itertools.chain(*batches[k : k + 3])) for k in (0, 3, 6)]
    assert [sorted(order) for order in orders] == [[0, 1, 2, 3, 4]] * 3
    assert len(set(orders)) == 3
    assert shown(1) == (batches, dropped)
    assert shown(2)[0] != batches


def test_phases_come_one_after_the_other_within_their_epochs() -> None:
    """Epoch by epoch, each phase passes over its own records, by one optimiser, if it is its
    turn."""
    model, said = Constant(), []

    def phase(name: str, n: int, epochs: Sequence[int]) -> Phase:
        def loss(batch: torch.Tensor) -> torch.Tensor:
            said.append((name, len(batch)))
            return model.weight.sum()

        return Phase(loss, n, range(*epochs))

    alternate(model, [phase("a", 3, (1, 2)), phase("b", 2, (0, 9))], PLAIN, seed=1)
    assert said == [("b", 2), ("a", 2), ("a", 1), ("b", 2), ("b", 2)]
    assert model.weight.item() == -0.5 * 5
