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

A procedure that moves control records about makes kappa large and so blinds this test. Whether it can
still see is therefore tried on the claimed runs themselves, by planting what it looks for.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from auditkit.statistics.margins import (
    Floats,
    Ints,
    Margins,
    calibrated,
    mean_variance,
    stacked,
    variance,
)

VISIBLE = 0.7
"""Records take part where the gap delta is more than this many within-arm standard deviations."""
PRIOR = 0.1
"""The share of records that the alternative supposes spared."""
PLANTINGS = 50
"""Times that sparing is planted to see whether the test would notice."""


@dataclass(frozen=True, eq=False)
class Spared:
    """T: the statistic. p: the probability of so large a T if no record was spared. null: (groups,),
    T of groups of retrained runs. visible: how many records took part. kappa: the excess spread on
    control records. power: how often the test rejects at its level when one visible record in ten of
    these very runs is given the margins of the original ones."""

    T: float
    p: float
    null: Floats
    visible: int
    kappa: float
    power: float


def spared(
    original: Margins,
    unlearned: Margins,
    retrained: Margins,
    more_retrained: Margins,
    *,
    groups: int,
    seed: int,
    alpha: float,
) -> Spared:
    """Test whether some forget records were spared. `groups` random divisions of all retrained runs
    into two equal arms give the null; alpha is the level that `power` is for."""
    O, U, R = _calibrated(original, unlearned, retrained)
    null = null_statistics(original, retrained, more_retrained, groups, seed)
    seen = visible(O, R)
    T = statistic(O, U, R, seen)
    rejected = [
        p_value(statistic(O, planted, R, seen), null) <= alpha for planted in _plantings(O, U, seen, seed)
    ]
    return Spared(
        T=T,
        p=p_value(T, null),
        null=null,
        visible=len(seen),
        kappa=excess_spread(U.control, R.control),
        power=float(np.mean(rejected)) if rejected else 0.0,
    )


@lru_cache(maxsize=4)  # one audit asks for the same null of the claim and of its controls
def null_statistics(
    original: Margins, retrained: Margins, more_retrained: Margins, groups: int, seed: int
) -> Floats:
    """(groups,): T of random divisions of all retrained runs into an "unlearned" and a retrained arm."""
    pool, n = stacked(retrained, more_retrained), retrained.runs
    rng = np.random.default_rng(seed)
    null = np.empty(groups)
    for g in range(groups):
        order = rng.permutation(pool.runs)
        O, U, R = _calibrated(original, pool.take(order[:n]), pool.take(order[n:]))
        null[g] = statistic(O, U, R, visible(O, R))
    return null


def p_value(T: float, null: Floats) -> float:
    """The larger of exp(-T) and the rank of T among the null."""
    rank = (1 + np.count_nonzero(null >= T)) / (1 + len(null))
    return float(max(rank, min(1.0, np.exp(-T))))


def visible(O: Margins, R: Margins) -> Ints:
    """The forget records in which memory is visible: delta/s > VISIBLE. O, R: calibrated."""
    within = np.sqrt((variance(O.forget) + variance(R.forget)) / 2)
    delta = O.forget.mean(axis=0) - R.forget.mean(axis=0)
    return np.flatnonzero((delta > VISIBLE * within) & (delta > 0))


def statistic(O: Margins, U: Margins, R: Margins, records: Ints) -> float:
    """T over these forget records. O, U, R: calibrated."""
    delta = (O.forget.mean(axis=0) - R.forget.mean(axis=0))[records]
    d = (U.forget.mean(axis=0) - R.forget.mean(axis=0))[records]
    V = excess_spread(U.control, R.control) * mean_variance(U.forget, R.forget)[records]
    decided = V > 0  # two arms that do not vary there have no scale to judge the record by
    delta, d, V = delta[decided], d[decided], V[decided]
    log_ratio = delta * d / V - delta**2 / (2 * V)
    # log(1 + .1 (e^l - 1)), safe for large l
    return float(np.logaddexp(np.log1p(-PRIOR), np.log(PRIOR) + log_ratio).sum())


def _calibrated(*arms: Margins) -> tuple[Margins, ...]:
    """The arms on the scale of the last one, the retrained."""
    reference = arms[-1].control.mean(axis=0)
    return tuple(calibrated(arm, reference) for arm in arms)


def _plantings(O: Margins, U: Margins, seen: Ints, seed: int) -> list[Margins]:
    """The unlearned arm with one visible record in ten, drawn anew each time, never removed."""
    if not len(seen):
        return []
    rng = np.random.default_rng(seed)
    planted = []
    for _ in range(PLANTINGS):
        kept = rng.choice(seen, size=max(1, len(seen) // 10), replace=False)
        forget = U.forget.copy()
        forget[:, kept] = O.forget[:, kept]
        planted.append(Margins(forget, U.control))
    return planted


def excess_spread(U: Floats, R: Floats) -> float:
    """kappa: by how much two arms differ on control records, in units of what chance between runs
    gives (1) and never less. A procedure that merely trains differently differs there too."""
    V = mean_variance(U, R)
    d = U.mean(axis=0) - R.mean(axis=0)
    seen = V > 0
    return max(1.0, float(np.mean(d[seen] ** 2 / V[seen]))) if seen.any() else 1.0
