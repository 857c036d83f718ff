"""Receiver operating characteristics of a score that is higher for members.

Ties count half. No true-positive rate is quoted at a false-positive rate below 3/N: with N
non-members and not one false alarm, the 95 % upper limit of the false-positive rate is about 3/N.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from auditkit.statistics.margins import Floats


def auc(members: Floats, nonmembers: Floats) -> float:
    """The probability that a random member scores higher than a random non-member, ties counting
    half. members: (m,), nonmembers: (n,)."""
    rank = stats.rankdata(np.concatenate([members, nonmembers]))[: len(members)]
    below = rank.sum() - len(members) * (len(members) + 1) / 2
    return float(below / (len(members) * len(nonmembers)))


def placements(members: Floats, nonmembers: Floats) -> tuple[Floats, Floats]:
    """Each record's part in the AUC (DeLong, DeLong & Clarke-Pearson 1988): for each member the share of
    non-members that score lower, for each non-member the share of members that score higher, ties
    counting half. Both average to the AUC."""
    return _share_below(members, nonmembers), 1 - _share_below(nonmembers, members)


def _share_below(x: Floats, others: Floats) -> Floats:
    ordered = np.sort(others)
    below = np.searchsorted(ordered, x, side="left") + np.searchsorted(ordered, x, side="right")
    return np.asarray(below / (2 * len(others)))


def lowest_quotable_fpr(nonmembers: int) -> float:
    """The smallest false-positive rate that this many non-members can say anything about, 3/N."""
    return 3 / nonmembers


def tpr_at(members: Floats, nonmembers: Floats, fpr: float) -> float:
    """The true-positive rate of the most permissive threshold whose false-positive rate is at most
    `fpr`. Only thresholds that exist count: nothing is interpolated.

    Raises ValueError for an fpr that `nonmembers` are too few to show (see lowest_quotable_fpr).
    """
    least = lowest_quotable_fpr(len(nonmembers))
    if not least <= fpr <= 1:
        raise ValueError(f"with {len(nonmembers)} non-members fpr must be in [{least:.3g}, 1], got {fpr}")
    return attainable_tpr(members, nonmembers, fpr)


def attainable_tpr(members: Floats, nonmembers: Floats, fpr: float) -> float:
    """`tpr_at` without the question of whether the false-positive rate can be quoted."""
    allowed = int(np.floor(fpr * len(nonmembers) + 1e-9))
    if allowed >= len(nonmembers):
        return 1.0
    # Strictly above the first non-member that may not be accused, so that ties with it stay out.
    threshold = np.sort(nonmembers)[::-1][allowed]
    return float(np.mean(members > threshold))


@dataclass(frozen=True)
class Proportion:
    """k of n, with its exact (Clopper-Pearson) interval."""

    value: float
    low: float
    high: float


def clopper_pearson(k: int, n: int, alpha: float) -> Proportion:
    """k successes of n with limits such that the probability of a result at least as extreme is
    alpha/2 at each (Clopper & Pearson 1934)."""
    low = 0.0 if k == 0 else float(stats.beta.ppf(alpha / 2, k, n - k + 1))
    high = 1.0 if k == n else float(stats.beta.ppf(1 - alpha / 2, k + 1, n - k))
    return Proportion(k / n, low, high)
