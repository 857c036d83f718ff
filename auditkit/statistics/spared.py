"""Spared records: were a few forget records never removed?

Mean residual memory cannot see a few records that were left in. So every record in which memory
shows is asked by itself whether the unlearned runs look as if it had been left in, or as if it had
never been in,

    l = delta d / V - delta^2 / (2 V),

with delta = mean original - mean retrained, d = mean unlearned - mean placebo (or retrained, where
the procedure could not be run as a placebo), V = kappa (s_U^2 + s_P^2) / n, each variance taken
together with the usual one of all records, which counts for one run, and kappa >= 1 the excess
spread that control records show. The answers are combined as likelihood ratios of several ways of
sparing, in each of which a share pi of some records was left in: the sum over those records of
log(1 + pi (e^l - 1)). The ways: one in ten of all, one in a hundred of all, half of those that
belong together (one class, one person). T is the log of their mean.

T is itself the log of a likelihood ratio: its exponential averages 1 when nothing was spared, so
exp(-T) bounds the p-value (Markov). As records of one run are not independent, T is also compared
with what groups of retrained runs give among themselves, and the larger p-value counts.

A procedure that moves control records about in another way than its placebo does makes kappa large
and so blinds this test. Whether it can still see is therefore tried on the claimed runs themselves,
by planting what it looks for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from auditkit.statistics.likelihood import (
    Gap,
    Spread,
    excess_spreads,
    p_value,
    p_values,
    statistic,
    statistics,
)
from auditkit.statistics.margins import Floats, Ints, Margins, calibrated, stacked
from auditkit.statistics.power import POWER

PLANTINGS = 50
"""Times that sparing is planted to see whether the test would notice."""
PLANTED = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Numbers of records that are planted, to find the fewest that the test would notice."""
BATCH = 100
"""Groups that are looked at together."""


@dataclass(frozen=True, eq=False)
class Spared:
    """T: the statistic. p: the probability of so large a T if no record was spared. null:
    (groups,), T of groups of retrained runs. visible: how many records took part. kappa: the excess
    spread on control records. power: how often the test rejects at its level when one visible
    record in ten of these very runs is given the margins of the original ones. fewest: the fewest
    visible records whose sparing would be noticed with probability POWER, None if none of PLANTED
    would."""

    T: float
    p: float
    null: Floats
    visible: int
    kappa: float
    power: float
    fewest: int | None


def spared(
    original: Margins,
    unlearned: Margins,
    retrained: Margins,
    more_retrained: Margins,
    placebo: Margins | None = None,
    *,
    parts: Sequence[Ints] = (),
    groups: int,
    seed: int,
    alpha: float,
) -> Spared:
    """Whether some forget records were spared. All arms are put on one scale, that of all retrained
    runs together, which is the same for the null.

    Args:
        original: margins.
        unlearned: margins.
        retrained: margins of as many runs.
        more_retrained: margins of further runs, retrained independently.
        placebo: margins of the runs that the unlearned ones are compared with; by default the
            retrained ones.
        parts: forget records that belong together, as positions; a record may be of several.
        groups: random divisions of all retrained runs into two equal arms, which give the null.
        seed: of the divisions and of what is planted.
        alpha: the level that `power` and `fewest` are for.

    Examples:
        >>> rng, control = np.random.default_rng(0), np.tile(np.linspace(-2, 2, 20), (4, 1))
        >>> arms = [Margins(rng.normal(shift, 0.1, (4, 20)), control) for shift in (1, 0, 0, 0)]
        >>> found = spared(*arms, groups=19, seed=0, alpha=0.1)
        >>> found.visible, found.p > 0.1, found.fewest
        (20, True, 1)
    """
    together = tuple(tuple(part.tolist()) for part in parts)
    null = null_statistics(original, retrained, more_retrained, together, groups, seed)
    pool = stacked(retrained, more_retrained)
    reference, compared = pool.control.mean(axis=0), retrained if placebo is None else placebo
    O, U, P, R = (calibrated(arm, reference) for arm in (original, unlearned, compared, pool))
    gap = Gap.of(O, R)
    o, u, p = (Spread.of(arm.forget) for arm in (O, U, P))
    kappa = excess_spreads(Spread.of(U.control), Spread.of(P.control))
    T = statistic(gap, U, P, together)
    visible = np.flatnonzero(gap.shown)

    def noticed(kept: int) -> float:
        planted = _planted(o, u, visible, kept, seed)
        return float(np.mean(p_values(statistics(gap, planted, p, kappa, together), null) <= alpha))

    power, fewest = _sensitivity(noticed, len(visible))
    return Spared(T, p_value(T, null), null, len(visible), float(kappa[0]), power, fewest)


def _sensitivity(noticed: Callable[[int], float], visible: int) -> tuple[float, int | None]:
    """(how often one visible record in ten is noticed; the fewest of PLANTED that are with
    probability POWER). noticed: how often so many planted records are."""
    power = noticed(max(1, visible // 10)) if visible else 0.0
    counts = (kept for kept in PLANTED if kept <= visible)
    return power, next((kept for kept in counts if noticed(kept) >= POWER), None)


@lru_cache(maxsize=4)  # one audit asks for the same null of the claim and of its controls
def null_statistics(
    original: Margins,
    retrained: Margins,
    more_retrained: Margins,
    parts: Sequence[Sequence[int]],
    groups: int,
    seed: int,
) -> Floats:
    """T of random divisions of all retrained runs into an "unlearned" and a retrained arm:
    (groups,).
    """
    pool, n = stacked(retrained, more_retrained), retrained.runs
    reference = pool.control.mean(axis=0)
    O, P = calibrated(original, reference), calibrated(pool, reference)
    gap = Gap.of(O, P)
    rng = np.random.default_rng(seed)
    chosen = np.zeros((groups, pool.runs))
    for row in chosen:
        row[rng.permutation(pool.runs)[:n]] = 1
    null = np.empty(groups)
    for first in range(0, groups, BATCH):
        some = slice(first, first + BATCH)
        (u, r), (u_control, r_control) = (_divided(part, chosen[some]) for part in (P.forget, P.control))
        null[some] = statistics(gap, u, r, excess_spreads(u_control, r_control), parts)
    return null


def _divided(values: Floats, chosen: Floats) -> tuple[Spread, Spread]:
    """The chosen runs and the others. values: (runs, records); chosen: (groups, runs), 1 or 0."""
    centred = values - values.mean(axis=0)

    def spread(of: Floats) -> Spread:
        n = int(of[0].sum())
        mean = of @ centred / n
        var = (of @ centred**2 - n * mean**2) / (n - 1)
        # What is left where all runs are alike is rounding.
        rounding = 1e-12 * np.abs(values).max(axis=0) ** 2
        return Spread(mean + values.mean(axis=0), np.where(var > rounding, var, 0.0), n)

    return spread(chosen), spread(1 - chosen)


def _planted(O: Spread, U: Spread, seen: Ints, kept: int, seed: int) -> Spread:
    """The unlearned runs with `kept` visible records never removed, PLANTINGS times, drawn anew
    each time."""
    rng = np.random.default_rng(seed)
    mean, var = (np.tile(part, (PLANTINGS, 1)) for part in (U.mean, U.var))
    for k in range(PLANTINGS):
        left = rng.choice(seen, size=kept, replace=False)
        mean[k, left], var[k, left] = O.mean[0, left], O.var[0, left]
    return Spread(mean, var, U.n)
