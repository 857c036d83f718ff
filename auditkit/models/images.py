"""Which records are images, and of which size."""

import math
from collections.abc import Sequence

from torch import nn


def image_size(shape: Sequence[int]) -> tuple[int, int, int]:
    """The (channels, height, width) of records as images.

    Args:
        shape: Of one record: (channels, height, width); (height, width), one channel; or (pixels,),
            one channel and square.

    Raises:
        ValueError: For any other shape.
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


def to_image(shape: Sequence[int]) -> nn.Module:
    """The layer that makes records (n, *shape) images (n, channels, height, width)."""
    return nn.Sequential(nn.Flatten(), nn.Unflatten(1, image_size(shape)))
