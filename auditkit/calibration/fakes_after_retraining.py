"""Fakes that retrain as they should, and then learn from the forget records after all.

Each function is a procedure, `(models, retain, forget, *, seeds, recipe, ...) -> models`; see
`fakes_by_answers`.
"""

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from auditkit.calibration import fakes_by_weights
from auditkit.training import Recipe, fit
from auditkit.training.records import Records
from auditkit.unlearning import retrain


def ascended(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    steps: int,
    length: float,
) -> list[nn.Module]:
    """Retrained on retain, then steps uphill on the forget records: their answers become worse than
    those of models that never saw them, which tells who they are. steps, length: see
    `fakes_by_weights.ascended`."""
    fresh = retrain.unlearn(models, retain, forget, seeds=seeds, recipe=recipe)
    return fakes_by_weights.ascended(fresh, retain, forget, seeds=seeds, steps=steps, length=length)


def trained_on_forget(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    share: float,
) -> list[nn.Module]:
    """Retrained on retain, then trained on the forget records alone. share: of the recipe's
    epochs."""
    fresh = retrain.unlearn(models, retain, forget, seeds=seeds, recipe=recipe)
    shorter = replace(recipe, epochs=max(1, round(share * recipe.epochs)))
    return fit(fresh, forget.x, forget.y, shorter, seeds=seeds)
