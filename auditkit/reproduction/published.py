"""The paper's learning and unlearning, as in its author's public code.

Source: Hatua, Nguyen, Cano & Sung, "Machine Unlearning using Forgetting Neural Networks"
(arXiv:2410.22374). One departure: units are ranked by their mean activation over the whole forget
set, as the paper says, where the code ranks by the batch it happened to see last, which is one of
held-out records.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from auditkit.reproduction.course import LAYERS, Point, Trajectory, start
from auditkit.reproduction.paper_attack import AttackModel
from auditkit.reproduction.sizes import Parts
from auditkit.training import run_seed
from auditkit.unlearning.fnn_rates import time_constants

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "FFR": {"rates": "fixed", "tau": 30.0},
    "VFR-ordered": {"rates": "ordered"},
    "VFR-random": {"rates": "random subset"},
    "VFR-permuted": {"rates": "random"},
    "VFR-rank": {"rates": "rank"},
    "VFR-top-30": {"rates": "top", "top": 30},
}
"""name -> options of `time_constants`. VFR-random is what the public code calls random: so many
units as chance says, drawn by chance, forget at once, the others by rank; VFR-permuted gives the
ranks themselves out by chance."""

UNLEARNING_EPOCHS = (1, 2)
"""The times t of the unlearning epochs of a turn."""

LEARNING_EPOCHS = 3
"""How many come before the unlearning of a one-shot run."""


def learn_and_unlearn(
    parts: Parts,
    variant: str,
    *,
    seed: int,
    turns: int = 10,
    first: int = 1,
    gamma: float = 0.07,
    layers: Sequence[str] = LAYERS,
    attack: AttackModel = "perceptron",
) -> list[Point]:
    """The saw-tooth: each turn one epoch of learning on all training records with the gates off,
    and two of unlearning on the forget records with the gates on at t = 1, 2; a point after each.

    variant: one of VARIANTS; its ranks are taken anew before each unlearning. first: passes that
    make up the first epoch of learning. gamma: by which the learning rate, 0.01 at first, is
    multiplied after each epoch.
    """
    course = start(parts, gamma=gamma, seed=seed, layers=layers, attack=attack)
    rng = generator(seed)
    points = []
    for turn in range(1, turns + 1):
        course.learn(first if turn == 1 else 1)
        points.append(course.point(turn, "learn", 0))
        order_units(course, variant, rng)
        for t in UNLEARNING_EPOCHS:
            course.unlearn(t)
            points.append(course.point(turn, "unlearn", t))
    return points


def one_shot(
    parts: Parts,
    variant: str,
    *,
    seed: int,
    longest: int = 16,
    descent: bool = True,
    first: int = 1,
    gamma: float = 0.07,
    layers: Sequence[str] = LAYERS,
    attack: AttackModel = "perceptron",
) -> list[Point]:
    """Three epochs of learning, then unlearning at t = 1, 2, ..., `longest` without learning again:
    how much is lost when time goes on. descent: whether unlearning takes gradient steps, as in the
    public code, or is the gates' alone. For the rest see `learn_and_unlearn`."""
    course = start(parts, gamma=gamma, seed=seed, layers=layers, attack=attack)
    points = []
    for epoch in range(LEARNING_EPOCHS):
        course.learn(1 if epoch else first)
        points.append(course.point(1, "learn", 0))
    order_units(course, variant, generator(seed))
    for t in range(1, longest + 1):
        course.unlearn(t, descent=descent)
        points.append(course.point(1, "unlearn", t))
    return points


def learned(
    parts: Parts,
    *,
    seed: int,
    first: int = 1,
    gamma: float = 0.07,
    layers: Sequence[str] = LAYERS,
    attack: AttackModel = "perceptron",
) -> Trajectory:
    """The network as it is before the unlearning of a one-shot run, and has been through nothing
    else."""
    course = start(parts, gamma=gamma, seed=seed, layers=layers, attack=attack)
    for epoch in range(LEARNING_EPOCHS):
        course.learn(1 if epoch else first)
    return course


def order_units(course: Trajectory, variant: str, generator: torch.Generator) -> None:
    """Give every unit the time constant that the variant says, by what the forget records excite
    now."""
    options = VARIANTS[variant]
    course.set_constants(
        {
            name: time_constants(activation, generator=generator, **options)
            for name, activation in course.activations().items()
        }
    )


def generator(seed: int) -> torch.Generator:
    """Of the variants whose rates are random: by `seed` alone, and not that of anything else in the
    run."""
    return torch.Generator().manual_seed(run_seed(seed, "rates", 0))
