"""The one training loop: an optimiser, the gradient of a batch, the batches of each epoch, and the
learning rate of each.

Everything here that learns takes its steps by `descend`: runs alone and as a stack (`fitting`),
procedures with a loss of their own (`minimise`, `alternate`), probes that learn again. What differs
between them is a function: how the gradient of a batch comes to lie with the weights. Training with
differential privacy is apart, since Opacus owns its steps (`auditkit.dp.dp_sgd`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from auditkit.training.recipe import Recipe

Batch = TypeVar("Batch")

Gradient = Callable[[Batch], object]
"""batch -> leaves the gradient of its loss with the weights. What it returns only an optimiser
looks at that searches along a line (L-BFGS): the loss."""

BatchLoss = Callable[[torch.Tensor], torch.Tensor]
"""Positions of a batch (batch,) among some records -> a scalar to be made smaller, computed from
the model, which is in training mode meanwhile."""


def descend(
    gradient: Gradient[Batch],
    optimiser: torch.optim.Optimizer,
    epochs: Iterable[Iterable[Batch]],
    rate: Callable[[int], float],
) -> None:
    """Take one step for each batch of each epoch.

    Args:
        gradient: Leaves the gradient of a batch with the weights; see `gradient_of`.
        optimiser: Over those weights, as `Recipe.optimise` makes it. It keeps its state, so that a
            later call can go on.
        epochs: The batches of each epoch, drawn when it is their turn.
        rate: The learning rate of an epoch, counted from 0; `Recipe.rate` for a schedule.
    """
    for epoch, batches in enumerate(epochs):
        for group in optimiser.param_groups:
            group["lr"] = rate(epoch)
        for batch in batches:
            optimiser.step(partial(gradient, batch))  # type: ignore[arg-type] # see Gradient


def gradient_of(
    loss: Callable[[Batch], torch.Tensor], weights: Sequence[torch.Tensor]
) -> Callable[[Batch], torch.Tensor]:
    """The gradient of a loss, by automatic differentiation.

    Args:
        loss: batch -> a scalar tensor computed from the weights.
        weights: The leaves that learn. Old gradients are dropped; no other leaf is given one.

    Returns:
        What `descend` takes: batch -> the loss, its gradient left with the weights.
    """

    def gradient(batch: Batch) -> torch.Tensor:
        for weight in weights:
            weight.grad = None
        value = loss(batch)
        # backward, not autograd.grad: only it lays gradients out as their weights are, and fused
        # Adam silently computes nonsense where the two layouts differ.
        value.backward(inputs=list(weights))
        return value

    return gradient


@dataclass(frozen=True)
class Phase:
    """A part of the epochs counted (from 0): all of n records, once, by a loss."""

    loss: BatchLoss
    n: int
    epochs: range


def minimise(model: nn.Module, loss: BatchLoss, n: int, recipe: Recipe, *, seed: int) -> nn.Module:
    """Train one model by a loss of its own, in place. Where the loss is the cross-entropy of some
    records, `auditkit.training.fit` trains all runs of a stack at once.

    Args:
        model: Any module with weights that require gradients.
        loss: The scalar to be made smaller, from the positions of a batch among n records.
        n: How many records an epoch passes over, in a fresh random order each.
        recipe: Optimiser, schedule, batch size and epochs; `augment` is the loss's own affair.
        seed: Decides the orders, and whatever is drawn from torch's generator meanwhile, which is
            afterwards as it was.

    Returns:
        The model, in eval mode.
    """
    return alternate(model, [Phase(loss, n, range(recipe.epochs))], recipe, seed=seed)


def alternate(model: nn.Module, phases: Sequence[Phase], recipe: Recipe, *, seed: int) -> nn.Module:
    """Train one model in epochs of several phases, one after the other, all by one optimiser.

    Args:
        model: Changed in place.
        phases: Those of an epoch are taken in this order.
        recipe: As for `minimise`. Its epochs count all phases of an epoch as one.
        seed: As for `minimise`.

    Returns:
        The model, in eval mode.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    device, rng = weights[0].device, np.random.default_rng(seed)

    def batches(epoch: int) -> Iterator[tuple[BatchLoss, torch.Tensor]]:
        for phase in phases:
            if epoch in phase.epochs:
                order = torch.from_numpy(rng.permutation(phase.n)).to(device)
                yield from ((phase.loss, batch) for batch in order.split(recipe.batch_size))

    model.train()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        descend(
            gradient_of(lambda batch: batch[0](batch[1]), weights),
            recipe.optimise(weights),
            map(batches, range(recipe.epochs)),
            recipe.rate,
        )
    return model.eval()
