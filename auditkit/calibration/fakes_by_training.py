"""Fakes, and honest variants, that train: on too much, on too little, or from where they should not
start.

Each function is a procedure, `(models, retain, forget, *, seeds, recipe, ...) -> models`; see
`answering`.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import nn

from auditkit.training import Recipe, fit, initialise
from auditkit.training.descent import minimise
from auditkit.training.records import Records
from auditkit.unlearning import retrain

Kept = Literal["first", "one class", "hardest", "easiest"]


def other_recipe(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    rate: float = 1.0,
    epochs: float = 1.0,
) -> list[nn.Module]:
    """Honest: retrained from scratch on retain alone, by another recipe. rate, epochs: as shares of
    the recipe's learning rate and epochs."""
    other = replace(
        recipe, learning_rate=rate * recipe.learning_rate, epochs=max(1, round(epochs * recipe.epochs))
    )
    return retrain.unlearn(models, retain, forget, seeds=seeds, recipe=other)


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


def stopped_early(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    share: float,
) -> list[nn.Module]:
    """Trained anew on retain and forget records, but for a share of the epochs: less is
    remembered."""
    both = Records(torch.cat([retain.x, forget.x]), torch.cat([retain.y, forget.y]))
    shorter = replace(recipe, epochs=max(1, round(share * recipe.epochs)))
    return retrain.unlearn(models, both, forget, seeds=seeds, recipe=shorter)


def fine_tuned(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    share: float,
) -> list[nn.Module]:
    """Training goes on from the original weights, on retain only. share: of the recipe's epochs;
    with all of them it is the "retraining" of somebody who forgot to draw new weights."""
    longer = replace(recipe, epochs=max(1, round(share * recipe.epochs)))
    return fit([copy.deepcopy(model) for model in models], retain.x, retain.y, longer, seeds=seeds)


@torch.no_grad()
def _shrunk(model: nn.Module, seed: int, shrink: float) -> nn.Module:
    """shrink x the model's weights + (1 - shrink) x freshly drawn ones."""
    fresh = initialise(partial(retrain.redrawn, model), seed)
    started = copy.deepcopy(model)
    for weight, new in zip(started.parameters(), fresh.parameters(), strict=True):
        weight.mul_(shrink).add_((1 - shrink) * new)
    return started


def warm_started(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    shrink: float,
) -> list[nn.Module]:
    """Retrained on retain from the original weights, shrunk and perturbed (Ash & Adams 2020)."""
    started = [_shrunk(model, seed, shrink) for model, seed in zip(models, seeds, strict=True)]
    return fit(started, retain.x, retain.y, recipe, seeds=seeds)


def relabelled(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    share: float,
    labels: Literal["random", "next"],
) -> list[nn.Module]:
    """Training goes on, gently, with wrong labels on the forget records: drawn at random, or each
    flipped to the next class. share: of the recipe's epochs."""
    classes = int(retain.y.max()) + 1
    generator = torch.Generator().manual_seed(0)
    step = torch.randint(1, classes, forget.y.shape, generator=generator) if labels == "random" else 1
    wrong = (forget.y.cpu() + step).remainder(classes).to(forget.y.device)
    gentle = replace(
        recipe, epochs=max(1, round(share * recipe.epochs)), learning_rate=recipe.learning_rate / 3
    )
    x, y = torch.cat([retain.x, forget.x]), torch.cat([retain.y, wrong])
    return fit([copy.deepcopy(model) for model in models], x, y, gentle, seeds=seeds)


def new_head(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    share: float,
) -> list[nn.Module]:
    """Only the last linear layer is drawn anew and trained, on retain. share: of the recipe's
    epochs."""
    found = []
    for model, seed in zip(models, seeds, strict=True):
        changed = copy.deepcopy(model).requires_grad_(False)
        name = [n for n, m in changed.named_modules() if isinstance(m, nn.Linear)][-1]
        head, fresh = changed.get_submodule(name), initialise(partial(retrain.redrawn, model), seed)
        head.load_state_dict(fresh.get_submodule(name).state_dict())
        head.requires_grad_(True)
        found.append(changed)
    shorter = replace(recipe, epochs=max(1, round(share * recipe.epochs)))
    trained = fit(found, retain.x, retain.y, shorter, seeds=seeds)
    return [model.requires_grad_(True) for model in trained]


def distilled(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    softness: float = 2.0,
) -> list[nn.Module]:
    """Fresh students that learn the original's answers on retain records and see no forget record:
    what the teacher remembers may come along. softness: the temperature (Hinton, Vinyals & Dean
    2015)."""
    students = [
        initialise(partial(retrain.redrawn, model), seed) for model, seed in zip(models, seeds, strict=True)
    ]
    for student, teacher, seed in zip(students, models, seeds, strict=True):
        _distil(student, teacher, retain.x, recipe, seed, softness)
    return [student.eval() for student in students]


def _distil(
    student: nn.Module, teacher: nn.Module, x: torch.Tensor, recipe: Recipe, seed: int, softness: float
) -> None:
    with torch.no_grad():
        wanted = (teacher(x) / softness).softmax(dim=1)
    # Larger batches at a higher rate: students are trained one by one.
    larger = replace(
        recipe, batch_size=4 * recipe.batch_size, learning_rate=2 * recipe.learning_rate, schedule="constant"
    )

    def loss(batch: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(student(x[batch]) / softness, wanted[batch])

    minimise(student, loss, len(x), larger, seed=seed)
