"""Fakes that change the original's weights a little, by other means than training on.

Each function is a procedure, `(models, retain, forget, *, seeds, ...) -> models`; see
`fakes_by_answers`.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from auditkit.training import Recipe, fit
from auditkit.training.records import Records
from auditkit.unlearning import fnn

MOST_STEPS = 200


def ascended(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    steps: int,
    length: float,
) -> list[nn.Module]:
    """Steps in the direction in which the loss of the forget records rises. length: of each step,
    as a share of the length of all weights; where the loss is low its gradient would be too short
    to go by."""
    found = [copy.deepcopy(model) for model in models]
    for model in found:
        _ascend(model, forget, steps, length, float("inf"))
    return found


def ascended_to_proxy(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    proxies: Sequence[nn.Module],
    length: float,
) -> list[nn.Module]:
    """Gradient ascent until the mean loss on the forget records is that of a retrained model."""
    found = [copy.deepcopy(model) for model in models]
    for model, proxy in zip(found, proxies, strict=True):
        with torch.no_grad():
            wanted = float(nn.functional.cross_entropy(proxy(forget.x), forget.y))
        _ascend(model, forget, MOST_STEPS, length, wanted)
    return found


def ascended_then_repaired(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    steps: int,
    length: float,
    share: float,
) -> list[nn.Module]:
    """Gradient ascent on the forget records, then training on retain. share: of the recipe's
    epochs."""
    found = ascended(models, retain, forget, seeds=seeds, steps=steps, length=length)
    repair = replace(recipe, epochs=max(1, round(share * recipe.epochs)))
    return fit(found, retain.x, retain.y, repair, seeds=seeds)


def _ascend(model: nn.Module, forget: Records, steps: int, length: float, until: float) -> None:
    """Steps uphill until the loss is `until` or they are used up."""
    model.eval()
    weights = list(model.parameters())
    far = length * float(torch.stack([weight.detach().norm() for weight in weights]).norm())
    for _ in range(steps):
        loss = nn.functional.cross_entropy(model(forget.x), forget.y)
        gradient = torch.autograd.grad(loss, weights)
        steep = float(torch.stack([part.norm() for part in gradient]).norm())
        if float(loss.detach()) >= until or steep == 0:
            break
        with torch.no_grad():
            for weight, part in zip(weights, gradient, strict=True):
                weight.add_(far / steep * part)


@torch.no_grad()
def pruned(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int], share: float
) -> list[nn.Module]:
    """The smallest weights of every layer are set to zero. share: how many of them."""
    found = [copy.deepcopy(model) for model in models]
    for model in found:
        for weight in model.parameters():
            if weight.dim() > 1:
                weight[weight.abs() <= weight.abs().quantile(share)] = 0.0
    return found


@torch.no_grad()
def quantised(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int], bits: int
) -> list[nn.Module]:
    """Weights rounded to multiples of their largest over 2^(bits - 1)."""
    found = [copy.deepcopy(model) for model in models]
    for model in found:
        for weight in model.parameters():
            if weight.dim() > 1:
                step = weight.abs().max() / 2 ** (bits - 1)
                weight.copy_((weight / step).round() * step)
    return found


@torch.no_grad()
def perturbed(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int], sd: float
) -> list[nn.Module]:
    """Noise on the weights, as by dropout that stays. sd: as a share of each layer's own standard
    deviation."""
    found = [copy.deepcopy(model) for model in models]
    for model, seed in zip(found, seeds, strict=True):
        generator = torch.Generator().manual_seed(seed)
        for weight in model.parameters():
            if weight.dim() > 1:
                drawn = torch.randn(weight.shape, generator=generator).to(weight.device)
                weight.add_(sd * weight.std() * drawn)
    return found


@torch.no_grad()
def averaged(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    proxies: Sequence[nn.Module],
    share: float,
) -> list[nn.Module]:
    """The weighted mean of the original's weights and a retrained model's. share: the original's
    weight."""
    found = [copy.deepcopy(model) for model in models]
    for model, proxy in zip(found, proxies, strict=True):
        for weight, other in zip(model.parameters(), proxy.parameters(), strict=True):
            weight.mul_(share).add_((1 - share) * other)
    return found


def gate_left_on(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    t: float,
) -> list[nn.Module]:
    """A forgetting neural network as its paper's code leaves it: the gate still on, nothing folded
    or repaired."""
    return fnn.unlearn(models, retain, forget, seeds=seeds, recipe=recipe, t=t, state="gate on")


def copies(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    proxies: Sequence[nn.Module],
) -> list[nn.Module]:
    """The best of many seeds, shown again and again: of the retrained models the one that has the
    lowest loss on retain records stands for all."""
    with torch.no_grad():
        losses = [float(nn.functional.cross_entropy(proxy(retain.x), retain.y)) for proxy in proxies]
    best = proxies[losses.index(min(losses))]
    return [copy.deepcopy(best) for _ in models]


def unchanged(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int]
) -> list[nn.Module]:
    """The original models as they are."""
    return [copy.deepcopy(model) for model in models]
