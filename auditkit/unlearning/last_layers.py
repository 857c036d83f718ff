"""CF-k and EU-k: only the last k layers are trained on, or drawn anew and trained from scratch; the
others stay.

Source: Goel, Prabhu, Sanyal, Lim, Torr & Kumaraguru, "Towards Adversarial Evaluations for Inexact
Machine Unlearning" (arXiv:2201.06640): CF-k ("catastrophically forget the last k layers")
fine-tunes them on the retain records, EU-k ("exactly unlearn") retrains them from new weights. With
k = all layers CF-k is fine-tuning and EU-k retraining. As in the authors' experiments a layer is
one with a matrix of weights, EU-k trains as long as the original was trained, CF-k shorter, and k
is tuned; the default here is k = 1, the cheapest, and 10 epochs of CF-1.
"""

import copy
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from pydantic import Field
from torch import nn

from auditkit.core.errors import AuditError
from auditkit.training import Recipe, fit, initialise
from auditkit.training.records import Records
from auditkit.unlearning.continued import Epochs, Rate, further
from auditkit.unlearning.retrain import redraw

Layers = Annotated[int, Field(ge=1)]


def cf_k(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    k: Layers = 1,
    epochs: Epochs = 10,
    learning_rate: Rate | None = None,
) -> list[nn.Module]:
    """CF-k: the models, their last k layers trained on, on retain.

    Args:
        models: Trained on retain and forget. They are left as they are.
        retain: The records to keep.
        forget: The records to forget; not looked at.
        seeds: One a model.
        recipe: How the models were trained: optimiser, batches and schedule are its.
        k: How many layers with a matrix of weights are trained, counted from the last.
        epochs: Passes over retain.
        learning_rate: By default the recipe's.

    Returns:
        New models, in eval mode.

    Raises:
        AuditError: If a model has fewer than k such layers.
    """
    del forget
    copies = [copy.deepcopy(model) for model in models]
    return _fit_last(copies, retain, further(recipe, epochs, learning_rate), seeds, k)


def eu_k(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    k: Layers = 1,
    epochs: Epochs | None = None,
    learning_rate: Rate | None = None,
) -> list[nn.Module]:
    """EU-k: the models, their last k layers drawn anew and trained on retain.

    Args:
        models: Trained on retain and forget. They are left as they are.
        retain: The records to keep.
        forget: The records to forget; not looked at.
        seeds: One a model, from which layers are drawn.
        recipe: How the models were trained: optimiser, batches and schedule are its.
        k: How many layers with a matrix of weights are retrained, counted from the last.
        epochs: Passes over retain, by default the recipe's.
        learning_rate: By default the recipe's.

    Returns:
        New models, in eval mode.

    Raises:
        AuditError: If a model has fewer than k such layers, or one that cannot be drawn anew.
    """
    del forget
    fresh = [initialise(partial(_redrawn, model, k), seed) for model, seed in zip(models, seeds, strict=True)]
    return _fit_last(
        fresh, retain, further(recipe, recipe.epochs if epochs is None else epochs, learning_rate), seeds, k
    )


def last_layers(model: nn.Module, k: int) -> list[nn.Module]:
    """The last k layers that hold a matrix of weights, in the order in which the model defines its
    layers, and what else with weights comes after the first of them (norms, say). AuditError where
    there are fewer."""
    layers = [layer for layer in model.modules() if any(True for _ in layer.parameters(recurse=False))]
    matrices = [
        i for i, layer in enumerate(layers) if any(w.dim() > 1 for w in layer.parameters(recurse=False))
    ]
    if k > len(matrices):
        raise AuditError(
            "procedure.options.k must be at most the model's number of layers with a matrix of weights, "
            f"which is {len(matrices)}, found {k}; lower it"
        )
    return layers[matrices[-k] :]


def _redrawn(model: nn.Module, k: int) -> nn.Module:
    changed = copy.deepcopy(model)
    for layer in last_layers(changed, k):
        redraw(layer)
    return changed


def _fit_last(
    models: Sequence[nn.Module], retain: Records, recipe: Recipe, seeds: Sequence[int], k: int
) -> list[nn.Module]:
    """The models, changed in place: their last k layers trained on retain, all as one stack.
    Weights that were frozen before stay so. Running statistics, which are no weights, follow retain
    in every layer."""
    wanted = [weight for model in models for weight in model.parameters() if weight.requires_grad]
    last = {
        id(w) for model in models for layer in last_layers(model, k) for w in layer.parameters(recurse=False)
    }
    frozen = [weight for weight in wanted if id(weight) not in last]
    for weight in frozen:
        weight.requires_grad_(False)
    fit(models, *retain, recipe, seeds=seeds)
    for weight in frozen:
        weight.requires_grad_(True)
    return list(models)
