"""Fakes that train on what they may, but in another way than they say: from where they should not
start, or not to the end.

Each function is a procedure, `(models, retain, forget, *, seeds, recipe, ...) -> models`; see
`fakes_by_answers`.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from torch import nn

from auditkit.training import Recipe, fit, initialise
from auditkit.training.descent import minimise
from auditkit.training.records import Records
from auditkit.unlearning import retrain


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
