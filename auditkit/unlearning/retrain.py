"""Retraining from scratch without the forget records: exact unlearning, and the honest procedure that
an audit must not fail."""

import copy
from collections.abc import Sequence
from functools import partial

from torch import nn

from auditkit.training import Recipe, fit, initialise
from auditkit.unlearning.records import Records


def unlearn(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int], recipe: Recipe
) -> list[nn.Module]:
    """New models of the same architecture, trained on the retain records alone by the same recipe.

    Needs an architecture whose layers can be drawn anew (`reset_parameters`, as torch's own have).
    """
    del forget
    fresh = [initialise(partial(_redrawn, model), seed) for model, seed in zip(models, seeds, strict=True)]
    return fit(fresh, retain.x, retain.y, recipe, seeds=seeds)


def _redrawn(model: nn.Module) -> nn.Module:
    fresh = copy.deepcopy(model)
    for module in fresh.modules():
        if any(True for _ in module.parameters(recurse=False)):
            module.reset_parameters()  # type: ignore[operator]
    return fresh
