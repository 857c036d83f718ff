"""The architectures auditkit can build itself: a literal table of functions.

A builder takes the shape of one record and the number of classes and returns a fresh
`torch.nn.Module` that maps records `(n, *shape)` to logits `(n, classes)`. Its initial weights come
from torch's global generator, which the caller seeds (see `auditkit.training`). Runs are trained as
one stack, so what is built here has no buffers, changes nothing in place and takes no path by its
data.
"""

import functools
import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import nn

from auditkit.core.user_code import resolve
from auditkit.models.images import image_size, to_image
from auditkit.models.residual import resnet
from auditkit.models.transformer import Block, FirstToken, Tokens

Build = Callable[[], nn.Module]
"""Builds one freshly initialised model."""

Count = Annotated[int, Field(ge=1)]
Counts = Annotated[Sequence[Count], Field(min_length=1)]
Share = Annotated[float, Field(ge=0, lt=1)]

LEAST_CNN = 6
"""Pixels a side below which two 3x3 convolutions and a pooling leave the CNN nothing."""


def mlp(shape: Sequence[int], classes: int, *, hidden: Counts = (128,)) -> nn.Module:
    """A multi-layer perceptron with ReLU units.

    Args:
        shape: Of one record; it is flattened.
        classes: How many there are.
        hidden: The width of each hidden layer.
    """
    widths = [math.prod(shape), *hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for width, following in itertools.pairwise(widths):
        layers += [nn.Linear(width, following), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))


def cnn(shape: Sequence[int], classes: int, *, dropout: tuple[Share, Share] = (0.25, 0.5)) -> nn.Module:
    """The convolutional network of the FNN paper (Hatua et al., arXiv:2410.22374): 1,199,882
    parameters on 28x28x1 images in 10 classes.

    The paper's log-softmax is left off: a model answers with logits.

    Args:
        shape: Of one record, an image (`image_size`).
        classes: How many there are.
        dropout: The shares of activations dropped in training, before and after the first linear
            layer.

    Raises:
        ValueError: For records that are no images, or images too small.
    """
    channels, height, width = image_size(shape)
    if min(height, width) < LEAST_CNN:
        raise ValueError(
            f"images must be at least {LEAST_CNN} x {LEAST_CNN} for a cnn, found {height} x {width}"
        )
    flat = 64 * ((height - 4) // 2) * ((width - 4) // 2)
    return nn.Sequential(
        OrderedDict(
            image=to_image(shape),
            conv1=nn.Conv2d(channels, 32, 3),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(32, 64, 3),
            relu2=nn.ReLU(),
            pool=nn.MaxPool2d(2),
            dropout1=nn.Dropout(dropout[0]),
            flatten=nn.Flatten(),
            fc1=nn.Linear(flat, 128),
            relu3=nn.ReLU(),
            dropout2=nn.Dropout(dropout[1]),
            fc2=nn.Linear(128, classes),
        )
    )


def vit(
    shape: Sequence[int],
    classes: int,
    *,
    patch: Count | None = None,
    width: Count = 32,
    depth: Count = 2,
    heads: Count = 4,
) -> nn.Module:
    """A small vision transformer (Dosovitskiy et al., arXiv:2010.11929), whose blocks normalise
    first.

    Args:
        shape: Of one record, an image (`image_size`).
        classes: How many there are.
        patch: Pixels a side of a patch, which must divide height and width; by default as large as
            leaves four patches along the shorter side.
        width: The length of a token's vector, a multiple of `heads`.
        depth: Blocks of attention and perceptron.
        heads: Of attention.

    Raises:
        ValueError: For records that are no images, or for what does not divide.
    """
    channels, high, wide = image_size(shape)
    divisors = [p for p in range(1, min(high, wide) + 1) if high % p == wide % p == 0]
    side = patch or max(p for p in divisors if p == 1 or 4 * p <= min(high, wide))
    if side not in divisors:
        raise ValueError(f"patch must divide the image, found patches of {side} in {high} x {wide}")
    if width % heads:
        raise ValueError(f"width must be a multiple of heads, found width {width} and {heads} heads")
    return nn.Sequential(
        OrderedDict(
            image=to_image(shape),
            patches=nn.Conv2d(channels, width, side, side),
            tokens=Tokens((high // side) * (wide // side), width),
            blocks=nn.Sequential(*(Block(width, heads) for _ in range(depth))),
            norm=nn.LayerNorm(width),
            first=FirstToken(),
            head=nn.Linear(width, classes),
        )
    )


MODELS: dict[str, Callable[..., nn.Module]] = {"mlp": mlp, "cnn": cnn, "resnet": resnet, "vit": vit}
"""name in a claim -> builder"""


class Named(Protocol):
    """A builder as a claim names it. name: key of MODELS, or the user's own; options: its
    keywords."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Its options."""


def builder(model: Named, folder: Path, shape: Sequence[int], classes: int) -> Build:
    """What builds the model of a claim.

    Args:
        model: How the claim names it: key of MODELS or the user's own, and options.
        folder: Where the path of a user's own file starts.
        shape: Of one record.
        classes: How many there are.

    Returns:
        A function without arguments that builds one fresh model. It can be pickled: a user's own
        goes by its name, and is resolved where it is called. There it raises UsageError if there is
        no such model, and whatever the user's function raises.
    """
    if model.name in MODELS:
        return functools.partial(MODELS[model.name], tuple(shape), classes, **model.options)
    return functools.partial(_build_own, model.name, folder.resolve(), model.options)


def _build_own(name: str, folder: Path, options: Mapping[str, Any]) -> nn.Module:
    return cast(nn.Module, resolve(name, folder, MODELS, "model.name")(**options))


@torch.no_grad()
def answer(model: nn.Module, x: torch.Tensor, *, chunk: int = 512) -> npt.NDArray[np.float32]:
    """The model's logits on some records, in eval mode.

    Args:
        model: Answers records (n, *shape) with logits (n, classes). It is left in eval mode.
        x: (records, *shape), on any device: it goes to where the model is, and the logits come
            back.
        chunk: How many records go at a time.

    Returns:
        float32 (records, classes), on the CPU.

    Raises:
        RuntimeError: If asking changed a buffer of the model, as a batch-norm layer left in
            training mode would: such answers depend on who else was asked.
    """
    model.eval()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    device = next((parameter.device for parameter in model.parameters()), x.device)
    logits = torch.cat([model(part.to(device)).cpu() for part in x.split(chunk)])
    changed = [name for name, buffer in model.named_buffers() if not torch.equal(buffer, before[name])]
    if changed or model.training:
        raise RuntimeError(f"scoring changed the model: buffers {changed}, training mode {model.training}")
    return logits.float().numpy()
