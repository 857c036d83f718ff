"""A small residual network."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated, cast

import torch
from pydantic import Field
from torch import nn

from auditkit.models.images import image_size, to_image

Count = Annotated[int, Field(ge=1)]
Counts = Annotated[Sequence[Count], Field(min_length=1)]


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

    Args:
        shape: Of one record, an image (`image_size`).
        classes: How many there are.
        width: Channels of the first stage; each later one doubles them.
        blocks: How many residual blocks each stage has; each stage halves height and width (rounded
            up).
        groups: Channels are normalised in so many groups, which must divide `width`.

    Raises:
        ValueError: For records that are no images, or groups that do not divide.
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
            image=to_image(shape),
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
