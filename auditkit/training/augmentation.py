"""Augmentation: images moved and mirrored at random each time they are seen, for all runs at
once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from auditkit.models.images import image_size

REACH = 8
"""A shift is at most one REACH-th of the image's height or width, as the usual 4 pixels of 32."""


@dataclass(frozen=True, eq=False)
class Moves:
    """What happens to each image. down, right: int64 (...), pixels; mirrored: bool (...)."""

    down: torch.Tensor
    right: torch.Tensor
    mirrored: torch.Tensor


def draw_moves(rng: np.random.Generator, n: int, shape: Sequence[int], augment: Sequence[str]) -> Moves:
    """The moves of n images, (n,) each: "shift" draws both shifts uniformly, zeros come in at the
    edge; "flip" mirrors left to right every second time."""
    _, height, width = image_size(shape)
    far = (height // REACH, width // REACH) if "shift" in augment else (0, 0)
    down, right = (torch.from_numpy(rng.integers(-most, most + 1, n)) for most in far)
    mirrored = rng.random(n) < 0.5 if "flip" in augment else np.zeros(n, dtype=bool)
    return Moves(down, right, torch.from_numpy(mirrored))


def moved(x: torch.Tensor, moves: Moves, shape: Sequence[int]) -> torch.Tensor:
    """The images after their moves. x: (..., *shape), moves: (...) each; returns (..., *shape)."""
    channels, height, width = image_size(shape)
    images = x.reshape(-1, channels, height * width)
    down, right, mirrored = (m.reshape(-1, 1).to(x.device) for m in (moves.down, moves.right, moves.mirrored))
    rows = torch.arange(height, device=x.device) - down
    columns = torch.arange(width, device=x.device) - right
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    # An image that is mirrored and then moved takes column c from the mirrored place of c - right.
    columns = torch.where(mirrored, width - 1 - columns, columns)
    source = (rows.clamp(0, height - 1) * width)[:, :, None] + columns.clamp(0, width - 1)[:, None, :]
    taken = images.gather(2, source.flatten(1)[:, None, :].expand(-1, channels, -1))
    return (taken * inside.flatten(1)[:, None, :]).reshape(x.shape)
