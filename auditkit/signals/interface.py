"""What models do not say, and how it is withheld from the answers of every arm.

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

SAME = 1e-6
"""Numbers that differ by less than this share of the largest are the same: float32 has seven
digits."""
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


def _on_scale(scale: Scale, z: Floats) -> Floats:
    """Logits (..., records, classes) as what is answered; probabilities stay what they are."""
    if scale == "logits" or (scale == "probabilities" and are_probabilities(z)):
        return z
    z = z - z.max(axis=-1, keepdims=True)
    if scale == "below the largest":
        return z
    z -= np.log(np.exp(z).sum(axis=-1, keepdims=True))
    # As a model would answer, in float32.
    return np.asarray((np.exp(z) if scale == "probabilities" else z).astype(np.float32), np.float64)


def are_probabilities(z: Floats) -> bool:
    """Whether answers (..., records, classes) are probabilities, perhaps clipped, cut off or
    rounded: in [0, 1], of a sum that is usually about 1, and of records that are not all alike."""
    if z.min() < 0 or z.max() > 1:
        return False
    rows = z.reshape(-1, z.shape[-1])
    return bool(0.5 <= np.median(rows.sum(axis=-1)) <= 1.5 and (rows != rows[0]).any())


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
