"""Stacked training: all runs of an arm as one computation.

Runs of one architecture differ only in their numbers, so their weights are stacked along a leading
axis and `torch.func.vmap` turns each layer into one batched matrix product. The gradient of the sum
of the runs' losses is the stack of the runs' own gradients, and the optimisers act number by number:
the stack learns what each run would have learnt alone, up to rounding.
"""

import copy
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from auditkit.models import Build
from auditkit.training.recipe import Recipe

Stack = dict[str, torch.Tensor]
"""The weights of many runs: parameter name -> float32 tensor (runs, *shape of that parameter)."""

Progress = Callable[[int], None]
"""Called with the number of record visits (records times epochs, over all runs) since the last call."""


def initialise(build: Build, seed: int) -> nn.Module:
    """A freshly built model whose initial weights depend on `seed` alone; torch's global generator
    is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def train(
    build: Build,
    x: torch.Tensor,
    y: torch.Tensor,
    members: npt.NDArray[np.int64],
    recipe: Recipe,
    seeds: Sequence[int],
    progress: Progress = lambda visits: None,
) -> Stack:
    """Train one model per row of `members` from scratch, all at once.

    x: float32 (records, *shape); y: int64 (records,). members: (runs, n), the records each run is
    trained on, as positions in x. seeds: one per run; it decides that run's initial weights and
    order of records. Returns the trained weights of all runs.
    """
    models = [initialise(build, seed) for seed in seeds]
    stack, buffers = stack_module_state(models)
    if buffers:
        raise ValueError(f"stacked training needs a model without buffers, got {sorted(buffers)}")
    skeleton = copy.deepcopy(models[0]).to("meta").train()
    forward = vmap(lambda weights, batch: functional_call(skeleton, weights, (batch,)))
    weights = list(stack.values())
    optimiser = recipe.optimise(weights)
    orders = [np.random.default_rng(seed) for seed in seeds]
    for _ in range(recipe.epochs):
        order = torch.from_numpy(np.stack([o.permutation(m) for o, m in zip(orders, members, strict=True)]))
        for batch in order.split(recipe.batch_size, dim=1):
            step(weights, optimiser, forward(stack, x[batch]), y[batch])
        progress(members.size)
    return {name: weight.detach() for name, weight in stack.items()}


def step(
    weights: Sequence[torch.Tensor], optimiser: torch.optim.Optimizer, logits: torch.Tensor, y: torch.Tensor
) -> None:
    """One descent step on the sum over runs of each run's mean cross-entropy.

    logits: (..., batch, classes); y: (..., batch).
    """
    loss = nn.functional.cross_entropy(logits.flatten(0, -2), y.flatten(), reduction="sum") / y.shape[-1]
    optimiser.zero_grad()
    # backward, not autograd.grad: only it lays gradients out as their weights are, and fused Adam
    # silently computes nonsense where the two layouts differ.
    loss.backward(inputs=list(weights))
    optimiser.step()


def fit(model: nn.Module, x: torch.Tensor, y: torch.Tensor, recipe: Recipe, *, seed: int) -> nn.Module:
    """Go on training `model` in place on all of x, y by the recipe; returns it, in eval mode."""
    rng = np.random.default_rng(seed)
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = recipe.optimise(weights)
    model.train()
    for _ in range(recipe.epochs):
        order = torch.from_numpy(rng.permutation(len(x)))
        for batch in order.split(recipe.batch_size):
            step(weights, optimiser, model(x[batch]), y[batch])
    return model.eval()


def unstack(build: Build, stack: Stack, run: int) -> nn.Module:
    """Run `run` of the stack as a model of its own, in eval mode."""
    model = initialise(build, 0)
    model.load_state_dict({name: weights[run] for name, weights in stack.items()})
    return model.eval()
