"""Which neurons fade, and what they respond to: how the method explains itself.

Source: Hatua et al., arXiv:2410.22374: of each forgetting layer the units that the forget records
excite most fade fastest. What a unit responds to is shown by its mean activation for the records of
each class, and by the mean of the images that excite it most.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from auditkit.models.images import image_size
from auditkit.reproduction.course import CHUNK
from auditkit.training.records import Records
from auditkit.unlearning.fnn_gates import retention, set_time
from auditkit.unlearning.fnn_rates import ranks, time_constants

PIXELS = 14
"""The most pixels a side of an image that is shown; larger ones are averaged over squares."""


@dataclass(frozen=True)
class Neuron:
    """One unit. retention: phi(t; rank), what is left of it at the time t. by_class: its mean
    activation over the forget records of each class. image: the mean of those that excite it most,
    rows of pixels, 0 for the darkest and 1 for the brightest."""

    unit: int
    rank: int
    retention: float
    by_class: list[float]
    image: list[list[float]]


@dataclass(frozen=True)
class Neurons:
    """The units of a hidden layer. retention: phi(t; rank) of all of them, by rank. silent: how
    many no record excites. shown: some of the others, from the first rank to the last."""

    layer: str
    t: float
    retention: list[float]
    silent: int
    shown: list[Neuron]


def describe_neurons(
    model: nn.Module, layer: str, forget: Records, *, t: float, shown: int = 8, examples: int = 20
) -> Neurons:
    """What VFR by rank does to the units of a Linear layer with ReLU, at time t, in a model whose
    gates, if it has any, are off meanwhile and afterwards.

    shown: how many units are, at most. examples: how many images the mean image of a unit is taken
    of.
    """
    set_time(model, 0)
    active = activations(model, layer, forget.x)
    mean = active.mean(dim=0)
    rank = ranks(mean)
    left = retention(t, time_constants(mean, rates="rank"))
    by_rank = rank.argsort()
    alive = by_rank[mean[by_rank] > 0]
    # By factors, as phi(t; rank) changes most among the first ranks.
    places = sorted({round(place) for place in np.geomspace(1, len(alive), shown)} if len(alive) else ())

    def neuron(unit: int) -> Neuron:
        own = active[:, unit]
        classes = [own[forget.y == label] for label in range(int(forget.y.max()) + 1)]
        best = own.topk(min(examples, int((own > 0).sum()))).indices
        return Neuron(
            unit,
            int(rank[unit]),
            float(left[unit]),
            [float(values.mean()) if len(values) else 0.0 for values in classes],
            mean_image(forget.x[best]),
        )

    return Neurons(
        layer,
        t,
        left[by_rank].tolist(),
        len(by_rank) - len(alive),
        [neuron(int(alive[place - 1])) for place in places],
    )


@torch.no_grad()
def activations(model: nn.Module, layer: str, x: torch.Tensor) -> torch.Tensor:
    """Activation of each unit of a Linear layer after ReLU, in eval mode: (records, units)."""
    seen: list[torch.Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(
        lambda _m, _i, output: seen.append(output.relu())
    )
    try:
        model.eval()
        for part in x.split(CHUNK):
            model(part)
    finally:
        handle.remove()
    return torch.cat(seen)


def mean_image(x: torch.Tensor) -> list[list[float]]:
    """The mean of images (records, *shape), over their channels too, from 0 to 1, in three
    decimals."""
    image = x.reshape(-1, *image_size(x.shape[1:])).mean(dim=(0, 1))
    square = max(1, max(image.shape) // PIXELS)
    image = nn.functional.avg_pool2d(image[None, None], square)[0, 0]
    image = (image - image.min()) / (image.max() - image.min()).clamp_min(1e-12)
    return [[round(float(value), 3) for value in row] for row in image]
