"""Descent by a loss of a procedure's own, one model at a time.

Procedures whose loss is the cross-entropy of some records use `auditkit.training.fitting`, which
trains all runs of a stack at once; this is for the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from auditkit.training import Recipe

Loss = Callable[[torch.Tensor], torch.Tensor]
"""Positions of a batch (batch,) among some records -> a scalar to be made smaller, computed from
the model, which is in training mode meanwhile."""


@dataclass(frozen=True)
class Phase:
    """A part of the epochs counted (from 0): all of n records, once, by a loss."""

    loss: Loss
    n: int
    epochs: range


def descend(model: nn.Module, loss: Loss, n: int, recipe: Recipe, *, seed: int) -> nn.Module:
    """The model, changed in place by the recipe's optimiser, schedule and epochs; in eval mode at
    the end.

    Each epoch takes the n records in a fresh random order that depends on `seed` alone; so does
    whatever is drawn from torch's generator, which is afterwards as it was.
    """
    return alternate(model, [Phase(loss, n, range(recipe.epochs))], recipe, seed=seed)


def alternate(model: nn.Module, phases: Sequence[Phase], recipe: Recipe, *, seed: int) -> nn.Module:
    """The same with epochs of several phases, one after the other, all by one optimiser."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    device = weights[0].device
    optimiser, rng = recipe.optimise(weights), np.random.default_rng(seed)
    model.train()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        for epoch in range(recipe.epochs):
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate(epoch)
            for phase in phases:
                if epoch not in phase.epochs:
                    continue
                order = torch.from_numpy(rng.permutation(phase.n)).to(device)
                for batch in order.split(recipe.batch_size):
                    optimiser.zero_grad(set_to_none=True)
                    phase.loss(batch).backward()
                    optimiser.step()
    return model.eval()
