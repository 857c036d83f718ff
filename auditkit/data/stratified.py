"""Drawing by class: how many records of each, and which."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def largest_remainder(total: int, weights: Indices, room: Indices) -> Indices:
    """Split `total` over classes in proportion to `weights` (largest remainder), at most `room` in
    each. What a full class cannot take goes to the others in proportion to the room they have left.

    Args:
        total: at most room.sum().
        weights: int64 (classes,), not all 0.
        room: int64 (classes,).

    Returns:
        int64 (classes,), which adds up to `total`.
    """
    counts = np.minimum(_largest_remainder(total, weights), room)
    short = total - int(counts.sum())
    # No share of this can exceed its room: short <= the sum of the room left, and rounding stops at
    # integers.
    return counts + _largest_remainder(short, room - counts) if short else counts


def _largest_remainder(total: int, weights: Indices) -> Indices:
    """`total` split in proportion to `weights`, rounded so that it adds up; ties go to the lower
    class."""
    shares, rest = np.divmod(total * weights.astype(np.int64), int(weights.sum()))
    extra = np.argsort(-rest, kind="stable")[: total - int(shares.sum())]
    shares[extra] += 1
    return shares


def draw_by_class(y: Indices, pool: Indices, counts: Indices, rng: np.random.Generator) -> Indices:
    """counts[c] records of each class c, uniformly from those in `pool`."""
    drawn = [rng.choice(pool[y[pool] == c], size=int(n), replace=False) for c, n in enumerate(counts) if n]
    return np.concatenate(drawn) if drawn else np.zeros(0, dtype=np.int64)


def without(n: int, *taken: Indices) -> Indices:
    """The positions 0..n-1 that are in none of `taken`, ascending."""
    free = np.ones(n, dtype=bool)
    for positions in taken:
        free[positions] = False
    return np.flatnonzero(free)
