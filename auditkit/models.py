"""The architectures auditkit can build itself: a literal table of functions.

A builder takes the shape of one record and the number of classes and returns a fresh
`torch.nn.Module` that maps records `(n, *shape)` to logits `(n, classes)`. Its initial weights come
from torch's global generator, which the caller seeds (see `auditkit.training`).
"""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

Build = Callable[[], nn.Module]
"""Builds one freshly initialised model."""


def mlp(shape: Sequence[int], classes: int, *, hidden: Sequence[int] = (128,)) -> nn.Module:
    """A multi-layer perceptron with ReLU units: `hidden` gives the width of each hidden layer."""
    widths = [math.prod(shape), *hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for width, following in itertools.pairwise(widths):
        layers += [nn.Linear(width, following), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))


MODELS: dict[str, Callable[..., nn.Module]] = {"mlp": mlp}
"""name in a claim -> builder"""


@torch.no_grad()
def answer(model: nn.Module, x: torch.Tensor, *, chunk: int = 4096) -> npt.NDArray[np.float32]:
    """The model's logits on x, in eval mode: float32 (records, classes).

    Raises RuntimeError if asking changed a buffer of the model, as a batch-norm layer left in training
    mode would: such answers depend on who else was asked.
    """
    model.eval()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    logits = torch.cat([model(part) for part in x.split(chunk)])
    changed = [name for name, buffer in model.named_buffers() if not torch.equal(buffer, before[name])]
    if changed or model.training:
        raise RuntimeError(f"scoring changed the model: buffers {changed}, training mode {model.training}")
    return logits.float().numpy()
