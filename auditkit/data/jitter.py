"""Inputs near given ones that could be data: within the range of every feature, and on the grid of
its values.

A filter that answers for forgotten records may try to recognise that it is being probed. Noise off
the grid of pixel values, outside their range, or where no record has ever had anything, would give
a probe away at a glance.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Inputs = npt.NDArray[np.float32]

MOST_VALUES = 1024
"""Data with more different values than this have no grid worth speaking of."""
HALVINGS = 40
"""Of the interval in which the length of a step is sought."""
FURTHEST = 1e4
"""How many times longer than it would be without bounds a step may be."""


@dataclass(frozen=True, eq=False)
class Domain:
    """Where data lie. low, high: float32 (*shape), of each feature. grid: every value a feature can
    have, evenly spaced and ascending; None for data without a grid."""

    low: Inputs
    high: Inputs
    grid: Inputs | None


def domain(x: Inputs) -> Domain:
    """The domain of these data. x: float32 (records, *shape)."""
    return Domain(x.min(axis=0), x.max(axis=0), _grid(np.unique(x)))


def _grid(values: Inputs) -> Inputs | None:
    """The evenly spaced values among which these are, as the data have them to the last bit; None
    if there are none."""
    if not 1 < len(values) <= MOST_VALUES:
        return None
    step = float(np.diff(values.astype(np.float64)).min())
    places = (values.astype(np.float64) - values[0]) / step
    whole = np.rint(places).astype(np.int64)
    if whole[-1] >= MOST_VALUES or np.abs(places - whole).max() > 0.01:
        return None
    grid = (values[0] + step * np.arange(whole[-1] + 1)).astype(np.float32)
    grid[whole] = values
    return np.asarray(grid)


def perturb(x: Inputs, direction: npt.NDArray[np.float64], radius: float, within: Domain) -> Inputs:
    """x moved along a direction by the radius (Euclidean), within the domain. A feature that does
    not vary stays; one at its bound stays there, and the others go further for it. On a grid the
    distance is the radius but for rounding; where the bounds leave less room than the radius it is
    as far as they allow.

    Args:
        x: float32 (records, *shape).
        direction: of the same shape; its length does not count.
        radius: in the unit of x.
        within: the domain.

    Returns:
        float32, of the shape of x.
    """
    start, low, high = (part.astype(np.float64) for part in (x, within.low, within.high))
    free = np.where(low < high, direction, 0.0)
    axes = tuple(range(1, x.ndim))
    length = np.sqrt((free**2).sum(axis=axes, keepdims=True))
    unit = np.divide(free, length, out=np.zeros_like(free), where=length > 0)

    def placed(reach: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.clip(start + reach * unit, low, high))

    shortest = np.full(length.shape, radius)
    longest = shortest * FURTHEST
    for _ in range(HALVINGS):
        middle = np.sqrt(shortest * longest)  # the interval spans powers of ten
        far = ((placed(middle) - start) ** 2).sum(axis=axes, keepdims=True) > radius**2
        shortest, longest = np.where(far, shortest, middle), np.where(far, middle, longest)
    found = placed(shortest)
    if within.grid is None:
        return found.astype(np.float32)
    step = (float(within.grid[-1]) - float(within.grid[0])) / (len(within.grid) - 1)
    places = np.rint((found - float(within.grid[0])) / step).astype(np.int64)
    return within.grid[np.clip(places, 0, len(within.grid) - 1)]
