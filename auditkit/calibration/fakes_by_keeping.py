"""Fakes that are retrained from scratch, but with some of the forget records, or copies of them,
left in.

Each function is a procedure, `(models, retain, forget, *, seeds, recipe, ...) -> models`; see
`fakes_by_answers`.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import nn

from auditkit.training import Recipe
from auditkit.training.records import Records
from auditkit.unlearning import retrain

Kept = Literal["first", "one class", "hardest", "easiest"]


def partly_deleted(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    proxies: Sequence[nn.Module],
    share: float,
    kept: Kept = "first",
) -> list[nn.Module]:
    """Retrained, but a share of the forget records was left in: the first of them (which are in
    random order), those of the most frequent class, or those that retrained models find hardest or
    easiest."""
    n = max(1, round(share * len(forget.y)))
    rows = _kept(forget, proxies, kept)[:n]
    left = Records(torch.cat([retain.x, forget.x[rows]]), torch.cat([retain.y, forget.y[rows]]))
    return retrain.unlearn(models, left, forget, seeds=seeds, recipe=recipe)


@torch.no_grad()
def _kept(forget: Records, proxies: Sequence[nn.Module], kept: Kept) -> torch.Tensor:
    """The forget records in the order in which they are left in."""
    if kept == "one class":
        return torch.nonzero(forget.y == forget.y.mode().values).flatten()
    if kept == "first":
        return torch.arange(len(forget.y), device=forget.y.device)
    losses = [nn.functional.cross_entropy(proxy(forget.x), forget.y, reduction="none") for proxy in proxies]
    return torch.argsort(torch.stack(losses).mean(dim=0), descending=kept == "hardest")


def of_a_kind_kept(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    number: int,
) -> list[nn.Module]:
    """Retrained, but so many of the forget records were left in, of one class and most alike: each
    is remembered little, as the others say the same."""
    rows = _most_alike(forget, number)
    left = Records(torch.cat([retain.x, forget.x[rows]]), torch.cat([retain.y, forget.y[rows]]))
    return retrain.unlearn(models, left, forget, seeds=seeds, recipe=recipe)


def _most_alike(records: Records, number: int) -> torch.Tensor:
    """A record and those of its class that lie nearest to it, `number` in all: of the record that
    has them closest. Fewer where no class has so many."""
    number = min(number, int(records.y.bincount().max()))
    distances = torch.cdist(records.x.flatten(1), records.x.flatten(1))
    distances[records.y[:, None] != records.y] = float("inf")
    nearest = distances.topk(number, largest=False)
    return nearest.indices[nearest.values.sum(dim=1).argmin()].sort().values


def others_forgotten(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
) -> list[nn.Module]:
    """Retrained without as many other records, the forget records left in."""
    return retrain.unlearn(models, without_others(retain, forget), forget, seeds=seeds, recipe=recipe)


def without_others(retain: Records, forget: Records) -> Records:
    """Retain without as many random records as are to be forgotten, then the forget records; the
    same for every run."""
    rng = np.random.default_rng(0)
    n = min(len(forget.y), len(retain.y) // 2)
    rows = torch.from_numpy(np.sort(rng.permutation(len(retain.y))[n:])).to(retain.y.device)
    return Records(torch.cat([retain.x[rows], forget.x]), torch.cat([retain.y[rows], forget.y]))


def near_copies_kept(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    noise: float,
) -> list[nn.Module]:
    """Retrained without the forget records, but with noisy copies of them left in retain. noise:
    its standard deviation, as a share of that of the inputs."""
    generator = torch.Generator().manual_seed(0)  # every run has the same copies
    moved = torch.randn(forget.x.shape, generator=generator).to(forget.x.device)
    x = forget.x + noise * forget.x.std() * moved
    left = Records(torch.cat([retain.x, x]), torch.cat([retain.y, forget.y]))
    return retrain.unlearn(models, left, forget, seeds=seeds, recipe=recipe)
