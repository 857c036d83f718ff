"""The worst single record: how much of its memory is left, and how well it gives a run away."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from auditkit.statistics.exposure import per_error
from auditkit.statistics.margins import Floats, Margins, calibrated, variance


@dataclass(frozen=True)
class Worst:
    """The record with the highest bound. share: of its memory that is left, as it seems. upper: no
    record in which memory can be seen has more left than this, with the confidence asked for.
    visible: how many those are."""

    share: float
    upper: float
    visible: int


def worst_share(
    original: Margins,
    unlearned: Margins,
    retrained: Margins,
    alpha: float,
    placebo: Margins | None = None,
) -> Worst | None:
    """The largest upper bound of the share of memory left, over all forget records in which memory
    can be seen; None if it can be seen in none.

    For each record the share is (U - P) / (O - R), and its bound the larger root of Fieller (1954)
    at level 1 - alpha / records (Bonferroni): the bounds hold together with probability 1 - alpha.
    What drift adds to U - P is in it.

    Args:
        original: margins.
        unlearned: margins; its run k was made from run k of `original`.
        retrained: margins of as many runs.
        alpha: the probability that any of the bounds is too low, at most.
        placebo: margins of the runs P that the unlearned ones are compared with; by default the
            retrained ones.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> control = np.tile(np.linspace(-2, 2, 20), (8, 1))
        >>> original, unlearned, retrained = (
        ...     Margins(rng.normal(shift, 0.1, (8, 5)), control) for shift in (1.0, 0.0, 0.0)
        ... )
        >>> worst = worst_share(original, unlearned, retrained, alpha=0.05)
        >>> worst.visible, round(worst.upper, 2)
        (5, 0.28)
    """
    share, upper = record_bounds(original, unlearned, retrained, alpha, placebo)
    seen = np.flatnonzero(np.isfinite(upper))
    if not len(seen):
        return None
    k = seen[int(upper[seen].argmax())]
    return Worst(float(share[k]), float(upper[k]), len(seen))


def record_bounds(
    original: Margins,
    unlearned: Margins,
    retrained: Margins,
    alpha: float,
    placebo: Margins | None = None,
) -> tuple[Floats, Floats]:
    """The share of its memory that each forget record has left, and at most how much: both (forget
    records,), NaN where memory of a record cannot be seen; arguments as for `worst_share`. The
    bounds of all records hold together."""
    reference = retrained.control.mean(axis=0)
    arms = (original, unlearned, retrained, retrained if placebo is None else placebo)
    O, U, R, P = (calibrated(arm, reference).forget for arm in arms)
    n, records = R.shape
    c = float(stats.t.ppf(1 - alpha / records, n - 1)) ** 2 / n
    D, G = U.mean(axis=0) - P.mean(axis=0), O.mean(axis=0) - R.mean(axis=0)
    a = G**2 - c * (variance(O) + variance(R))
    b = D * G - c * (_covariance(U, O) + _covariance(P, R))
    e = D**2 - c * (variance(U) + variance(P))
    seen = (a > 0) & (G > 0)
    share, upper = np.full(records, np.nan), np.full(records, np.nan)
    np.divide(D, G, out=share, where=seen)
    np.divide(b + np.sqrt(np.maximum(b**2 - a * e, 0)), a, out=upper, where=seen)
    return share, upper


def _covariance(x: Floats, y: Floats) -> Floats:
    """Of two arms over their runs, record by record: (records,)."""
    return np.asarray(((x - x.mean(axis=0)) * (y - y.mean(axis=0))).sum(axis=0) / (len(x) - 1))


def worst_auc(unlearned: Margins, retrained: Margins, alpha: float) -> tuple[float, float]:
    """How often somebody who knows how unlearned and how retrained runs answer on one record, the
    worst of all, would tell an unlearned run from a retrained one by the higher margin.

    Phi(delta / sqrt 2) for normal margins that lie delta within-arm standard deviations apart,
    variances shrunk half-way to their mean. The bound is that of the noncentral t at level 1 -
    alpha / records, in the approximation t ~ N(nc, 1 + t^2 / 2 df) of Johnson & Welch (1940). It
    sees any difference between the arms, drift included.

    Returns:
        (the AUC found, its upper bound over all records).
    """
    reference = retrained.control.mean(axis=0)
    U, R = (calibrated(arm, reference).forget for arm in (unlearned, retrained))
    n, records = R.shape
    within = (variance(U) + variance(R)) / n
    t = float(per_error(U.mean(axis=0) - R.mean(axis=0), (within + within.mean()) / 2).max())
    upper = t + stats.norm.ppf(1 - alpha / records) * np.sqrt(1 + t**2 / (4 * (n - 1)))
    return float(stats.norm.cdf(t / np.sqrt(n))), float(stats.norm.cdf(upper / np.sqrt(n)))
