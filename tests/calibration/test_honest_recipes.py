"""Honest cases: each is retraining on retain alone by the recipe that its name says."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from auditkit.calibration.honest_recipes import EXACT_CASES, HONEST_CASES, smoothed_labels
from auditkit.training import Recipe, initialise
from auditkit.training.records import Records
from auditkit.unlearning import retrain
from auditkit.unlearning.binding import bind_procedure
from tests.calibration.small_world import (
    FORGET,
    RECIPE,
    RETAIN,
    SEEDS,
    STAND_INS,
    digits,
    same,
    trained,
    weights,
)

BY_RECIPE: dict[str, dict[str, Any]] = {
    "exact retraining": {},
    "half the learning rate": {"learning_rate": 0.005},
    "double the learning rate": {"learning_rate": 0.02},
    "a quarter of the epochs": {"epochs": 1},
    "half the epochs": {"epochs": 2},
    "twice the epochs": {"epochs": 8},
    "SGD": {"optimiser": "sgd", "learning_rate": 0.05},
    "AdamW": {"optimiser": "adamw", "weight_decay": 0.01},
    "cosine schedule": {"schedule": "cosine"},
    "weight decay": {"weight_decay": 1e-4},
}
HONEST = {**EXACT_CASES, **HONEST_CASES}


def made(name: str, forget: Records) -> list[nn.Module]:
    claimed, retain = HONEST[name].claimed.procedure, digits(RETAIN)
    procedure = bind_procedure(claimed.name, __file__, claimed.options, RECIPE)  # type: ignore[arg-type]
    return procedure(trained([retain, forget], 0), retain, forget, SEEDS)


@pytest.mark.parametrize("name", BY_RECIPE)
def test_a_case_is_retraining_by_the_recipe_it_names(name: str) -> None:
    """To the last bit, each is what exact unlearning makes of the recipe changed as the name
    says."""
    retain, forget = digits(RETAIN), digits(FORGET)
    other = replace(RECIPE, **BY_RECIPE[name])
    expected = retrain.unlearn(trained([retain], 0), retain, forget, seeds=SEEDS, recipe=other)
    assert same(weights(made(name, forget)), weights(expected))


@pytest.mark.parametrize("name", HONEST)
def test_nothing_depends_on_the_forget_records(name: str) -> None:
    """Other records to forget, and models that were trained on those, give the same models."""
    assert same(weights(made(name, digits(FORGET))), weights(made(name, digits(STAND_INS))))


def test_every_honest_case_is_checked_against_its_recipe() -> None:
    """Label smoothing, which no recipe has, is the only case with a loss of its own."""
    assert HONEST.keys() - BY_RECIPE.keys() == {"label smoothing"}


def test_smoothed_labels_against_a_loop() -> None:
    """Each model is what a plain loop of torch's own label smoothing and optimiser learns from the
    seed."""
    retain, forget = digits(RETAIN), digits(FORGET)
    recipe = Recipe(epochs=3, batch_size=16, learning_rate=0.01)
    originals = trained([retain, forget], 0)
    found = smoothed_labels(originals, retain, forget, seeds=SEEDS, recipe=recipe, smoothing=0.1)
    for model, original, seed in zip(found, originals, SEEDS, strict=True):
        expected = initialise(lambda original=original: retrain.redrawn(original), seed)  # type: ignore[misc]
        optimiser, rng = torch.optim.Adam(expected.parameters(), lr=0.01), np.random.default_rng(seed)
        criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
        for _ in range(3):
            for batch in torch.from_numpy(rng.permutation(len(retain.y))).split(16):
                optimiser.zero_grad()
                criterion(expected(retain.x[batch]), retain.y[batch]).backward()
                optimiser.step()
        torch.testing.assert_close(model.state_dict(), expected.state_dict(), rtol=1e-4, atol=1e-5)


def test_without_smoothing_it_is_the_plain_loss() -> None:
    """With nothing of a label spread, training one by one learns what exact retraining does, up to
    rounding."""
    retain, forget = digits(RETAIN), digits(FORGET)
    originals = trained([retain, forget], 0)
    plain = smoothed_labels(originals, retain, forget, seeds=SEEDS, recipe=RECIPE, smoothing=0.0)
    exact = retrain.unlearn(originals, retain, forget, seeds=SEEDS, recipe=RECIPE)
    for one, other in zip(weights(plain), weights(exact), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
