"""The statistic T of the test for spared records and its p-value; `spared` says what they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from auditkit.statistics.margins import Floats, Ints, Margins, calibrated, variance

VISIBLE = 0.7
"""Records take part where the gap delta is more than this many within-arm standard deviations."""
SHARES = (0.1, 0.01)
"""The shares of all records that two of the ways suppose spared."""
OF_A_PART = 0.5
"""The share of the records of one part that the others suppose spared."""


@dataclass(frozen=True, eq=False)
class Spread:
    """Mean and variance over the runs of groups of runs: both (groups, records). n: runs a
    group."""

    mean: Floats
    var: Floats
    n: int

    @classmethod
    def of(cls, values: Floats) -> "Spread":
        """Of one group of runs. values: (runs, records)."""
        return cls(values.mean(axis=0)[None], variance(values)[None], len(values))


def p_values(T: Floats, null: Floats) -> Floats:
    """The larger of exp(-T) and the rank of T among the null: (groups,).

    Args:
        T: statistics (groups,).
        null: statistics of the null (divisions,).

    Examples:
        >>> p_values(np.array([0.0, 3.0]), null=np.array([-1.0, 0.5, 1.0])).tolist()
        [1.0, 0.25]
    """
    rank = (1 + np.count_nonzero(null >= T[:, None], axis=1)) / (1 + len(null))
    return np.asarray(np.maximum(rank, np.exp(-np.maximum(T, 0))))


def p_value(T: float, null: Floats) -> float:
    """The p-value of one T, see `p_values`.

    Examples:
        >>> round(p_value(1.0, null=np.zeros(999)), 4)
        0.3679
    """
    return float(p_values(np.array([T]), null)[0])


def visible_records(original: Margins, retrained: Margins) -> Ints:
    """The positions of the forget records of which the original runs visibly remember something,
    see `memorised_records`; margins as they are, not calibrated.

    Args:
        original: margins.
        retrained: margins of any number of runs.
    """
    reference = retrained.control.mean(axis=0)
    return memorised_records(*(calibrated(arm, reference) for arm in (original, retrained)))


def memorised_records(O: Margins, R: Margins) -> Ints:
    """The positions of the forget records in which memory is visible, delta/s > VISIBLE.

    Args:
        O: calibrated margins of the original runs.
        R: calibrated margins of the retrained runs.

    Examples:
        >>> control = np.zeros((2, 1))
        >>> O = Margins(np.array([[3.0, 0.1], [3.1, 0.0]]), control)
        >>> memorised_records(O, Margins(np.array([[0.0, 0.1], [0.1, 0.0]]), control)).tolist()
        [0]
    """
    return np.flatnonzero(shown(Spread.of(O.forget), Spread.of(R.forget))[0])


@dataclass(frozen=True, eq=False)
class Gap:
    """What original runs remember. delta: (forget records,), mean original - mean retrained. shown:
    bool (forget records,), where that is visible, see `shown`."""

    delta: Floats
    shown: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, O: Margins, R: Margins) -> "Gap":
        """Of calibrated margins of original and of retrained runs."""
        o, r = Spread.of(O.forget), Spread.of(R.forget)
        return cls((o.mean - r.mean)[0], shown(o, r)[0])


def shown(O: Spread, R: Spread) -> npt.NDArray[np.bool_]:
    """Where delta/s > VISIBLE: bool (groups, records). Where all runs of both answer at the clip,
    the means of equal numbers may still differ by rounding: that is no memory.
    """
    delta = O.mean - R.mean
    rounding = 16 * np.finfo(np.float64).eps * np.abs(O.mean)
    return np.asarray((delta > VISIBLE * np.sqrt((O.var + R.var) / 2)) & (delta > rounding))


def statistic(gap: Gap, U: Margins, P: Margins, parts: Sequence[Sequence[int]]) -> float:
    """T of these arms, which are calibrated; U may be one run. gap, parts: see `statistics`."""
    u, p = side_by_side(U.forget, P.forget)
    kappa = excess_spreads(*side_by_side(U.control, P.control))
    return float(statistics(gap, u, p, kappa, parts)[0])


def side_by_side(U: Floats, R: Floats) -> tuple[Spread, Spread]:
    """Two arms on the same records, each (runs, records). One of one run is taken to vary as the
    other does, whose variances are shrunk half-way to their mean over records: what is a tiny one
    by luck would decide by itself.
    """
    r = Spread.of(R)
    return (Spread(U, (r.var + r.var.mean()) / 2, 1) if len(U) == 1 else Spread.of(U)), r


def statistics(gap: Gap, U: Spread, P: Spread, kappa: Floats, parts: Sequence[Sequence[int]]) -> Floats:
    """T of each group: (groups,).

    Args:
        gap: what original runs remember.
        U: of calibrated margins of the unlearned runs.
        P: of those they are compared with.
        kappa: (groups,), of `excess_spreads`.
        parts: see `spared`.
    """
    d = U.mean - P.mean
    # Two arms that do not vary on a record have no scale to judge it by.
    counts = gap.shown & (U.var + P.var > 0)
    V = np.where(counts, kappa[:, None] * (_shrunk(U, counts) / U.n + _shrunk(P, counts) / P.n), 1.0)
    log_ratio = gap.delta * d / V - gap.delta**2 / (2 * V)

    def of_records(share: float) -> Floats:
        # log(1 + share (e^l - 1)), safe for large l
        return np.where(counts, np.logaddexp(np.log1p(-share), np.log(share) + log_ratio), 0.0)

    ways = [of_records(share).sum(axis=1) for share in SHARES]
    if parts:
        of_parts = np.column_stack([of_records(OF_A_PART)[:, part].sum(axis=1) for part in parts])
        ways.append(logsumexp(of_parts, axis=1) - np.log(len(parts)))
    return np.asarray(logsumexp(ways, axis=0) - np.log(len(ways)))


PRIOR_RUNS = 1
"""Runs that the mean variance of all records counts for beside a record's own: with few runs a
variance near zero is luck, and would decide by itself."""


def _shrunk(arm: Spread, counts: npt.NDArray[np.bool_]) -> Floats:
    """The variances of an arm, shrunk to their mean over the records that count: (groups,
    records)."""
    usual = (arm.var * counts).sum(axis=1, keepdims=True) / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    own = max(arm.n - 1, 1)
    return np.asarray((own * arm.var + PRIOR_RUNS * usual) / (own + PRIOR_RUNS))


def excess_spreads(U: Spread, R: Spread) -> Floats:
    """By how much two arms differ on control records, in units of what chance between runs gives
    (1) and never less: kappa of each group, (groups,). A procedure that merely trains differently
    differs there too.
    """
    V = U.var / U.n + R.var / R.n
    seen = V > 0
    d2 = np.divide((U.mean - R.mean) ** 2, V, out=np.zeros_like(V), where=seen)
    return np.asarray(np.maximum(1.0, d2.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)))


def excess_spread(U: Floats, R: Floats) -> float:
    """The kappa of two arms, see `excess_spreads`.

    Args:
        U: (runs, control records).
        R: (runs, control records).

    Examples:
        >>> R = np.array([[0.0, 1.0], [1.0, 0.0]])
        >>> excess_spread(R, R), round(excess_spread(R + 3, R), 3)
        (1.0, 18.0)
    """
    return float(excess_spreads(*side_by_side(U, R))[0])
