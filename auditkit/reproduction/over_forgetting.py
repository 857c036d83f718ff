"""Over-forgetting against K: what is left when the K most active units of a layer are switched off.

Source: Hatua et al., arXiv:2410.22374; in the code that its author published first, the K most
active units have the time constant 0, and so are gone at any t > 0, and the others fade by rank.
That code has K = 20 for the ten logits too: they all become 0, the first of them counts as the
largest, and the network answers "class 0". (Over-forgetting against t is `published.one_shot`.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from auditkit.reproduction.course import LAYERS, Measured, Trajectory
from auditkit.unlearning.fnn_rates import ranks, time_constants

KS: Mapping[str, Sequence[int]] = {
    "fc1": (0, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 128),
    "fc2": tuple(range(11)),
}
"""layer -> the K that are tried: of 128 hidden units, and of ten logits."""


@dataclass(frozen=True)
class TopK:
    """A network whose K most active units of one layer are switched off, the others of it faded by
    rank."""

    layer: str
    k: int
    seen: Measured


def top_k(course: Trajectory, layer: str, ks: Sequence[int], *, t: float = 1.0) -> list[TopK]:
    """The network measured with its gates at time t, for each K. Only units of `layer` fade.

    course: a network that has learned, with gates on all of LAYERS; its weights stay as they are.
    ks: numbers of units; one above what the layer has switches all of them off. t > 0.
    """
    activations = course.activations()
    forever = {name: torch.full_like(activations[name], torch.inf) for name in LAYERS}
    rank, found = ranks(activations[layer]), []
    for k in ks:
        constants = time_constants(activations[layer], rates="rank")
        constants[rank <= k] = 0
        course.set_constants(forever | {layer: constants})
        found.append(TopK(layer, k, course.measure(t)[0]))
    return found
