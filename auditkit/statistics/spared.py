"""Spared records: were a few forget records never removed?

Mean residual memory cannot see a few records that were left in. So every record in which memory
shows is asked by itself whether the unlearned runs look like the original or like the retrained
ones there,

    l = delta d / V - delta^2 / (2 V),

with delta = mean original - mean retrained, d = mean unlearned - mean retrained, V = kappa (s_U^2 +
s_R^2) / n, and kappa >= 1 the excess spread that control records show. The answers are combined as
likelihood ratios of several ways of sparing, in each of which a share pi of some records was left
in: the sum over those records of log(1 + pi (e^l - 1)). The ways: one in ten of all, one in a
hundred of all, half of those that belong together (one class, one person). T is the log of their
mean.

T is itself the log of a likelihood ratio: its exponential averages 1 when nothing was spared, so
exp(-T) bounds the p-value (Markov). As records of one run are not independent, T is also compared
with what groups of retrained runs give among themselves, and the larger p-value counts.

A procedure that moves control records about makes kappa large and so blinds this test. Whether it
can still see is therefore tried on the claimed runs themselves, by planting what it looks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from auditkit.statistics.margins import Floats, Ints, Margins, calibrated, stacked, variance
from auditkit.statistics.power import POWER

VISIBLE = 0.7
"""Records take part where the gap delta is more than this many within-arm standard deviations."""
SHARES = (0.1, 0.01)
"""The shares of all records that two of the ways suppose spared."""
OF_A_PART = 0.5
"""The share of the records of one part that the others suppose spared."""
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


def spared(
    original: Margins,
    unlearned: Margins,
    retrained: Margins,
    more_retrained: Margins,
    *,
    parts: Sequence[Ints] = (),
    groups: int,
    seed: int,
    alpha: float,
) -> Spared:
    """Test whether some forget records were spared. parts: forget records that belong together, as
    positions; a record may be of several. `groups` random divisions of all retrained runs into two
    equal arms give the null; alpha is the level that `power` and `fewest` are for.

    All arms are put on one scale, that of all retrained runs together, which is the same for the
    null.
    """
    together = tuple(tuple(part.tolist()) for part in parts)
    null = null_statistics(original, retrained, more_retrained, together, groups, seed)
    reference = stacked(retrained, more_retrained).control.mean(axis=0)
    O, U, R = (calibrated(arm, reference) for arm in (original, unlearned, retrained))
    o, u, r = (Spread.of(arm.forget) for arm in (O, U, R))
    kappa = excess_spreads(Spread.of(U.control), Spread.of(R.control))
    T = statistic(O, U, R, together)
    seen = memorised_records(O, R)

    def noticed(kept: int) -> float:
        planted = _planted(o, u, seen, kept, seed)
        return float(np.mean(p_values(statistics(o, planted, r, kappa, together), null) <= alpha))

    counts = [kept for kept in PLANTED if kept <= len(seen)]
    return Spared(
        T=T,
        p=p_value(T, null),
        null=null,
        visible=len(seen),
        kappa=float(kappa[0]),
        power=noticed(max(1, len(seen) // 10)) if len(seen) else 0.0,
        fewest=next((kept for kept in counts if noticed(kept) >= POWER), None),
    )


@lru_cache(maxsize=4)  # one audit asks for the same null of the claim and of its controls
def null_statistics(
    original: Margins,
    retrained: Margins,
    more_retrained: Margins,
    parts: Sequence[Sequence[int]],
    groups: int,
    seed: int,
) -> Floats:
    """(groups,): T of random divisions of all retrained runs into an "unlearned" and a retrained
    arm."""
    pool, n = stacked(retrained, more_retrained), retrained.runs
    reference = pool.control.mean(axis=0)
    O, P = calibrated(original, reference), calibrated(pool, reference)
    o = Spread.of(O.forget)
    rng = np.random.default_rng(seed)
    chosen = np.zeros((groups, pool.runs))
    for row in chosen:
        row[rng.permutation(pool.runs)[:n]] = 1
    null = np.empty(groups)
    for first in range(0, groups, BATCH):
        some = slice(first, first + BATCH)
        (u, r), (u_control, r_control) = (_divided(part, chosen[some]) for part in (P.forget, P.control))
        null[some] = statistics(o, u, r, excess_spreads(u_control, r_control), parts)
    return null


def p_values(T: Floats, null: Floats) -> Floats:
    """The larger of exp(-T) and the rank of T among the null: (groups,)."""
    rank = (1 + np.count_nonzero(null >= T[:, None], axis=1)) / (1 + len(null))
    return np.asarray(np.maximum(rank, np.exp(-np.maximum(T, 0))))


def p_value(T: float, null: Floats) -> float:
    """The same of one T."""
    return float(p_values(np.array([T]), null)[0])


def memorised_records(O: Margins, R: Margins) -> Ints:
    """The forget records in which memory is visible, delta/s > VISIBLE. O, R: calibrated."""
    return np.flatnonzero(shown(Spread.of(O.forget), Spread.of(R.forget))[0])


def shown(O: Spread, R: Spread) -> npt.NDArray[np.bool_]:
    """Where delta/s > VISIBLE: (groups, records). Where all runs of both answer at the clip, the
    means of equal numbers may still differ by rounding: that is no memory."""
    delta = O.mean - R.mean
    rounding = 16 * np.finfo(np.float64).eps * np.abs(O.mean)
    return np.asarray((delta > VISIBLE * np.sqrt((O.var + R.var) / 2)) & (delta > rounding))


def statistic(O: Margins, U: Margins, R: Margins, parts: Sequence[Sequence[int]]) -> float:
    """T of these arms, which are calibrated; U may be one run. parts: see `spared`."""
    u, r = side_by_side(U.forget, R.forget)
    kappa = excess_spreads(*side_by_side(U.control, R.control))
    return float(statistics(Spread.of(O.forget), u, r, kappa, parts)[0])


def side_by_side(U: Floats, R: Floats) -> tuple[Spread, Spread]:
    """Two arms on the same records: (runs, records). One of one run is taken to vary as the other
    does, whose variances are shrunk half-way to their mean over records: what is a tiny one by luck
    would decide by itself."""
    r = Spread.of(R)
    return (Spread(U, (r.var + r.var.mean()) / 2, 1) if len(U) == 1 else Spread.of(U)), r


def statistics(O: Spread, U: Spread, R: Spread, kappa: Floats, parts: Sequence[Sequence[int]]) -> Floats:
    """T of each group: (groups,). O, U, R: of calibrated margins, one group or as many as the
    others. kappa: (groups,). parts: see `spared`."""
    delta, d = O.mean - R.mean, U.mean - R.mean
    V = kappa[:, None] * (U.var / U.n + R.var / R.n)
    counts = shown(O, R) & (V > 0)  # two arms that do not vary there have no scale to judge the record by
    V = np.where(counts, V, 1.0)
    log_ratio = delta * d / V - delta**2 / (2 * V)

    def of_records(share: float) -> Floats:
        # log(1 + share (e^l - 1)), safe for large l
        return np.where(counts, np.logaddexp(np.log1p(-share), np.log(share) + log_ratio), 0.0)

    ways = [of_records(share).sum(axis=1) for share in SHARES]
    if parts:
        of_parts = np.column_stack([of_records(OF_A_PART)[:, part].sum(axis=1) for part in parts])
        ways.append(logsumexp(of_parts, axis=1) - np.log(len(parts)))
    return np.asarray(logsumexp(ways, axis=0) - np.log(len(ways)))


def excess_spreads(U: Spread, R: Spread) -> Floats:
    """kappa of each group, (groups,): by how much two arms differ on control records, in units of
    what chance between runs gives (1) and never less. A procedure that merely trains differently
    differs there too."""
    V = U.var / U.n + R.var / R.n
    seen = V > 0
    d2 = np.divide((U.mean - R.mean) ** 2, V, out=np.zeros_like(V), where=seen)
    return np.asarray(np.maximum(1.0, d2.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)))


def excess_spread(U: Floats, R: Floats) -> float:
    """The same of two arms. U, R: (runs, control records)."""
    return float(excess_spreads(*side_by_side(U, R))[0])


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
