"""Exposure: which single records do the unlearned runs still answer on as if they had been trained
on them?

For each record in which the original runs show memory at all, on calibrated margins: d = mean
unlearned - mean placebo (or retrained, where the procedure could not be run as a placebo), and

    t = d / sqrt(V + tau^2),      V = (s_U^2 + s_P^2) / n,

with the within-arm variances shrunk half-way to their mean over records. Runs of an honest
procedure with a recipe of its own differ from retrained ones, and a little from their placebo, on
records that nobody was to forget as well: tau^2 is by how much d^2 exceeds V on the control records
whose retrained margins are nearest to the record's own. Records far from the decision boundary
hardly move and would hide how far those near it do, so that one tau for all would not do. A few
control records move much more than the rest as they resemble a forget record; so d^2 is winsorised.

p is the upper tail of Student's t with 2 (n - 1) degrees of freedom; the records named are those
that the procedure of Benjamini & Hochberg (1995) leaves, so that of those named a share q at most
is named wrongly, on average. It is the comparison of U-LiRA (Hayes et al. 2024), unlearned runs
against retrained ones record by record, as a test.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from auditkit.statistics.likelihood import memorised_records
from auditkit.statistics.margins import Floats, Ints, Margins, calibrated, variance

Mask = npt.NDArray[np.bool_]

FALSE_DISCOVERIES = 0.1
"""Of the records named, the share that is named wrongly, at most and on average."""
NEIGHBOURS = 50
"""Control records from which a record's own tau is estimated."""
WINSOR = 0.9
"""Squared differences of control records count no more than this quantile of them."""
_CUT = stats.norm.ppf((1 + WINSOR) / 2)
WINSORISED = float((1 - WINSOR) * _CUT**2 + WINSOR - 2 * _CUT * stats.norm.pdf(_CUT))
"""The mean of a squared standard normal when winsorised so: by this the mean is divided."""


@dataclass(frozen=True, eq=False)
class Exposure:
    """How far the runs of an arm are from retrained ones, record by record, in standard errors.

    forget: (forget records,), control: (control records,), t; positive where a record is answered
    with more confidence than by retrained runs. remembered, below: (forget records,), which are
    still remembered, and which were pushed below what retrained runs show. false: (control
    records,), which are named remembered although no run was trained on them.
    """

    forget: Floats
    control: Floats
    remembered: Mask
    below: Mask
    false: Mask


def memorised_independently(original: Margins, others: Margins, retrained: Margins) -> Ints:
    """The forget records in which the original runs show memory, compared with others that were
    trained without them: (records,), positions.

    What is then compared with the retrained runs must not be chosen by these same runs: their
    chance would be in the choice. The retrained runs give the scale alone.
    """
    reference = retrained.control.mean(axis=0)
    return memorised_records(calibrated(original, reference), calibrated(others, reference))


def exposure(unlearned: Margins, retrained: Margins, seen: Ints, placebo: Margins | None = None) -> Exposure:
    """How exposed each record is in the unlearned runs, see this module's text for t.

    Args:
        unlearned: margins of at least 2 runs.
        retrained: margins of as many runs.
        seen: positions of the forget records in which there is memory to speak of; no others are
            named.
        placebo: margins of the runs that the unlearned ones are compared with; by default the
            retrained ones.
    """
    t = record_statistics(unlearned, retrained, placebo)

    def named(values: Floats, among: Ints) -> Mask:
        found = np.zeros(len(values), dtype=bool)
        found[among] = discoveries(stats.t.sf(values[among], t.df), FALSE_DISCOVERIES)
        return found

    every = np.arange(len(t.control))
    remembered, below, false = named(t.forget, seen), named(-t.forget, seen), named(t.control, every)
    return Exposure(t.forget, t.control, remembered, below, false)


@dataclass(frozen=True, eq=False)
class RecordStatistics:
    """t of each record. forget: (forget records,); control: (control records,); error: (forget
    records,), its denominator; df: degrees of freedom."""

    forget: Floats
    control: Floats
    error: Floats
    df: int


def record_statistics(
    unlearned: Margins, retrained: Margins, placebo: Margins | None = None
) -> RecordStatistics:
    """t of each record, see this module's text; arguments as for `exposure`."""
    reference, n = retrained.control.mean(axis=0), retrained.runs
    U, P = (calibrated(arm, reference) for arm in (unlearned, retrained if placebo is None else placebo))
    pairs = ((U.forget, P.forget), (U.control, P.control))
    d_forget, d_control = (a.mean(axis=0) - b.mean(axis=0) for a, b in pairs)
    V = [(variance(a) + variance(b)) / n for a, b in pairs]
    usual = np.concatenate(V).mean()
    v_forget, v_control = ((v + usual) / 2 for v in V)
    # Neighbours before clipping: records far beyond the clip are none of those just short of it.
    level = retrained.forget.mean(axis=0)
    tau2 = drift(level, reference, d_control**2, v_control, alone=False)
    tau2_control = drift(reference, reference, d_control**2, v_control, alone=True)
    forget, control = per_error(d_forget, v_forget + tau2), per_error(d_control, v_control + tau2_control)
    return RecordStatistics(forget, control, np.sqrt(v_forget + tau2), 2 * (n - 1))


def naming_power(
    original: Margins, unlearned: Margins, retrained: Margins, seen: Ints, placebo: Margins | None = None
) -> float:
    """What it is worth not to be named: how often a record would be, were it the only one that was
    left in whole, over the records in which there is memory to speak of; 0 where there are none.

    Its t is then that of the original runs, and stands the discovery of one among all.

    Args:
        original: margins.
        unlearned: as for `exposure`, like all that follow.
        retrained: see there.
        seen: see there.
        placebo: see there.
    """
    if not len(seen):
        return 0.0
    t = record_statistics(unlearned, retrained, placebo)
    reference = retrained.control.mean(axis=0)
    O, P = (calibrated(arm, reference) for arm in (original, retrained if placebo is None else placebo))
    gap = (O.forget.mean(axis=0) - P.forget.mean(axis=0))[seen]
    least = stats.t.isf(FALSE_DISCOVERIES / len(seen), t.df)
    return float(stats.norm.sf(least - per_error(gap, t.error[seen] ** 2)).mean())


def discoveries(p: Floats, q: float) -> Mask:
    """Which tests are rejected by Benjamini & Hochberg (1995): bool (tests,).

    Args:
        p: p-values (tests,).
        q: the false discovery rate, at most.

    Examples:
        >>> discoveries(np.array([0.001, 0.02, 0.03, 0.8]), q=0.05).tolist()
        [True, True, True, False]
    """
    ordered = np.sort(p)
    below = np.flatnonzero(ordered <= q * np.arange(1, len(p) + 1) / max(1, len(p)))
    return np.asarray(p <= ordered[below[-1]] if len(below) else np.zeros(len(p), dtype=bool))


def drift(level: Floats, control: Floats, squares: Floats, chance: Floats, *, alone: bool) -> Floats:
    """By how much the winsorised mean of d^2 exceeds chance over the control records nearest in
    margin, never below 0: tau^2 of each record, (records,).

    Args:
        level: mean retrained margins (records,).
        control: mean retrained margins (control records,).
        squares: d^2 there.
        chance: V there.
        alone: the records are the control records themselves, and none is its own neighbour.

    Examples:
        >>> squares, chance = np.full(4, 3.0), np.full(4, 0.5)
        >>> drift(np.zeros(1), np.arange(4.0), squares, chance, alone=False).round(3).tolist()
        [3.109]
    """
    apart = np.abs(level[:, None] - control)
    if alone:
        np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1, kind="stable")[:, : min(NEIGHBOURS, len(control) - alone)]
    near = squares[nearest]
    mean = np.minimum(near, np.quantile(near, WINSOR, axis=1, keepdims=True)).mean(axis=1) / WINSORISED
    return np.asarray(np.maximum(mean - chance[nearest].mean(axis=1), 0.0))


def per_error(d: Floats, squared_error: Floats) -> Floats:
    """d in units of its standard error, 0 where that is 0: (records,)."""
    return np.divide(d, np.sqrt(squared_error), out=np.zeros_like(d), where=squared_error > 0)


@dataclass(frozen=True)
class Overlap:
    """Whether two halves of the runs name the same records. first, second, both: how many.
    by_chance: how many in both if either half named as many at random. jaccard: both over either,
    None where neither names any."""

    first: int
    second: int
    both: int
    by_chance: float
    jaccard: float | None


def overlap(one: Mask, other: Mask) -> Overlap:
    """How far two choices of the same records agree.

    Examples:
        >>> overlap(np.array([True, True, False, False]), np.array([True, False, False, False]))
        Overlap(first=2, second=1, both=1, by_chance=0.5, jaccard=0.5)
    """
    first, second = int(one.sum()), int(other.sum())
    both, either = int((one & other).sum()), int((one | other).sum())
    return Overlap(first, second, both, first * second / len(one), both / either if either else None)


def halves_overlap(
    unlearned: Margins, retrained: Margins, seen: Ints, placebo: Margins | None = None
) -> Overlap | None:
    """The records remembered in the first half of the runs, and in the rest; None with fewer than 6
    runs an arm. Arguments as for `exposure`.
    """
    n, compared = retrained.runs, retrained if placebo is None else placebo
    if n < 6:
        return None
    halves = np.arange(n // 2), np.arange(n // 2, n)
    one, other = (
        exposure(unlearned.take(k), retrained.take(k), seen, compared.take(k)).remembered for k in halves
    )
    return overlap(one[seen], other[seen])
