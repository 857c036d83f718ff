"""Forgetting Neural Networks: let the neurons that the forget records excite most fade, then
repair.

Source: Hatua, Nguyen, Cano & Sung, "Machine Unlearning using Forgetting Neural Networks"
(arXiv:2410.22374). A turn: rank the units of each layer by their mean activation over the forget
records; let each fade by phi(t; tau), most active fastest; *fold* the fade into the weights; learn
again on the retain records alone. The published code stops with the gate still switched on, which
suppresses the memory without erasing it: hence the three states a model can be asked for.
docs/fnn.md has the axes of the family, what each value means and where it comes from.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import nn

from auditkit.core.errors import UsageError
from auditkit.training import Recipe, fit, run_seed
from auditkit.training.records import Records
from auditkit.unlearning.fnn_gates import set_time
from auditkit.unlearning.fnn_rates import BY_RANK, Rates, Spacing, time_constants
from auditkit.unlearning.fnn_steps import (
    By,
    Clock,
    Unlearning,
    close_gates,
    fading,
    fold_in,
    gate_times,
    open_gates,
    rated_units,
    run_gate_epochs,
    together,
    undrawable,
    unfading,
)

State = Literal["gate on", "gate off", "folded and repaired"]
STATES: tuple[State, ...] = ("gate on", "gate off", "folded and repaired")

Count = Annotated[int, Field(ge=1)]
Epochs = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def unlearn(
    models: Sequence[nn.Module],
    retain: Records,
    forget: Records,
    *,
    seeds: Sequence[int],
    recipe: Recipe,
    rates: Rates = "rank",
    spacing: Spacing = "equidistant",
    tau: Annotated[float, Field(gt=0)] = 30.0,
    span: tuple[Positive, Positive] = (1.0, 128.0),
    top: Annotated[int, Field(ge=0)] = 30,
    by: By = "forget",
    recompute: bool = True,
    layers: Sequence[str] | Literal["linear"] | None = None,
    t: Annotated[float, Field(ge=0)] = 50.0,
    clock: Clock = "turn",
    unlearning: Unlearning = "gate",
    unlearning_epochs: Count = 1,
    fold: Literal["every turn", "last turn"] = "every turn",
    fresh: Annotated[float, Field(ge=0, le=1)] = 0.0,
    learn: Literal["retain", "all"] = "retain",
    turns: Count = 1,
    repair_epochs: Epochs = 5,
    repair_rate: Positive = 1.0,
    repair_schedule: Literal["constant", "cosine"] | None = None,
    state: State = "folded and repaired",
) -> list[nn.Module]:
    """Copies of the models after `turns` turns of forgetting and learning, in eval mode.

    Which units fade how fast. rates, spacing, tau, span, top: the time constants, as
    `rates.time_constants` makes them; those that are random are drawn from the seed of the run. by:
    units are ranked by their mean activation over the forget records, or by how much more it is
    than over the retain records ("contrast"). recompute: anew at each turn, or frozen at the first.
    layers: names of the layers that fade, "linear" for the fully connected ones, by default all
    that can.

    How time passes. Epoch u = 1, ..., E = `unlearning_epochs` of turn k = 1, ... is at time u t by
    the clock "turn", t by "constant", ((k - 1) E + u) t by "cumulative", in the unit of tau.
    unlearning: in each of these epochs nothing more happens ("gate"), or a pass over the forget
    records by the recipe's optimiser, through the gate: cross-entropy "descent", "ascent", or
    descent with "random labels", all wrong.

    What stays of it. fold: into the weights at every turn; or at the last alone, and before that
    the gate is switched off for learning. fresh: the share of what has faded that is replaced by a
    fresh draw of the layer: row w_i becomes phi_i w_i + fresh (1 - phi_i) w_new,i. With a uniform
    gate this is shrink and perturb (Ash & Adams, arXiv:1910.08475).

    Learning. learn: `repair_epochs` epochs of the recipe on the retain records, or on all, the
    forget records too, as the public code does; all models as one stack. repair_rate: times the
    recipe's learning rate. repair_schedule: None is the recipe's.

    state: "gate on" is the last turn's gate before it is folded (as published), "gate off" the same
    model with the gate switched off again, "folded and repaired" the finished, ordinary model. A
    turn is published as learning, then unlearning. The models given have learnt already, so here a
    turn begins with unlearning and ends with learning, the same sequence; in the state "gate on" or
    "gate off" the last turn has no learning, and ends right after unlearning, as published.

    Raises UsageError for options that contradict each other, or that the model cannot follow.
    """
    models = [copy.deepcopy(model).eval() for model in models]
    check(models, rates=rates, spacing=spacing, span=span, by=by, layers=layers, fresh=fresh)
    pace = partial(time_constants, rates=rates, spacing=spacing, tau=tau, span=span, top=top)
    rated = partial(rated_units, layers=layers, retain=retain, forget=forget, by=by, pace=pace)
    steps = replace(recipe, epochs=unlearning_epochs)
    repair = replace(
        recipe,
        epochs=repair_epochs,
        learning_rate=recipe.learning_rate * repair_rate,
        schedule=repair_schedule or recipe.schedule,
    )
    lesson = retain if learn == "retain" else together(retain, forget)
    for turn in range(turns):
        last = turn == turns - 1
        if turn == 0 or recompute:
            gates = [
                rated(model, seed=seed)
                for model, seed in zip(models, of_turn(seeds, "rates", turn), strict=True)
            ]
        times = gate_times(clock, t, turn, unlearning_epochs)
        for model, own, seed in zip(models, gates, of_turn(seeds, "unlearning", turn), strict=True):
            open_gates(model, own)
            run_gate_epochs(model, forget, times, unlearning, steps, seed=seed)
        if last and state != "folded and repaired":
            break
        for model, own, seed in zip(models, gates, of_turn(seeds, "fresh", turn), strict=True):
            if last or fold == "every turn":
                fold_in(model, own, times[-1], fresh=fresh, seed=seed)
            else:
                close_gates(model)
        fit(models, lesson.x, lesson.y, repair, seeds=of_turn(seeds, "repair", turn))
    if state == "gate off":
        for model in models:
            set_time(model, 0)
    return models


def of_turn(seeds: Sequence[int], phase: str, turn: int) -> list[int]:
    """The seed of each run for a phase of a turn."""
    return [run_seed(seed, phase, turn) for seed in seeds]


CHECKED = ("rates", "spacing", "span", "by", "layers", "fresh")
"""The options that `check` looks at."""


def check(
    models: Sequence[nn.Module],
    *,
    rates: Rates,
    spacing: Spacing,
    span: tuple[float, float],
    by: By,
    layers: Sequence[str] | None,
    fresh: float,
) -> None:
    """UsageError, with all that is wrong, if options contradict each other or the models cannot
    follow them."""
    problems = []
    if not 0 < span[0] <= span[1]:
        problems.append(f"span must be (least, most) with 0 < least <= most, found {span}; correct it")
    if rates == "fixed" and spacing != "equidistant":
        problems.append(f"fixed rates have one constant, tau, found spacing = {spacing!r}; leave it out")
    if by == "contrast" and rates not in BY_RANK:
        problems.append(f"rates = {rates!r} look at no activation, found by = 'contrast'; leave it out")
    for model in models[:1]:  # they are alike
        problems += unfading(model, layers) or (undrawable(model, fading(model, layers)) if fresh else [])
    if problems:
        raise UsageError(*problems)


PUBLISHED: Mapping[str, Any] = {
    "turns": 10,
    "t": 1.0,
    "unlearning": "descent",
    "unlearning_epochs": 2,
    "fold": "last turn",
    "learn": "all",
    "repair_epochs": 1,
    "layers": "linear",
    "state": "gate on",
}
"""The protocol of the public code: ten turns of an epoch of learning on all records, gate off, and
two epochs of descent on the forget records through the gate of the fully connected layers, at t = 1
and 2; the last gate stays."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "fnn-ffr": {**PUBLISHED, "rates": "fixed", "tau": 30.0},
    "fnn-ordered": {**PUBLISHED, "rates": "ordered"},
    "fnn-random": {**PUBLISHED, "rates": "random subset"},
    "fnn-rank": {**PUBLISHED, "rates": "rank"},
    "fnn-top": {**PUBLISHED, "rates": "top", "top": 30},
    "fnn-reversed": {**PUBLISHED, "rates": "reversed"},
    "fnn-erase": {
        "rates": "fixed",
        "tau": 30.0,
        "t": 69.0,
        "fresh": 1.0,
        "repair_epochs": 8,
        "repair_rate": 5.0,
        "repair_schedule": "cosine",
    },
}
"""name in a claim -> options of `unlearn`, each of which a claim may set otherwise. The paper's
variants as they are published; "fnn-reversed", their negative control; and the schedule that
erases."""


def states_of(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The states in which models unlearned with these options can be seen, the one they ask for
    last."""
    asked = options.get("state", STATES[-1])
    return (*(state for state in STATES if state != asked), asked)
