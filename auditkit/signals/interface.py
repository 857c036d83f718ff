"""What models do not say: recognised in the answers of one arm, and withheld from the answers of
all.

An arm that answers with labels only, or with clipped or rounded numbers, differs from one that
answers with logits on every record, whatever either remembers. So what the claimed models withhold
is withheld from every arm before arms are compared. Only what is common to all records counts: a
shift of all logits of a record changes no margin and no probability, and is nothing withheld.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Scale = Literal["logits", "below the largest", "log-probabilities", "probabilities"]

STEPS = (10.0, 5.0, 2.0, 1.0, 0.5, 0.25, 0.2, 0.125, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 1e-4, 1e-5)
"""What answers are found to be rounded to multiples of, the coarsest first."""
LEAST_VALUES = 50
"""Numbers that must all lie on a grid, each by chance with probability 0.1 at most, before it is
believed in."""
LEAST_HITS = 3
"""Records that must be answered with an extreme value before it is taken for a bound."""
SHARE_ON_GRID = 0.02
"""The same as a share of all records, where numbers are rounded."""
SAME = 1e-6
"""Numbers that differ by less than this share of the largest are the same: float32 has seven
digits."""
SUM = 1e-3
"""By how much the sums of probabilities differ at most from each other, where nothing is cut
off."""
LEAST_PROBABILITY = 1e-37
"""What a probability of 0 is read as: float32 has none that is much smaller."""
LEAST_REST = 1e-6
"""The probability that is at least left for classes not answered: sums in float32 are not more
exact."""


@dataclass(frozen=True)
class Interface:
    """What a model's answers withhold; by default nothing.

    labels: all but the predicted class. scale: what the rest below is said of: logits, differences
    from the largest of a record, log-probabilities or probabilities. top: only so many classes of a
    record are answered, the largest. fill: what stands for the others, None where that differs
    between records. lowest, highest: bounds at which numbers are clipped. step: numbers are
    multiples of it.
    """

    labels: bool = False
    scale: Scale = "logits"
    top: int | None = None
    fill: float | None = None
    lowest: float | None = None
    highest: float | None = None
    step: float | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What is withheld, a phrase each; none where nothing is."""
        if self.labels:
            return ("only the predicted class is answered",)
        of = {"logits": "logits", "below the largest": "logits, as differences from the largest,"}.get(
            self.scale, self.scale
        )
        found = ["probabilities are answered in place of logits"] if self.scale == "probabilities" else []
        if self.top:
            found.append(f"only the {f'{self.top} largest are' if self.top > 1 else 'largest is'} answered")
        if self.lowest is not None:
            found.append(f"{of} below {self.lowest:.6g} are answered as that")
        if self.highest is not None:
            found.append(f"{of} above {self.highest:.6g} are answered as that")
        if self.step:
            found.append(f"{of} are rounded to multiples of {self.step:g}")
        return tuple(found)


NOTHING = Interface()
"""The interface through which everything is said."""


def detect_interface(logits: Logits) -> Interface:
    """What the runs of an arm withhold, any of them: float32 (runs, records, classes) -> Interface,
    NOTHING for honest logits. A run that has not answered with finite numbers says nothing of
    it."""
    return merge_interfaces(
        [_withheld(np.asarray(run, np.float64)) for run in logits if np.isfinite(run).all()]
    )


def merge_interfaces(interfaces: Sequence[Interface]) -> Interface:
    """What any of the interfaces withholds."""
    telling = [i for i in interfaces if i.words]
    if not telling:
        return NOTHING
    if any(i.labels for i in telling):
        return Interface(labels=True)
    scales = {i.scale for i in telling}
    common: Scale = scales.pop() if len(scales) == 1 else "logits"
    fills = {i.fill for i in telling if i.top}
    return Interface(
        scale="probabilities" if "probabilities" in scales else common,
        top=min((i.top for i in telling if i.top), default=None),
        fill=fills.pop() if len(fills) == 1 else None,
        lowest=max((i.lowest for i in telling if i.lowest is not None), default=None),
        highest=min((i.highest for i in telling if i.highest is not None), default=None),
        step=max((i.step for i in telling if i.step), default=None),
    )


def apply_interface(interface: Interface, logits: Logits) -> Logits:
    """What is left of logits that are asked for through an interface: float32, of the same shape
    (..., records, classes). Every arm goes through it, the claimed one too: what was withheld there
    already stays as it is.

    Of labels there is one form, 1 for the predicted class and 0 for the others; probabilities come
    back as their logarithms, which are logits but for a shift. An answer that is not finite stays
    so: NaN.
    """
    if interface == NOTHING:
        return logits
    finite = np.isfinite(logits).all(axis=-1, keepdims=True)
    told = _told(interface, np.where(finite, logits, 0.0).astype(np.float64))
    return np.where(finite, told, np.nan).astype(np.float32)


def _told(interface: Interface, z: Floats) -> Floats:
    """What is left of finite logits (..., records, classes)."""
    if interface.labels:
        return np.asarray(np.arange(z.shape[-1]) == z.argmax(axis=-1)[..., None], np.float64)
    z = _on_scale(interface.scale, z)
    if interface.top:
        z = _largest(z, interface)
    if interface.lowest is not None or interface.highest is not None:
        z = np.clip(z, interface.lowest, interface.highest)
    if interface.step:
        z = np.round(z / interface.step) * interface.step
    if interface.scale == "probabilities":
        z = np.log(np.maximum(z, interface.step / 2 if interface.step else LEAST_PROBABILITY))
    return z


# What numbers are


def _on_scale(scale: Scale, z: Floats) -> Floats:
    """Logits (..., records, classes) as what is answered; probabilities stay what they are."""
    if scale == "logits" or (scale == "probabilities" and _are_probabilities(z)):
        return z
    z = z - z.max(axis=-1, keepdims=True)
    if scale == "below the largest":
        return z
    z -= np.log(np.exp(z).sum(axis=-1, keepdims=True))
    # As a model would answer, in float32.
    return np.asarray((np.exp(z) if scale == "probabilities" else z).astype(np.float32), np.float64)


def _are_probabilities(z: Floats) -> bool:
    """Whether answers (..., records, classes) are probabilities, perhaps clipped, cut off or
    rounded: in [0, 1], of a sum that is usually about 1, and of records that are not all alike."""
    if z.min() < 0 or z.max() > 1:
        return False
    rows = z.reshape(-1, z.shape[-1])
    return bool(0.5 <= np.median(rows.sum(axis=-1)) <= 1.5 and (rows != rows[0]).any())


def _scale(z: Floats) -> Scale:
    if _are_probabilities(z):
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


def _largest(z: Floats, interface: Interface) -> Floats:
    """The largest classes of each record as they are, and what stands for the others: what the
    claimed models put there, or their mean probability, each."""
    top = interface.top or z.shape[-1]
    order = np.argsort(-z, axis=-1, kind="stable")
    others = order[..., top:]
    rest = np.take_along_axis(z, others, axis=-1)
    if interface.scale == "probabilities":
        kept = z.sum(axis=-1, keepdims=True) - rest.sum(axis=-1, keepdims=True)
        instead = np.maximum(1 - kept, LEAST_REST) / others.shape[-1]
    elif interface.fill is not None:
        instead = np.full((*z.shape[:-1], 1), interface.fill)
    else:
        peak = rest.max(axis=-1, keepdims=True)
        instead = peak + np.log(np.exp(rest - peak).mean(axis=-1, keepdims=True))
    found = z.copy()
    np.put_along_axis(found, others, np.broadcast_to(instead, others.shape), axis=-1)
    return found


# What is withheld of them


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
