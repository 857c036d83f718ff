"""Gradient ascent: steps that make the loss on the forget records larger, as training made it
smaller.

Source: the baseline "Negative Gradient" of Golatkar, Achille & Soatto (CVPR 2020,
arXiv:1911.04933). Thudi, Deza, Chandrasekaran & Papernot, "Unrolling SGD" (arXiv:2109.13398),
derive its first step: to first order, SGD without the forget records ends where their gradients,
taken at the first weights, are added back.

The loss has no upper bound, so ascent that goes on ruins the model: how far to go is left to
tuning, and nothing in the sources clips the gradient. The default here, 5 epochs at a tenth of the
training's learning rate, was chosen for perceptrons trained by Adam, a tenth of whose records are
to be forgotten. On Fashion-MNIST it brings their loss to that of a retrained model, at some points
of test accuracy, and twice as many epochs ruin the model; on MNIST and digits, learnt by heart, it
raises the loss less.
"""

import copy
from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from auditkit.training import Recipe
from auditkit.training.descent import minimise
from auditkit.training.records import Records
from auditkit.unlearning.continued import Epochs, Rate, further

SLOWER = 0.1


def unlearn(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    epochs: Epochs = 5,
    learning_rate: Rate | None = None,
) -> list[nn.Module]:
    """Gradient ascent: the models after some epochs up the loss of the forget records.

    Args:
        models: Trained on retain and forget. They are left as they are.
        retain: The records to keep; not looked at.
        forget: The records to forget.
        seeds: One a model.
        recipe: How the models were trained: optimiser, batches and schedule are its.
        epochs: Passes over forget.
        learning_rate: By default a tenth of the recipe's.

    Returns:
        New models, in eval mode.
    """
    del retain
    ascent = further(
        recipe, epochs, SLOWER * recipe.learning_rate if learning_rate is None else learning_rate
    )
    copies = [copy.deepcopy(model) for model in models]
    for model, seed in zip(copies, seeds, strict=True):
        minimise(model, partial(_negated, model, forget), len(forget.y), ascent, seed=seed)
    return copies


def _negated(model: nn.Module, forget: Records, batch: torch.Tensor) -> torch.Tensor:
    return -nn.functional.cross_entropy(model(forget.x[batch]), forget.y[batch])
