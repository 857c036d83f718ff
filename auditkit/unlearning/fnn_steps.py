"""What a turn of a forgetting neural network is made of (see `fnn`): which units fade how fast,
what the clock of their gates reads, the steps that are taken through the gates, and what is left of
the layers when they are folded."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from auditkit.training import Recipe, initialise, run_seed
from auditkit.training.descent import minimise
from auditkit.training.records import Records
from auditkit.unlearning.fnn_gates import attach, fold, gateable, mean_activations, set_time

By = Literal["forget", "contrast"]
Clock = Literal["turn", "constant", "cumulative"]
Unlearning = Literal["gate", "descent", "ascent", "random labels"]

Gates = Mapping[str, torch.Tensor]
"""layer name -> the time constant of each of its units, (units,)"""

AT_ONCE = 1000
"""Retain records whose activations are in memory at once."""


def fading(model: nn.Module, layers: Sequence[str] | None) -> list[str]:
    """The names of the layers that fade: those named, all that can (None), or the linear ones
    ("linear")."""
    if layers is None:
        return gateable(model)
    if layers == "linear":
        return [name for name in gateable(model) if isinstance(model.get_submodule(name), nn.Linear)]
    return list(layers)


def unfading(model: nn.Module, layers: Sequence[str] | None) -> list[str]:
    """What is wrong with the layers that are to fade; [] if nothing is."""
    able, names = gateable(model), fading(model, layers)
    if names and set(names) <= set(able):
        return []
    remedy = f"found {layers!r}; name some of them, or leave it out and all of them fade"
    return [
        f"layers must name layers of the model that can fade ({', '.join(able) or 'it has none'}), {remedy}"
    ]


def mean_activation(
    model: nn.Module, names: Sequence[str], retain: Records, forget: Records, by: By
) -> dict[str, torch.Tensor]:
    """How strongly the forget records excite each unit of the named layers, (units,): their mean
    activation, or its difference from that of the retain records ("contrast")."""
    excited = mean_activations(model, names, forget.x)
    if by == "contrast":
        for part in retain.x.split(AT_ONCE):
            usual = mean_activations(model, names, part)
            excited = {
                name: mean - usual[name] * (len(part) / len(retain.x)) for name, mean in excited.items()
            }
    return excited


def rated_units(
    model: nn.Module,
    *,
    layers: Sequence[str] | None,
    retain: Records,
    forget: Records,
    by: By,
    pace: Callable[..., torch.Tensor],
    seed: int,
) -> Gates:
    """The time constants that `pace`, a `rates.time_constants` with its options set, gives to the
    units of these layers; those that are random are drawn from the seed, layer after layer."""
    generator = torch.Generator().manual_seed(seed)
    excited = mean_activation(model, fading(model, layers), retain, forget, by)
    return {name: pace(activation, generator=generator) for name, activation in excited.items()}


def open_gates(model: nn.Module, gates: Gates, t: float = 0.0) -> nn.Module:
    """Attach the gates, their clocks at t; returns the model."""
    for name, tau in gates.items():
        attach(model.get_submodule(name), tau)
    set_time(model, t)
    return model


def close_gates(model: nn.Module) -> None:
    """Take the gates away, with the weights as they would be had there been none."""
    set_time(model, 0)
    fold(model)


def gate_times(clock: Clock, t: float, turn: int, epochs: int) -> list[float]:
    """What the clock reads at each of the unlearning epochs of a turn, counted from 0."""
    match clock:
        case "turn":
            return [t * u for u in range(1, epochs + 1)]
        case "constant":
            return [t] * epochs
        case "cumulative":
            return [t * (turn * epochs + u) for u in range(1, epochs + 1)]


def run_gate_epochs(
    model: nn.Module,
    forget: Records,
    times: Sequence[float],
    unlearning: Unlearning,
    recipe: Recipe,
    *,
    seed: int,
) -> None:
    """Epoch after epoch, set the clock of the gates and take the epoch's steps on the forget
    records through them.

    recipe: of as many epochs as there are times. The optimiser starts anew each epoch, as the
    network is another one at another time; its learning rate follows the schedule. Images are taken
    as they are.
    """
    for epoch, t in enumerate(times):
        set_time(model, t)
        if unlearning != "gate":
            now = replace(recipe, epochs=1, learning_rate=recipe.rate(epoch), schedule="constant")
            epoch_seed = run_seed(seed, "epoch", epoch)
            minimise(model, loss(model, forget, unlearning, epoch_seed), len(forget.x), now, seed=epoch_seed)


def loss(
    model: nn.Module, forget: Records, unlearning: Unlearning, seed: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """What is made smaller: the mean cross-entropy of the forget records ("descent"), its negative
    ("ascent"), or that with wrong labels ("random labels")."""
    labels = wrong_labels(model, forget, seed) if unlearning == "random labels" else forget.y

    def of_batch(batch: torch.Tensor) -> torch.Tensor:
        mean = cross_entropy(model(forget.x[batch]), labels[batch])
        return -mean if unlearning == "ascent" else mean

    return of_batch


@torch.no_grad()
def wrong_labels(model: nn.Module, records: Records, seed: int) -> torch.Tensor:
    """For each record one of the other classes that the model knows, each as likely: int64
    (records,)."""
    classes = model.eval()(records.x[:1]).shape[1]
    generator = torch.Generator().manual_seed(seed)
    shift = torch.randint(1, classes, records.y.shape, generator=generator)
    return torch.remainder(records.y + shift.to(records.y.device), classes)


@torch.no_grad()
def fold_in(model: nn.Module, gates: Gates, t: float, *, fresh: float, seed: int) -> None:
    """Fold the gates, open at time t, into the weights, and put `fresh` of a newly drawn layer
    where the old one has faded: row i becomes phi_i w_i + fresh (1 - phi_i) w_new,i."""
    fold(model)
    if fresh == 0:
        return
    drawn = initialise(lambda: redrawn(model, list(gates)), seed)
    kept = fold(open_gates(copy.deepcopy(drawn), gates, t))  # phi w_new, whatever a gate scales
    for weight, new, of_it in zip(model.parameters(), drawn.parameters(), kept.parameters(), strict=True):
        weight.add_(new - of_it, alpha=fresh)


def redrawn(model: nn.Module, names: Sequence[str]) -> nn.Module:
    """A copy whose named layers are drawn anew from torch's generator, on the CPU, so that every
    device sees the same draw."""
    model = copy.deepcopy(model)
    for name in names:
        layer = model.get_submodule(name)
        device = next(layer.parameters()).device
        layer.cpu()
        _draw_of(layer)()
        layer.to(device)
    return model


def undrawable(model: nn.Module, names: Sequence[str]) -> list[str]:
    """What keeps the named layers from being drawn anew; [] if nothing does."""
    problems = []
    for name in dict.fromkeys(names):
        layer = model.get_submodule(name)
        if _draw_of(layer) is None:
            problems.append(
                f"fresh > 0 needs layers that can be drawn anew, found {name!r}, a"
                f" {type(layer).__name__} without reset_parameters; give it one, as torch's own layers"
                " have, or set fresh to 0"
            )
    return problems


def _draw_of(layer: nn.Module) -> Any:
    # nn.MultiheadAttention has its own under a private name
    return getattr(layer, "reset_parameters", None) or getattr(layer, "_reset_parameters", None)


def together(retain: Records, forget: Records) -> Records:
    """All records, those to be retained first."""
    return Records(torch.cat([retain.x, forget.x]), torch.cat([retain.y, forget.y]))
