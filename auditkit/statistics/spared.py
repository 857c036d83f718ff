"""Spared records: were a few forget records never removed?

Mean residual memory cannot see a few records that were left in. So every record in which memory
shows is asked by itself whether the unlearned runs look like the original or like the retrained
ones there, and the answers are combined as a mixture in which one record in ten was spared:

    l = delta d / V - delta^2 / (2 V),      T = sum over records of log(1 + .1 (e^l - 1)),

with delta = mean original - mean retrained, d = mean unlearned - mean retrained,
V = kappa (s_U^2 + s_R^2) / n, and kappa >= 1 the excess spread that control records show. T is the log
of a likelihood ratio: its exponential averages 1 when nothing was spared, so exp(-T) bounds the
p-value (Markov). As records of one run are not independent, T is also compared with what groups of
retrained runs give among themselves, and the larger p-value counts.
"""

from dataclasses import dataclass

import numpy as np

from auditkit.statistics.margins import Floats, Margins, calibrated, stacked

VISIBLE = 0.7
"""Records take part where the gap delta is more than this many within-arm standard deviations."""
PRIOR = 0.1
"""The share of records that the alternative supposes spared."""


@dataclass(frozen=True, eq=False)
class Spared:
    """T: the statistic. p: the probability of so large a T if no record was spared. null: (groups,),
    T of groups of retrained runs. visible: how many records took part."""

    T: float
    p: float
    null: Floats
    visible: int


def spared(
    original: Margins,
    unlearned: Margins,
    retrained: Margins,
    more_retrained: Margins,
    *,
    groups: int,
    seed: int,
) -> Spared:
    """Test whether some forget records were spared. `groups` random divisions of all retrained runs
    into two equal arms give the null."""
    T, visible = statistic(original, unlearned, retrained)
    pool, n = stacked(retrained, more_retrained), retrained.runs
    rng = np.random.default_rng(seed)
    null = np.empty(groups)
    for g in range(groups):
        order = rng.permutation(pool.runs)
        null[g], _ = statistic(original, pool.take(order[:n]), pool.take(order[n:]))
    p = (1 + np.count_nonzero(null >= T)) / (1 + groups)
    return Spared(T, float(max(p, min(1.0, np.exp(-T)))), null, visible)


def statistic(original: Margins, unlearned: Margins, retrained: Margins) -> tuple[float, int]:
    """(T, number of records in which memory is visible)."""
    reference = retrained.control.mean(axis=0)
    O, U, R = (calibrated(arm, reference) for arm in (original, unlearned, retrained))
    within = np.sqrt((O.forget.var(axis=0, ddof=1) + R.forget.var(axis=0, ddof=1)) / 2)
    delta = O.forget.mean(axis=0) - R.forget.mean(axis=0)
    visible = delta > VISIBLE * within
    d = U.forget.mean(axis=0) - R.forget.mean(axis=0)
    V = excess_spread(U.control, R.control) * mean_variance(U.forget, R.forget)
    visible &= V > 0
    delta, d, V = delta[visible], d[visible], V[visible]
    log_ratio = delta * d / V - delta**2 / (2 * V)
    # log(1 + .1 (e^l - 1)), safe for large l
    T = np.logaddexp(np.log1p(-PRIOR), np.log(PRIOR) + log_ratio).sum()
    return float(T), int(visible.sum())


def mean_variance(U: Floats, R: Floats) -> Floats:
    """The variance of the difference of two arms' means, record by record: (records,)."""
    return np.asarray(U.var(axis=0, ddof=1) / len(U) + R.var(axis=0, ddof=1) / len(R))


def excess_spread(U: Floats, R: Floats) -> float:
    """kappa: by how much two arms differ on control records, in units of what chance between runs
    gives (1) and never less. A procedure that merely trains differently differs there too."""
    variance = mean_variance(U, R)
    d = U.mean(axis=0) - R.mean(axis=0)
    seen = variance > 0
    return max(1.0, float(np.mean(d[seen] ** 2 / variance[seen]))) if seen.any() else 1.0
