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
from auditkit.models.transformer import Block, FirstToken, Tokens

Build = Callable[[], nn.Module]
"""Builds one freshly initialised model."""

Count = Annotated[int, Field(ge=1)]
Counts = Annotated[Sequence[Count], Field(min_length=1)]
Share = Annotated[float, Field(ge=0, lt=1)]

LEAST_CNN = 6
"""Pixels a side below which two 3x3 convolutions and a pooling leave the CNN nothing."""


def mlp(shape: Sequence[int], classes: int, *, hidden: Counts = (128,)) -> nn.Module:
    """A multi-layer perceptron with ReLU units: `hidden` gives the width of each hidden layer."""
    widths = [math.prod(shape), *hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for width, following in itertools.pairwise(widths):
        layers += [nn.Linear(width, following), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))


def cnn(shape: Sequence[int], classes: int, *, dropout: tuple[Share, Share] = (0.25, 0.5)) -> nn.Module:
    """The convolutional network of the FNN paper (Hatua et al., arXiv:2410.22374): 1,199,882
    parameters on 28x28x1 images in 10 classes.

    dropout: the shares of activations dropped in training, before and after the first linear layer.
    The paper's log-softmax is left off: a model answers with logits. Raises ValueError for records
    that are no images (`image_size`), or images too small.
    """
    channels, height, width = image_size(shape)
    if min(height, width) < LEAST_CNN:
        raise ValueError(
            f"images must be at least {LEAST_CNN} x {LEAST_CNN} for a cnn, found {height} x {width}"
        )
    flat = 64 * ((height - 4) // 2) * ((width - 4) // 2)
    return nn.Sequential(
        OrderedDict(
            image=_to_image(shape),
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


def resnet(
    shape: Sequence[int],
    classes: int,
    *,
    width: Count = 16,
    blocks: Counts = (1, 1, 1),
    groups: Count = 8,
) -> nn.Module:
    """A small residual network with pre-activation (He et al., arXiv:1603.05027), and group norm
    (Wu & He, arXiv:1803.08494) in place of batch norm, whose running statistics would tie the
    records of a batch together.

    blocks: how many residual blocks each stage has; each stage halves height and width (rounded
    up), and each but the first doubles the channels, of which there are `width` at first. groups:
    channels are normalised in so many groups, which must divide `width`. Raises ValueError for
    records that are no images (`image_size`), or groups that do not divide.
    """
    channels = width
    stages: list[nn.Module] = []
    for stage, n in enumerate(blocks):
        wider = width * 2**stage
        first = Residual(channels, wider, groups, stride=2)
        stages.append(nn.Sequential(first, *(Residual(wider, wider, groups) for _ in range(n - 1))))
        channels = wider
    return nn.Sequential(
        OrderedDict(
            image=_to_image(shape),
            stem=nn.Conv2d(image_size(shape)[0], width, 3, padding=1, bias=False),
            stages=nn.Sequential(*stages),
            norm=nn.GroupNorm(groups, channels),
            relu=nn.ReLU(),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(channels, classes),
        )
    )


class Residual(nn.Module):
    """x + F(x), where F is twice group norm, ReLU and a 3x3 convolution, the first of them with
    `stride`. Where F changes the shape, a 1x1 convolution does so to x."""

    def __init__(self, channels: int, wider: int, groups: int, stride: int = 1) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.GroupNorm(groups, channels),
            nn.ReLU(),
            nn.Conv2d(channels, wider, 3, stride, padding=1, bias=False),
            nn.GroupNorm(groups, wider),
            nn.ReLU(),
            nn.Conv2d(wider, wider, 3, padding=1, bias=False),
        )
        same = channels == wider and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels, wider, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (n, channels, height, width), returned with the block's own channels, height and
        width."""
        return cast(torch.Tensor, self.shortcut(x) + self.residual(x))


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

    patch: pixels a side of a patch, which must divide height and width; by default as large as
    leaves four patches along the shorter side. width: the length of a token's vector, a multiple of
    `heads`. depth: blocks of attention and perceptron. Raises ValueError for records that are no
    images (`image_size`), or for what does not divide.
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
            image=_to_image(shape),
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
    """What builds the model of a claim for records of `shape` in so many classes. It can be
    pickled: a user's own function goes by its name, and is resolved where it is called.

    folder: where the path of a user's own file starts. Raises nothing by itself; what it returns
    raises UsageError where there is no such model, and whatever the function raises.
    """
    if model.name in MODELS:
        return functools.partial(MODELS[model.name], tuple(shape), classes, **model.options)
    return functools.partial(_build_own, model.name, folder.resolve(), model.options)


def _build_own(name: str, folder: Path, options: Mapping[str, Any]) -> nn.Module:
    return cast(nn.Module, resolve(name, folder, MODELS, "model.name")(**options))


def image_size(shape: Sequence[int]) -> tuple[int, int, int]:
    """The (channels, height, width) of records of `shape` as images.

    shape: (channels, height, width); (height, width), one channel; or (pixels,), one channel and
    square. Raises ValueError for any other.
    """
    match tuple(shape):
        case (channels, height, width):
            return channels, height, width
        case (height, width):
            return 1, height, width
        case (pixels,) if (side := math.isqrt(pixels)) ** 2 == pixels:
            return 1, side, side
    raise ValueError(
        "images must be (channels, height, width), (height, width), or flat with a square number of pixels, "
        f"found records of shape {tuple(shape)}"
    )


def _to_image(shape: Sequence[int]) -> nn.Module:
    """The layer that makes records (n, *shape) images (n, channels, height, width)."""
    return nn.Sequential(nn.Flatten(), nn.Unflatten(1, image_size(shape)))


@torch.no_grad()
def answer(model: nn.Module, x: torch.Tensor, *, chunk: int = 512) -> npt.NDArray[np.float32]:
    """The model's logits on x, in eval mode: float32 (records, classes).

    x: (records, *shape), on any device: it goes to where the model is `chunk` records at a time,
    and the logits come back. Raises RuntimeError if asking changed a buffer of the model, as a
    batch-norm layer left in training mode would: such answers depend on who else was asked.
    """
    model.eval()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    device = next((parameter.device for parameter in model.parameters()), x.device)
    logits = torch.cat([model(part.to(device)).cpu() for part in x.split(chunk)])
    changed = [name for name, buffer in model.named_buffers() if not torch.equal(buffer, before[name])]
    if changed or model.training:
        raise RuntimeError(f"scoring changed the model: buffers {changed}, training mode {model.training}")
    return logits.float().numpy()
