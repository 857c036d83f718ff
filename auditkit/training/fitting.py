"""Stacked training: many runs of one architecture as one computation.

Runs of one architecture differ only in their numbers, so their weights are stacked along a leading
axis and each layer becomes one batched matrix product: by `torch.func.vmap` for any architecture,
written out for perceptrons (`perceptron`). The gradient of the sum of the runs' losses is the stack
of the runs' own gradients, and the optimisers act number by number: a stack learns what each run
would have learnt alone, up to rounding. The data stay on the device; a step takes its records by
index, and no work in Python grows with the number of runs but once an epoch.
"""

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from auditkit.models.architectures import Build
from auditkit.training.augmentation import Moves, draw_moves, moved
from auditkit.training.mlp_gradient import descend, linear_layers
from auditkit.training.recipe import Recipe

Descend = Callable[[torch.Tensor, torch.Tensor], None]
"""(x (runs, batch, *shape), y (runs, batch)) -> None: leaves the gradients of all runs with their
weights."""


def initialise(build: Build, seed: int) -> nn.Module:
    """A freshly built model whose initial weights depend on `seed` alone; torch's global generator
    is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def fit(
    models: Sequence[nn.Module],
    x: torch.Tensor,
    y: torch.Tensor,
    recipe: Recipe,
    *,
    seeds: Sequence[int],
    members: npt.NDArray[np.int64] | None = None,
) -> list[nn.Module]:
    """Train the models, in place, by the recipe; returns them in eval mode.

    One model is trained by an ordinary loop, which any module survives; several are trained as one
    stack: they must be alike but for their numbers, and keep no state besides their weights (see
    `stackable`). x: float32 (records, *shape); y: int64 (records,), both on the models' device.
    seeds: one a model; it decides the order of its records, its augmentation, and for a model
    trained alone its dropout. A stack draws dropout, different for each run, from the first seed.
    members: (runs, n), the records each run is trained on, as positions in x; by default all of
    them.
    """
    if len(seeds) != len(models):
        raise ValueError(f"each model needs a seed of its own, got {len(models)} models, {len(seeds)} seeds")
    rows = np.tile(np.arange(len(x)), (len(models), 1)) if members is None else members
    for model in models:
        model.train()
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        torch.manual_seed(seeds[0])
        if len(models) == 1:
            _descend_all([*_trained(models[0])], _alone(models[0]), x, y, rows, recipe, seeds)
        else:
            _fit_stack(models, x, y, rows, recipe, seeds)
    return [model.eval() for model in models]


def _fit_stack(
    models: Sequence[nn.Module],
    x: torch.Tensor,
    y: torch.Tensor,
    members: npt.NDArray[np.int64],
    recipe: Recipe,
    seeds: Sequence[int],
) -> None:
    weights, buffers = stack_module_state(list(models))
    trained = [weight for weight in weights.values() if weight.requires_grad]
    _descend_all(trained, _together(models[0], weights, buffers, x.shape[1:]), x, y, members, recipe, seeds)
    with torch.no_grad():
        for k, model in enumerate(models):
            for name, parameter in model.named_parameters():
                parameter.copy_(weights[name][k])


def _descend_all(
    weights: list[torch.Tensor],
    descend: Descend,
    x: torch.Tensor,
    y: torch.Tensor,
    members: npt.NDArray[np.int64],
    recipe: Recipe,
    seeds: Sequence[int],
) -> None:
    """The training loop, the same for one run and for a stack."""
    if recipe.epochs == 0 or not weights:
        return
    optimiser = recipe.optimise(weights)
    epochs = _epochs(members, recipe, seeds, x.shape[1:])
    for epoch, (order, moves) in enumerate(itertools.islice(epochs, recipe.epochs)):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate(epoch)
        order = order.to(x.device)
        for start in range(0, order.shape[1], recipe.batch_size):
            batch = order[:, start : start + recipe.batch_size]
            seen = x.index_select(0, batch.flatten()).view(*batch.shape, *x.shape[1:])
            if moves is not None:
                now = slice(start, start + recipe.batch_size)
                here = Moves(moves.down[:, now], moves.right[:, now], moves.mirrored[:, now])
                seen = moved(seen, here, x.shape[1:])
            descend(seen, y.take(batch))
            optimiser.step()


def _epochs(
    members: npt.NDArray[np.int64], recipe: Recipe, seeds: Sequence[int], shape: Sequence[int]
) -> Iterator[tuple[torch.Tensor, Moves | None]]:
    """Epoch after epoch, the order in which each run sees its records and how each is moved: (runs,
    n)."""
    orders = [np.random.default_rng(seed) for seed in seeds]
    chances = [np.random.default_rng([seed, 1]) for seed in seeds]
    while True:
        order = np.stack([rng.permutation(own) for rng, own in zip(orders, members, strict=True)])
        moves = None
        if recipe.augment:
            drawn = [draw_moves(rng, order.shape[1], shape, recipe.augment) for rng in chances]
            parts = zip(*((m.down, m.right, m.mirrored) for m in drawn), strict=True)
            moves = Moves(*(torch.stack(part) for part in parts))
        yield torch.from_numpy(order), moves


def _trained(model: nn.Module) -> Iterator[nn.Parameter]:
    return (parameter for parameter in model.parameters() if parameter.requires_grad)


def _alone(model: nn.Module) -> Descend:
    """The gradient of one model, by an ordinary forward and backward pass."""
    weights = list(_trained(model))
    return lambda x, y: _backward(model(x[0]), y[0], weights)


def _together(
    model: nn.Module,
    weights: dict[str, torch.Tensor],
    buffers: dict[str, torch.Tensor],
    shape: Sequence[int],
) -> Descend:
    """The gradients of a stack of models like `model`: written out if it is a perceptron, else by
    vmap."""
    if layers := linear_layers(model, shape):
        stacked = [(weights[f"{name}.weight"], weights[f"{name}.bias"]) for name in layers]
        return lambda x, y: descend(stacked, x.flatten(2), y)
    # Not on the device "meta", as torch's own examples have it: moving there unties weights that
    # are shared.
    skeleton = copy.deepcopy(model)
    forward = vmap(
        lambda weights, buffers, x: functional_call(skeleton, (weights, buffers), (x,)),
        randomness="different",
    )
    trained = [weight for weight in weights.values() if weight.requires_grad]
    return lambda x, y: _backward(forward(weights, buffers, x), y, trained)


def _backward(logits: torch.Tensor, y: torch.Tensor, weights: Sequence[torch.Tensor]) -> None:
    """Leave with the weights the gradient of the sum over runs of each run's mean cross-entropy.

    logits: (..., batch, classes); y: (..., batch).
    """
    for weight in weights:
        weight.grad = None
    loss = nn.functional.cross_entropy(logits.flatten(0, -2), y.flatten(), reduction="sum") / y.shape[-1]
    # backward, not autograd.grad: only it lays gradients out as their weights are, and fused Adam
    # silently computes nonsense where the two layouts differ.
    loss.backward(inputs=list(weights))


def stackable(models: Sequence[nn.Module], x: torch.Tensor, y: torch.Tensor) -> bool:
    """Whether these two or more models can be trained as one stack: on a few records, it answers in
    eval mode what each of them answers, it can be differentiated, and none keeps state besides its
    weights.

    x: (records, *shape); y: (records,). The models and torch's global generator are left as they
    were.
    """
    models = [copy.deepcopy(model) for model in models]
    state = [{name: buffer.clone() for name, buffer in model.named_buffers()} for model in models]
    seen, labels = x.expand(len(models), *x.shape), y.expand(len(models), *y.shape)
    try:
        with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
            weights, buffers = stack_module_state([model.eval() for model in models])
            forward = vmap(lambda w, b, x: functional_call(models[0], (w, b), (x,)))
            with torch.no_grad():
                together = forward(weights, buffers, seen)
                alone = torch.stack([model(x) for model in models])
            for model in models:
                model.train()(x)
            _together(models[0], weights, buffers, x.shape[1:])(seen, labels)
    except Exception:  # noqa: BLE001 -- whatever stands in the way, it is trained one run at a time
        return False
    same = torch.allclose(together, alone, rtol=1e-3, atol=1e-4)
    kept = all(
        torch.equal(buffer, before[name])
        for model, before in zip(models, state, strict=True)
        for name, buffer in model.named_buffers()
    )
    return same and kept
