"""What models do not say, recognised in their answers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from auditkit.signals.interface import (
    LEAST_PROBABILITY,
    NOTHING,
    SAME,
    Floats,
    Interface,
    Logits,
    Scale,
    are_probabilities,
    merge_interfaces,
)

STEPS = (10.0, 5.0, 2.0, 1.0, 0.5, 0.25, 0.2, 0.125, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 1e-4, 1e-5)
"""What answers are found to be rounded to multiples of, the coarsest first."""
LEAST_VALUES = 50
"""Numbers that must all lie on a grid, each by chance with probability 0.1 at most, before it is
believed in."""
LEAST_HITS = 3
"""Records that must be answered with an extreme value before it is taken for a bound."""
SHARE_ON_GRID = 0.02
"""LEAST_HITS as a share of all records, where numbers are rounded."""
SUM = 1e-3
"""By how much the sums of probabilities differ at most from each other, where nothing is cut
off."""


def detect_interface(logits: Logits) -> Interface:
    """What the runs of an arm withhold, any of them: float32 (runs, records, classes) -> Interface,
    NOTHING for honest logits. A run that has not answered with finite numbers says nothing of
    it."""
    return merge_interfaces(
        [_withheld(np.asarray(run, np.float64)) for run in logits if np.isfinite(run).all()]
    )


def _withheld(z: Floats) -> Interface:
    """What one run withholds. z: (records, classes)."""
    if z.shape[1] < 2 or len(z) < LEAST_HITS:
        return NOTHING
    if _labels_only(z):
        return Interface(labels=True)
    scale, rows = _scale(z), LEAST_HITS
    top, fill = _answered(z, scale)
    lowest, highest = _bounds(z, scale, rows)
    if lowest is None and scale == "logits":  # clipped below the largest of each record?
        below = z - z.max(axis=1, keepdims=True)
        lowest, _ = _bounds(below, "below the largest", rows, SAME * float(np.abs(z).max()))
        if lowest is not None:
            scale, z = "below the largest", below
    step = _step(z, [v for v in (fill, lowest, highest) if v is not None])
    if step:  # on a grid many numbers are equal, the extreme ones too
        lowest, highest = _bounds(z, scale, max(rows, round(SHARE_ON_GRID * len(z))))
    if top and fill == lowest:
        lowest = None  # what stands for the others is no bound
    found = Interface(scale=scale, top=top, fill=fill, lowest=lowest, highest=highest, step=step)
    # The logits of a model that knows nothing may all lie between 0 and 1 as well.
    if scale == "probabilities" and not (top or lowest or highest or step) and np.ptp(z.sum(axis=1)) > SUM:
        return NOTHING
    return found


def _labels_only(z: Floats) -> bool:
    """One class of each record stands out, by the same for all, the others being equal; not always
    the same."""
    top = z.max(axis=1)
    others = np.sort(z, axis=1)[:, :-1]
    apart = top - others[:, -1]
    tolerance = SAME * np.abs(z).max()
    return bool(
        np.ptp(others, axis=1).max() <= tolerance < apart.min()
        and np.ptp(apart) <= tolerance
        and np.ptp(z.argmax(axis=1)) > 0
    )


def _answered(z: Floats, scale: Scale) -> tuple[int | None, float | None]:
    """(top, fill): how many classes of each record are answered, where the same number of others,
    two or more, is equal in nearly every record; and what they are equal to, where that is the same
    in all. A probability of 0 may also be a small one, rounded, so that in many records more are
    equal."""
    ordered = np.sort(z, axis=1)
    equal = ordered[:, 1:] == ordered[:, :-1]
    # The longest row of equal neighbours, and where it ends.
    length, longest, value = np.ones(len(z)), np.ones(len(z)), np.full(len(z), np.nan)
    for k in range(equal.shape[1]):
        length = np.where(equal[:, k], length + 1, 1)
        better = length > longest
        longest, value = np.where(better, length, longest), np.where(better, ordered[:, k + 1], value)
    others = int(longest.min())
    usual = 0.05 if scale == "probabilities" and not value.any() else 0.9
    if others < 2 or others == z.shape[1] or np.mean(longest == others) < usual:
        return None, None
    return z.shape[1] - others, float(value[0]) if np.ptp(value) == 0 else None


def _bounds(z: Floats, scale: Scale, rows: int, tolerance: float = 0.0) -> tuple[float | None, float | None]:
    """(lowest, highest): the extreme values, where so many records are answered with them, and in
    several classes: the same record asked twice, or two records that the model sees as one, are
    alike in the same class alone."""

    def bound(hits: npt.NDArray[np.bool_]) -> bool:
        return bool(hits.any(axis=1).sum() >= rows and hits.any(axis=0).sum() >= 2)

    low, high = float(z.min()), float(z.max())
    lowest = low if bound(z <= low + tolerance) else None
    highest = high if bound(z >= high - tolerance) else None
    if scale == "probabilities" and lowest is not None and lowest <= LEAST_PROBABILITY:
        lowest = None  # what is too small for float32
    # The largest of saturated answers is 0 or 1 by rounding.
    natural = {"logits": np.inf, "probabilities": 1 - 2 * SAME}.get(scale, -2 * SAME)
    return lowest, highest if highest is not None and highest < natural else None


def _step(z: Floats, besides: Sequence[float]) -> float | None:
    """The coarsest of STEPS that every number is a multiple of, as far as float32 can say; None
    where there is none, or too few numbers to tell. besides: numbers that need not be, as
    bounds."""
    values = z[~np.isin(z, [0.0, *besides])]
    uncertain = 4 * np.finfo(np.float32).eps * np.abs(values)
    for step in STEPS:
        telling = uncertain < 0.05 * step
        off = np.abs(values - np.round(values / step) * step)
        if telling.sum() >= LEAST_VALUES and (off[telling] <= uncertain[telling]).all():
            return step
    return None


def _scale(z: Floats) -> Scale:
    if are_probabilities(z):
        return "probabilities"
    top = z.max(axis=-1)
    if not top.any():
        return "below the largest"
    if top.max() <= SAME:
        with np.errstate(under="ignore"):
            total = np.exp(z).sum(axis=-1)
        if 0.5 <= np.median(total) <= 1.5:
            return "log-probabilities"
    return "logits"
