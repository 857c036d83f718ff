"""Retraining from scratch without the forget records: exact unlearning, and the honest procedure
that an audit must not fail."""

import copy
from collections.abc import Sequence
from functools import partial

from torch import nn

from auditkit.core.errors import AuditError
from auditkit.training import Recipe, fit, initialise
from auditkit.training.records import Records


def unlearn(
    models: Sequence[nn.Module], retain: Records, forget: Records, *, seeds: Sequence[int], recipe: Recipe
) -> list[nn.Module]:
    """New models of the same architecture, trained on the retain records alone by the same recipe.

    Args:
        models: Of which only the architecture counts.
        retain: The records to train on.
        forget: The records to forget; not looked at.
        seeds: One a model, from which its weights are drawn.
        recipe: How the models were trained.

    Returns:
        New models, in eval mode.

    Raises:
        AuditError: If a layer cannot be drawn anew (it needs `reset_parameters`, as torch's own
            layers have).
    """
    del forget
    fresh = [initialise(partial(redrawn, model), seed) for model, seed in zip(models, seeds, strict=True)]
    return fit(fresh, retain.x, retain.y, recipe, seeds=seeds)


def redraw(layer: nn.Module) -> None:
    """Draw the weights of one layer anew, in place; AuditError if it does not say how."""
    if not hasattr(layer, "reset_parameters"):
        raise AuditError(
            f"the procedure must be able to draw layers anew, found {type(layer).__name__} without "
            "reset_parameters; give it one, as torch's own layers have"
        )
    layer.reset_parameters()  # type: ignore[operator]


def redrawn(model: nn.Module) -> nn.Module:
    """A copy with every layer drawn anew, from torch's generator (see `initialise`)."""
    fresh = copy.deepcopy(model)
    for module in fresh.modules():
        if any(True for _ in module.parameters(recurse=False)):
            redraw(module)
    return fresh
