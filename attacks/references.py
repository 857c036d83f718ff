"""Reference models: the attacker's own runs, each trained on a random half of the records.

For any record about half of them were trained on it (in) and half were not (out). What the attacks
of this kind need of them is, record by record, the mean and the spread of one signal on either
side. They are summed up one run at a time, so that memory does not grow with the number of runs.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.shadows import once
from auditkit.core.ids import SHADOW
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats, Ints

Signal = Callable[[npt.NDArray[np.floating], Ints], Floats]
"""(logits (records, classes), labels (records,)) -> (records,): phi, the loss, ..."""


def references(signals: Signals, target: int) -> Ints:
    """The reference runs against this target: every shadow run but the target itself."""
    runs = signals.runs_of(SHADOW)
    return np.asarray(runs[runs != target])


def outside(signals: Signals) -> Ints:
    """The records on which no run was trained, and which are no candidates: what is known of
    non-members is learnt from them.

    Raises:
        NotApplicable: there are none.
    """
    known = ~signals.member.any(axis=0)
    if signals.candidates is not None:
        known &= ~signals.candidates
    found = np.flatnonzero(known)
    if not len(found):
        raise NotApplicable("the attack learns from records that no run was trained on; there are none")
    return found


@dataclass(frozen=True, eq=False)
class Moments:
    """One signal over reference runs, record by record. n: how many runs, mean: their mean (NaN
    where there is none), m2: their sum of squared deviations from it; each float64 (records,)."""

    n: Floats
    mean: Floats
    m2: Floats

    def without(self, x: Floats, where: npt.NDArray[np.bool_]) -> "Moments":
        """The moments as they were before one run was added. x: its signal; where: the records it
        counted for."""
        n = self.n - where
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(where, (self.n * self.mean - x) / n, self.mean)
        m2 = np.where(where, self.m2 - (x - self.mean) * (x - mean), self.m2)
        # What rounding leaves of the deviations of a single run, or of equal ones, is no spread.
        return Moments(n, np.where(n > 0, mean, np.nan), np.where(n > 1, np.maximum(m2, 0.0), 0.0))


OfReferences = Callable[[Signals, *tuple[int, ...]], tuple[Moments, Moments]]
"""(signals, runs left out ...) -> the moments of one signal over the other shadow runs, (in,
out)."""


def moments(signal: Signal) -> OfReferences:
    """A function (signals, target) -> the moments of `signal` over the reference runs (in, out).

    The sums over all shadow runs are made once for all targets; a target that is a shadow run
    itself is taken out again, and so are further runs that are named after it.

    Args:
        signal: (logits (records, classes), labels (records,)) -> (records,).
    """

    @once
    def of_all(signals: Signals) -> tuple[Moments, Moments]:
        return _sums(signals, signal)

    def of_references(signals: Signals, *left_out: int) -> tuple[Moments, Moments]:
        inside, out = of_all(signals)
        for run in left_out:
            if signals.arms[run] == str(SHADOW):
                x, member = signal(signals.logits[run], signals.labels), signals.member[run]
                inside, out = inside.without(x, member), out.without(x, ~member)
        return inside, out

    return of_references


def _sums(signals: Signals, signal: Signal) -> tuple[Moments, Moments]:
    """Over all shadow runs, both sides in one go."""

    def of_each() -> Iterator[tuple[Floats, npt.NDArray[np.bool_]]]:
        for run in signals.runs_of(SHADOW):
            member = signals.member[run]
            yield signal(signals.logits[run], signals.labels), np.stack([member, ~member])

    both = summed(of_each(), (2, len(signals.labels)))
    inside, out = (Moments(both.n[k], both.mean[k], both.m2[k]) for k in (0, 1))
    return inside, out


def summed(runs: Iterable[tuple[Floats, npt.NDArray[np.bool_]]], shape: tuple[int, ...]) -> Moments:
    """The moments of one signal, summed up one run at a time (Welford 1962). runs: of each its
    signal (records,) and for what it counts, in the shape (..., records) of the moments."""
    n, mean, m2 = np.zeros((3, *shape))
    for x, counts in runs:
        n += counts
        step = (x - mean) * counts
        mean += step / np.maximum(n, 1)
        m2 += step * (x - mean)
    mean[n == 0] = np.nan
    return Moments(n, mean, m2)


def require(signals: Signals, target: int, least: int, **sides: Moments) -> None:
    """NotApplicable unless some record has at least so many reference runs on each of these sides,
    which are called `inside` and `out`."""
    if not np.logical_and.reduce([side.n >= least for side in sides.values()]).any():
        wanted = {"inside": f"{least} trained on it", "out": f"{least} not trained on it"}
        raise NotApplicable(
            f"the attack needs, for some record, shadow runs: {' and '.join(wanted[side] for side in sides)};"
            f" there are {len(references(signals, target))} shadow runs"
        )
