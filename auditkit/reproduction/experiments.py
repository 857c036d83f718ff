"""The experiments that need no audit, each a call that can be made anywhere: by size, data set and
name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from auditkit.data import load
from auditkit.reproduction.course import Point
from auditkit.reproduction.neurons import Neurons, describe_neurons
from auditkit.reproduction.over_forgetting import KS, TopK, top_k
from auditkit.reproduction.published import VARIANTS, learn_and_unlearn, learned, one_shot
from auditkit.reproduction.sizes import SIZES, Parts, split

SPLIT_SEED = 42
"""The public code's."""
SEED = 0
"""Of the one network behind each curve."""

CURVES = [variant for variant in VARIANTS if variant != "VFR-permuted"]
"""Variants with a curve: of the two that the public code calls random, the one that its results are
of."""

ONE_SHOT = {
    "FFR": ("FFR", True),
    "VFR-rank": ("VFR-rank", True),
    "VFR-rank, gate alone": ("VFR-rank", False),
}
"""What a one-shot run is called -> its variant, and whether unlearning takes gradient steps."""

FADED_AT = 5.0
"""The time at which neurons are shown: that of the public code where it is the same in every
epoch."""


def experiments(size: str, source: str, device: str) -> dict[str, Callable[[], object]]:
    """name -> what makes it, of one data set."""
    of = (size, source, device)
    return {
        **{f"curve {variant}": partial(curve, *of, variant) for variant in CURVES},
        **{f"one shot {run}": partial(over_time, *of, run) for run in ONE_SHOT},
        "network": partial(network, *of),
    }


def curve(size: str, source: str, device: str, variant: str) -> Sequence[Point]:
    """Learning and unlearning as published, after every epoch."""
    own = SIZES[size]
    parts = parts_of(size, source, device)
    return learn_and_unlearn(
        parts, variant, seed=SEED, turns=own.turns, first=own.first, gamma=own.gamma, attack=own.attack
    )


def over_time(size: str, source: str, device: str, run: str) -> Sequence[Point]:
    """One unlearning that goes on and on."""
    own, (variant, descent) = SIZES[size], ONE_SHOT[run]
    return one_shot(
        parts_of(size, source, device),
        variant,
        seed=SEED,
        longest=own.longest,
        descent=descent,
        first=own.first,
        gamma=own.gamma,
        attack="logistic regression",
    )


@dataclass(frozen=True)
class Network:
    """What one network shows after learning. over_k: layer -> accuracy against K. neurons: which of
    them fade."""

    over_k: dict[str, list[TopK]]
    neurons: Neurons


def network(size: str, source: str, device: str) -> Network:
    """A network that has learned, with its most active units switched off, and looked into."""
    own, parts = SIZES[size], parts_of(size, source, device)
    course = learned(parts, seed=SEED, first=own.first, gamma=own.gamma, attack="logistic regression")
    over_k = {layer: top_k(course, layer, ks) for layer, ks in KS.items()}
    return Network(over_k, describe_neurons(course.model, "fc1", parts.forget, t=FADED_AT))


def parts_of(size: str, source: str, device: str) -> Parts:
    """The records of a data set by the part they play."""
    return split(load(source), SIZES[size], SPLIT_SEED, device)
