"""Honest cases: retrained from scratch on retain alone, by the claim's recipe or by another one.

None has anything left of the forget records. What EXACT_CASES has may be refuted no more often than
alpha allows; what HONEST_CASES has may not be refuted for being different, unless it loses
accuracy.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from auditkit.calibration.cases import GalleryCase
from auditkit.training import Recipe, initialise
from auditkit.training.descent import minimise
from auditkit.training.records import Records
from auditkit.unlearning import retrain


def other_recipe(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    rate: float = 1.0,
    epochs: float = 1.0,
    optimiser: str | None = None,
    learning_rate: float | None = None,
    schedule: str | None = None,
    weight_decay: float | None = None,
) -> list[nn.Module]:
    """Retrained from scratch on retain alone, by another recipe.

    Args:
        models: Of which only the architecture counts.
        retain: The records to train on.
        forget: Not looked at.
        seeds: One a model.
        recipe: How the models were trained. What the options below do not say is taken from it.
        rate: The learning rate, as a share of the recipe's.
        epochs: The number of epochs, as a share of the recipe's.
        optimiser: One of `auditkit.training.recipe.OPTIMISERS`.
        learning_rate: By itself, where the optimiser asks for another size.
        schedule: One of `auditkit.training.recipe.SCHEDULES`.
        weight_decay: As the optimiser defines it.

    Returns:
        New models, in eval mode.
    """
    other = replace(
        recipe,
        epochs=max(1, round(epochs * recipe.epochs)),
        learning_rate=rate * (recipe.learning_rate if learning_rate is None else learning_rate),
        optimiser=optimiser or recipe.optimiser,
        schedule=schedule or recipe.schedule,
        weight_decay=recipe.weight_decay if weight_decay is None else weight_decay,
    )
    return retrain.unlearn(models, retain, forget, seeds=seeds, recipe=other)


def smoothed_labels(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    smoothing: float,
) -> list[nn.Module]:
    """Retrained from scratch on retain alone, with smoothed labels (Szegedy, Vanhoucke, Ioffe,
    Shlens & Wojna 2016, section 7): one model after the other, and no record is moved, as `fit`
    trains by the plain cross-entropy alone.

    Args:
        models: Of which only the architecture counts.
        retain: The records to train on.
        forget: Not looked at.
        seeds: One a model.
        recipe: How the models were trained, but for `augment`.
        smoothing: The share of each label that is spread evenly over all classes.

    Returns:
        New models, in eval mode.
    """
    fresh = [
        initialise(partial(retrain.redrawn, model), seed) for model, seed in zip(models, seeds, strict=True)
    ]

    def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(model(retain.x[batch]), retain.y[batch], label_smoothing=smoothing)

    return [
        minimise(model, partial(loss, model), len(retain.y), recipe, seed=seed)
        for model, seed in zip(fresh, seeds, strict=True)
    ]


EXACT_CASES: dict[str, GalleryCase] = {
    "exact retraining": GalleryCase(
        retrain.unlearn, {}, "retrained once more, from scratch on retain alone, by the same recipe"
    ),
}

HONEST_CASES: dict[str, GalleryCase] = {
    "half the learning rate": GalleryCase(
        other_recipe, {"rate": 0.5}, "retrained with half the learning rate"
    ),
    "double the learning rate": GalleryCase(
        other_recipe, {"rate": 2.0}, "retrained with double the learning rate"
    ),
    "a quarter of the epochs": GalleryCase(
        other_recipe, {"epochs": 0.25}, "retrained for a quarter of the epochs"
    ),
    "half the epochs": GalleryCase(other_recipe, {"epochs": 0.5}, "retrained for half the epochs"),
    "twice the epochs": GalleryCase(other_recipe, {"epochs": 2.0}, "retrained for twice the epochs"),
    "SGD": GalleryCase(
        other_recipe,
        {"optimiser": "sgd", "learning_rate": 0.05},
        "retrained by stochastic gradient descent with momentum, at a rate of its own",
    ),
    "AdamW": GalleryCase(
        other_recipe,
        {"optimiser": "adamw", "weight_decay": 0.01},
        "retrained by AdamW, with the weight decay that torch sets",
    ),
    "cosine schedule": GalleryCase(
        other_recipe, {"schedule": "cosine"}, "retrained with a learning rate that falls along a cosine"
    ),
    "weight decay": GalleryCase(other_recipe, {"weight_decay": 1e-4}, "retrained with weight decay"),
    "label smoothing": GalleryCase(
        smoothed_labels, {"smoothing": 0.1}, "retrained with a tenth of each label spread over all classes"
    ),
}
