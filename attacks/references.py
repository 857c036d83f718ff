"""Reference models: the attacker's own runs, each trained on a random half of the records.

For any record about half of them were trained on it (in) and half were not (out). What the attacks of
this kind need of them is, record by record, the mean and the spread of one signal on either side. They
are summed up one run at a time, so that memory does not grow with the number of runs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.shadows import once
from auditkit.signals import Signals
from auditkit.statistics.margins import Floats, Ints

Signal = Callable[[npt.NDArray[np.floating], Ints], Floats]
"""(logits (records, classes), labels (records,)) -> (records,): phi, the loss, ..."""


def references(signals: Signals, target: int) -> Ints:
    """The reference runs against this target: every shadow run but the target itself."""
    runs = signals.runs_of("shadow")
    return runs[runs != target]


def outside(signals: Signals) -> Ints:
    """The records on which no run was trained: what is known of non-members is learnt from them.
    NotApplicable where there are none."""
    found = np.flatnonzero(~signals.member.any(axis=0))
    if not len(found):
        raise NotApplicable("the attack learns from records that no run was trained on; there are none")
    return found


@dataclass(frozen=True, eq=False)
class Moments:
    """One signal over reference runs, record by record. n: how many runs, mean: their mean (NaN where there
    is none), m2: their sum of squared deviations from it; each float64 (records,)."""

    n: Floats
    mean: Floats
    m2: Floats

    def without(self, x: Floats, where: npt.NDArray[np.bool_]) -> "Moments":
        """The moments as they were before one run was added. x: its signal; where: the records it counted for."""
        n = np.where(where, self.n - 1, self.n)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(where, (self.n * self.mean - x) / n, self.mean)
            m2 = np.where(where, self.m2 - (x - self.mean) * (x - mean), self.m2)
        left = n > 0
        return Moments(n, np.where(left, mean, np.nan), np.where(left, np.maximum(m2, 0.0), 0.0))


def moments(signal: Signal) -> Callable[[Signals, int], tuple[Moments, Moments]]:
    """A function (signals, target) -> the moments of `signal` over the reference runs (in, out).

    The sums over all shadow runs are made once for all targets; a target that is a shadow run itself is
    taken out again.
    """

    @once
    def of_all(signals: Signals) -> tuple[Moments, Moments]:
        return tuple(_sums(signals, signal, inside) for inside in (True, False))  # type: ignore[return-value]

    def of_references(signals: Signals, target: int) -> tuple[Moments, Moments]:
        inside, out = of_all(signals)
        if signals.arms[target] != "shadow":
            return inside, out
        x, member = signal(signals.logits[target], signals.labels), signals.member[target]
        return inside.without(x, member), out.without(x, ~member)

    return of_references


def _sums(signals: Signals, signal: Signal, inside: bool) -> Moments:
    """Welford's sums over the shadow runs."""
    n, mean, m2 = np.zeros((3, len(signals.labels)))
    for run in signals.runs_of("shadow"):
        counts = signals.member[run] == inside
        x = signal(signals.logits[run], signals.labels)
        n += counts
        step = np.where(counts, x - mean, 0.0)
        mean += step / np.maximum(n, 1)
        m2 += step * np.where(counts, x - mean, 0.0)
    mean[n == 0] = np.nan
    return Moments(n, mean, m2)
