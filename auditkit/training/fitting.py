"""Stacked training: many runs of one architecture as one computation.

Runs of one architecture differ only in their numbers, so their weights are stacked along a leading
axis and each layer becomes one batched matrix product: by `torch.func.vmap` for any architecture,
written out for perceptrons (`mlp_gradient`). The gradient of the sum of the runs' losses is the
stack of the runs' own gradients, and the optimisers act number by number: a stack learns what each
run would have learnt alone, up to rounding. The data stay on the device; a step takes its records
by index, and no work in Python grows with the number of runs but once an epoch.
"""

import copy
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from auditkit.models.architectures import Build
from auditkit.training.augmentation import Moves, draw_moves, moved
from auditkit.training.descent import Gradient, descend, gradient_of
from auditkit.training.mlp_gradient import linear_layers, write_gradients
from auditkit.training.recipe import Recipe
from auditkit.training.records import Records


def initialise(build: Build, seed: int) -> nn.Module:
    """A freshly built model whose initial weights depend on the seed alone.

    Args:
        build: Builds one model, drawing its weights from torch's global generator.
        seed: At least 0, below 2^64.

    Returns:
        The model. Torch's global generator is left as it was.
    """
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
    """Train the models by the recipe, in place.

    One model is trained by an ordinary loop, which any module survives; several are trained as one
    stack: they must be alike but for their numbers, and keep no state besides their weights (see
    `stackable`).

    Args:
        models: One or more, on one device.
        x: float32 (records, *shape), on the models' device.
        y: int64 (records,), the labels, on that device too.
        recipe: How long and by which steps.
        seeds: One a model; it decides the order of its records, its augmentation, and for a model
            trained alone its dropout. A stack draws dropout, different for each run, from the first
            seed.
        members: int64 (runs, n), the records each run is trained on, as positions in x; by default
            all of them.

    Returns:
        The models, in eval mode.

    Raises:
        ValueError: If there are not as many seeds as models.
    """
    if len(seeds) != len(models):
        raise ValueError(f"each model needs a seed of its own, got {len(models)} models, {len(seeds)} seeds")
    rows = np.tile(np.arange(len(x)), (len(models), 1)) if members is None else members
    epochs = _epochs(x, y, rows, recipe, seeds)
    for model in models:
        model.train()
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        torch.manual_seed(seeds[0])
        if len(models) == 1:
            weights: list[torch.Tensor] = [w for w in models[0].parameters() if w.requires_grad]
            _descend_all(weights, _alone(models[0], weights), epochs, recipe)
        else:
            _fit_stack(models, x.shape[1:], epochs, recipe)
    return [model.eval() for model in models]


def _fit_stack(
    models: Sequence[nn.Module], shape: Sequence[int], epochs: Iterator[Iterator[Records]], recipe: Recipe
) -> None:
    weights, buffers = stack_module_state(list(models))
    trained = [weight for weight in weights.values() if weight.requires_grad]
    _descend_all(trained, _together(models[0], weights, buffers, shape), epochs, recipe)
    with torch.no_grad():
        for k, model in enumerate(models):
            for name, parameter in model.named_parameters():
                parameter.copy_(weights[name][k])


def _descend_all(
    weights: list[torch.Tensor],
    gradient: Gradient[Records],
    epochs: Iterator[Iterator[Records]],
    recipe: Recipe,
) -> None:
    """Descend for one run or a stack; nothing to do without weights or epochs."""
    if recipe.epochs and weights:
        descend(gradient, recipe.optimise(weights), epochs, recipe.rate)


def _epochs(
    x: torch.Tensor, y: torch.Tensor, members: npt.NDArray[np.int64], recipe: Recipe, seeds: Sequence[int]
) -> Iterator[Iterator[Records]]:
    """The batches of each epoch, x (runs, batch, *shape) and y (runs, batch)."""
    for order, moves in itertools.islice(_orders(members, recipe, seeds, x.shape[1:]), recipe.epochs):
        yield _batches(x, y, order.to(x.device), moves, recipe.batch_size)


def _batches(
    x: torch.Tensor, y: torch.Tensor, order: torch.Tensor, moves: Moves | None, size: int
) -> Iterator[Records]:
    """One pass over the records in this order, (runs, n), moved as `moves` says."""
    shape = x.shape[1:]
    for start in range(0, order.shape[1], size):
        now = slice(start, start + size)
        batch = order[:, now]
        inputs = x.index_select(0, batch.flatten()).view(*batch.shape, *shape)
        if moves is not None:
            inputs = moved(
                inputs, Moves(moves.down[:, now], moves.right[:, now], moves.mirrored[:, now]), shape
            )
        yield Records(inputs, y.take(batch))


def _orders(
    members: npt.NDArray[np.int64], recipe: Recipe, seeds: Sequence[int], shape: Sequence[int]
) -> Iterator[tuple[torch.Tensor, Moves | None]]:
    """Epoch after epoch, the order in which each run sees its records and how each is moved: (runs,
    n)."""
    orders = [np.random.default_rng(seed) for seed in seeds]
    chances = [np.random.default_rng([seed, 1]) for seed in seeds]
    while True:
        order = np.stack([rng.permutation(rows) for rng, rows in zip(orders, members, strict=True)])
        moves = None
        if recipe.augment:
            drawn = [draw_moves(rng, order.shape[1], shape, recipe.augment) for rng in chances]
            parts = zip(*((m.down, m.right, m.mirrored) for m in drawn), strict=True)
            moves = Moves(*(torch.stack(part) for part in parts))
        yield torch.from_numpy(order), moves


def _alone(model: nn.Module, weights: Sequence[torch.Tensor]) -> Gradient[Records]:
    """The gradient of one model, by an ordinary forward and backward pass."""
    return gradient_of(lambda batch: _cross_entropy(model(batch.x[0]), batch.y[0]), weights)


def _together(
    model: nn.Module,
    weights: dict[str, torch.Tensor],
    buffers: dict[str, torch.Tensor],
    shape: Sequence[int],
) -> Gradient[Records]:
    """The gradients of a stack of models like `model`: written out if it is a perceptron, else by
    vmap."""
    if layers := linear_layers(model, shape):
        stacked = [(weights[f"{name}.weight"], weights[f"{name}.bias"]) for name in layers]
        return lambda batch: write_gradients(stacked, batch.x.flatten(2), batch.y)
    # Not on the device "meta", as torch's own examples have it: moving there unties weights that
    # are shared.
    skeleton = copy.deepcopy(model)
    forward = vmap(
        lambda weights, buffers, x: functional_call(skeleton, (weights, buffers), (x,)),
        randomness="different",
    )
    trained = [weight for weight in weights.values() if weight.requires_grad]
    return gradient_of(lambda batch: _cross_entropy(forward(weights, buffers, batch.x), batch.y), trained)


def _cross_entropy(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The sum over runs of each run's mean cross-entropy, whose gradient is the runs' own.

    logits: (..., batch, classes); y: (..., batch).
    """
    return nn.functional.cross_entropy(logits.flatten(0, -2), y.flatten(), reduction="sum") / y.shape[-1]


def stackable(models: Sequence[nn.Module], x: torch.Tensor, y: torch.Tensor) -> bool:
    """Whether models can be trained as one stack: it answers in eval mode what each of them
    answers, it can be differentiated, and none keeps state besides its weights.

    Args:
        models: Two or more. They and torch's global generator are left as they were.
        x: float32 (records, *shape), a few records to try it on.
        y: int64 (records,), their labels.

    Returns:
        False where anything stands in the way; such models are trained one at a time.
    """
    models = [copy.deepcopy(model) for model in models]
    state = [{name: buffer.clone() for name, buffer in model.named_buffers()} for model in models]
    batch = Records(x.expand(len(models), *x.shape), y.expand(len(models), *y.shape))
    try:
        with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
            weights, buffers = stack_module_state([model.eval() for model in models])
            forward = vmap(lambda w, b, x: functional_call(models[0], (w, b), (x,)))
            with torch.no_grad():
                together = forward(weights, buffers, batch.x)
                alone = torch.stack([model(x) for model in models])
            for model in models:
                model.train()(x)
            _together(models[0], weights, buffers, x.shape[1:])(batch)
    except Exception:  # noqa: BLE001 -- whatever stands in the way, it is trained one run at a time
        return False
    same = torch.allclose(together, alone, rtol=1e-3, atol=1e-4)
    return same and all(_keeps(model, before) for model, before in zip(models, state, strict=True))


def _keeps(model: nn.Module, before: dict[str, torch.Tensor]) -> bool:
    """Whether all buffers are what they were."""
    return all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
