"""Retraining from scratch without the forget records: exact unlearning, and the honest procedure that
an audit must not fail."""

import copy

from torch import nn

from auditkit.training import Recipe, fit
from auditkit.training.stacked import initialise
from auditkit.unlearning.records import Records


def unlearn(model: nn.Module, retain: Records, forget: Records, *, seed: int, recipe: Recipe) -> nn.Module:
    """A new model of the same architecture, trained on the retain records alone by the same recipe.

    Needs an architecture whose layers can be drawn anew (`reset_parameters`, as torch's own have).
    """
    del forget
    fresh = initialise(lambda: _redrawn(model), seed)
    return fit(fresh, retain.x, retain.y, recipe, seed=seed)


def _redrawn(model: nn.Module) -> nn.Module:
    fresh = copy.deepcopy(model)
    for module in fresh.modules():
        if any(True for _ in module.parameters(recurse=False)):
            module.reset_parameters()  # type: ignore[operator]
    return fresh
