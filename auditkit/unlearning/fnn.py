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
from auditkit.unlearning.procedure import Procedure

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
    """FNN: the models after `turns` turns of forgetting and learning.

    Epoch u = 1, ..., E = `unlearning_epochs` of turn k = 1, ... is at time u t by the clock "turn",
    t by "constant", ((k - 1) E + u) t by "cumulative", in the unit of tau. Folding with `fresh`
    makes row w_i of a layer phi_i w_i + fresh (1 - phi_i) w_new,i; with a uniform gate this is
    shrink and perturb (Ash & Adams, arXiv:1910.08475).

    A turn is published as learning, then unlearning. The models given have learnt already, so here
    a turn begins with unlearning and ends with learning, the same sequence; in the state "gate on"
    or "gate off" the last turn has no learning, and ends right after unlearning, as published.

    Args:
        models: Trained on retain and forget. They are left as they are.
        retain: The records to keep.
        forget: The records to forget.
        seeds: One a model, from which random rates, orders and fresh weights are drawn.
        recipe: How the models were trained: unlearning and learning take their steps by it.
        rates: Which units fade how fast; see `fnn_rates.Rates`.
        spacing: How time constants are spaced over the ranks; see `fnn_rates.Spacing`.
        tau: The time constant of fixed rates.
        span: The smallest and the largest constant of a spacing that has them.
        top: How many units of a layer are at the top, with rates "top".
        by: Units are ranked by their mean activation over the forget records, or by how much more
            it is than over the retain records ("contrast").
        recompute: Whether ranks are taken anew at each turn, or frozen at the first.
        layers: Names of the layers that fade, "linear" for the fully connected ones, by default all
            that can.
        t: The step of the clock.
        clock: How the time of an epoch is counted.
        unlearning: What happens in an unlearning epoch: nothing more ("gate"), or a pass over the
            forget records through the gate: cross-entropy "descent", "ascent", or descent with
            "random labels", all wrong.
        unlearning_epochs: Of each turn.
        fold: The gate is folded into the weights at every turn; or at the last alone, and before
            that it is switched off for learning.
        fresh: The share of what has faded that is replaced by a fresh draw of the layer.
        learn: On the retain records, or on all, the forget records too, as the public code does.
        turns: How many.
        repair_epochs: Of learning in each turn; all models as one stack.
        repair_rate: Times the recipe's learning rate.
        repair_schedule: None is the recipe's.
        state: "gate on" is the last turn's gate before it is folded (as published), "gate off" the
            same model with the gate switched off again, "folded and repaired" the finished,
            ordinary model.

    Returns:
        New models, in eval mode, in that state.

    Raises:
        UsageError: For options that contradict each other, or that the model cannot follow.
    """
    models = [copy.deepcopy(model).eval() for model in models]
    for model in models[:1]:  # they are alike
        if wrong := flaws(model, rates=rates, spacing=spacing, span=span, by=by, layers=layers, fresh=fresh):
            raise UsageError(*wrong)
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
            drawn = zip(models, of_turn(seeds, "rates", turn), strict=True)
            gates = [rated(model, seed=seed) for model, seed in drawn]
        times = gate_times(clock, t, turn, unlearning_epochs)
        for model, constants, seed in zip(models, gates, of_turn(seeds, "unlearning", turn), strict=True):
            open_gates(model, constants)
            run_gate_epochs(model, forget, times, unlearning, steps, seed=seed)
        if last and state != "folded and repaired":
            break
        for model, constants, seed in zip(models, gates, of_turn(seeds, "fresh", turn), strict=True):
            if last or fold == "every turn":
                fold_in(model, constants, times[-1], fresh=fresh, seed=seed)
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


def problems(model: nn.Module, options: Mapping[str, Any]) -> list[str]:
    """What in a claim's options contradicts itself, or cannot be followed by the model; [] if
    nothing."""
    checked = {name: options[name] for name in ("rates", "spacing", "span", "by", "layers", "fresh")}
    return [f"procedure.options: {flaw}" for flaw in flaws(model, **checked)]


def flaws(
    model: nn.Module,
    *,
    rates: Rates,
    spacing: Spacing,
    span: tuple[float, float],
    by: By,
    layers: Sequence[str] | None,
    fresh: float,
) -> list[str]:
    """In what these options of `unlearn` contradict each other, or the model cannot follow them."""
    flawed = []
    if not 0 < span[0] <= span[1]:
        flawed.append(f"span must be (least, most) with 0 < least <= most, found {span}; correct it")
    if rates == "fixed" and spacing != "equidistant":
        flawed.append(f"fixed rates have one constant, tau, found spacing = {spacing!r}; leave it out")
    if by == "contrast" and rates not in BY_RANK:
        flawed.append(f"rates = {rates!r} look at no activation, found by = 'contrast'; leave it out")
    return flawed + (unfading(model, layers) or (undrawable(model, fading(model, layers)) if fresh else []))


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


def procedure(preset: Mapping[str, Any]) -> Procedure:
    """The entry of the family in the table of procedures, with these options by default. Its last
    state is the one that they ask for."""
    last = preset.get("state", STATES[-1])
    states = (*(state for state in STATES if state != last), last)
    return Procedure(partial(unlearn, **preset), states, problems)
