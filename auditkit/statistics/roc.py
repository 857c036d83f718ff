"""Receiver operating characteristics of a score that is higher for members.

Ties count half. No true-positive rate is quoted at a false-positive rate below 3/N: with N
non-members and not one false alarm, the 95 % upper limit of the false-positive rate is about 3/N.
"""

import numpy as np
import numpy.typing as npt
from scipy import stats

from auditkit.statistics.margins import Floats, Ints

Mask = npt.NDArray[np.bool_]


def auc(members: Floats, nonmembers: Floats) -> float:
    """The probability that a random member scores higher than a random non-member, ties counting
    half.

    Args:
        members: scores (m,).
        nonmembers: scores (n,).

    Examples:
        >>> auc(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
        0.875
    """
    rank = stats.rankdata(np.concatenate([members, nonmembers]))[: len(members)]
    below = rank.sum() - len(members) * (len(members) + 1) / 2
    return float(below / (len(members) * len(nonmembers)))


def placements(members: Floats, nonmembers: Floats) -> tuple[Floats, Floats]:
    """Each record's part in the AUC (DeLong, DeLong & Clarke-Pearson 1988): for each member the
    share of non-members that score lower, for each non-member the share of members that score
    higher, ties counting half. Both average to the AUC.

    Returns:
        ((m,), (n,)), each in [0, 1].

    Examples:
        >>> [part.tolist() for part in placements(np.array([2.0, 3.0]), np.array([1.0, 2.0]))]
        [[0.75, 1.0], [1.0, 0.75]]
    """
    return _share_below(members, nonmembers), 1 - _share_below(nonmembers, members)


def _share_below(x: Floats, others: Floats) -> Floats:
    ordered = np.sort(others)
    below = np.searchsorted(ordered, x, side="left") + np.searchsorted(ordered, x, side="right")
    return np.asarray(below / (2 * len(others)))


def lowest_quotable_fpr(nonmembers: int) -> float:
    """The smallest false-positive rate that this many non-members can say anything about, 3/N.

    Examples:
        >>> lowest_quotable_fpr(300)
        0.01
    """
    return 3 / nonmembers


def threshold_at(nonmembers: Floats, fpr: float) -> float:
    """The lowest of the scores t such that at most a share `fpr` of `nonmembers` scores higher than
    t: a record is accused if its score is above. -inf where all may be accused.

    Raises:
        ValueError: `nonmembers` are too few to show this fpr (see `lowest_quotable_fpr`).

    Examples:
        >>> threshold_at(np.arange(100.0), fpr=0.05)
        94.0
    """
    least = lowest_quotable_fpr(len(nonmembers))
    if not least <= fpr <= 1:
        raise ValueError(f"with {len(nonmembers)} non-members fpr must be in [{least:.3g}, 1], got {fpr}")
    return _attainable(nonmembers, fpr)


def _attainable(nonmembers: Floats, fpr: float) -> float:
    """`threshold_at` without the question of whether the false-positive rate can be quoted."""
    allowed = int(np.floor(fpr * len(nonmembers) + 1e-9))
    if allowed >= len(nonmembers):
        return -np.inf
    # The first non-member that may not be accused; ties with it stay out.
    return float(np.sort(nonmembers)[::-1][allowed])


def tpr_at(members: Floats, nonmembers: Floats, fpr: float) -> float:
    """The true-positive rate of the most permissive threshold whose false-positive rate is at most
    `fpr`. Only thresholds that exist count: nothing is interpolated.

    Args:
        members: scores (m,).
        nonmembers: scores (n,).
        fpr: in [3/n, 1].

    Raises:
        ValueError: `nonmembers` are too few to show this fpr (see `lowest_quotable_fpr`).

    Examples:
        >>> tpr_at(np.array([90.0, 95.0, 96.0, 99.0]), np.arange(100.0), fpr=0.05)
        0.75
    """
    return float(np.mean(members > threshold_at(nonmembers, fpr)))


def attainable_tpr(members: Floats, nonmembers: Floats, fpr: float) -> float:
    """The rate of `tpr_at` without the question of whether the false-positive rate can be quoted.

    Examples:
        >>> attainable_tpr(np.array([1.0, 5.0]), np.array([0.0, 2.0]), fpr=0.01)
        0.5
    """
    return float(np.mean(members > _attainable(nonmembers, fpr)))


def operating_points(members: Floats, nonmembers: Floats) -> tuple[Floats, Ints, Ints]:
    """What every threshold accuses: one between any two neighbouring scores, half-way; the one
    score there is where all are equal.

    Returns:
        (thresholds, members above, non-members above), lowest threshold first.

    Examples:
        >>> [part.tolist() for part in operating_points(np.array([2.0, 3.0]), np.array([1.0]))]
        [[1.5, 2.5], [2, 1], [0, 0]]
    """
    values = np.unique(np.concatenate([members, nonmembers]))
    low, high = (values[:-1], values[1:]) if len(values) > 1 else (values, values)
    with np.errstate(invalid="ignore", over="ignore"):
        middle = (low + high) / 2
    # Half-way rounds to a score where the two are next to each other, and does not exist next to
    # infinity.
    thresholds = np.where((low < middle) & (middle < high), middle, low)

    def above(scores: Floats) -> Ints:
        return len(scores) - np.searchsorted(np.sort(scores), thresholds, side="right").astype(np.int64)

    return thresholds, above(members), above(nonmembers)


def best_threshold(members: Floats, nonmembers: Floats) -> float:
    """The threshold at which "score > threshold" has the highest balanced accuracy: half-way
    between two neighbouring scores; the lowest such threshold where several are as good.

    Examples:
        >>> best_threshold(np.array([2.0, 3.0]), np.array([0.0, 1.0]))
        1.5
    """
    thresholds, true, false = operating_points(members, nonmembers)
    # In whole numbers: ties between thresholds are exact.
    return float(thresholds[np.argmax(true * len(nonmembers) - false * len(members))])


def balanced_accuracy(members: Floats, nonmembers: Floats, fold_m: Mask, fold_n: Mask) -> float:
    """The mean of true-positive and true-negative rate, cross-fitted: the records of either fold
    are judged by the threshold that is best on the other fold. 1/2 on average for scores that know
    nothing.

    It is the mean of the two folds, not of all records: only so is it unbiased however the folds
    were cut. (The best threshold on the same records does better than 1/2 even where there is
    nothing to find.)

    Args:
        members: scores (m,).
        nonmembers: scores (n,).
        fold_m: bool (m,), which members are in the first fold; it may depend on anything but the
            scores.
        fold_n: bool (n,), the same of non-members.

    Raises:
        ValueError: a fold has no member or no non-member.

    Examples:
        >>> fold = np.array([True, False])
        >>> balanced_accuracy(np.array([2.0, 3.0]), np.array([0.0, 1.0]), fold, fold)
        0.75
    """
    folds = [(members[a], nonmembers[b]) for a, b in ((fold_m, fold_n), (~fold_m, ~fold_n))]
    if any(len(x) == 0 for fold in folds for x in fold):
        raise ValueError("each fold must have members and non-members, got folds of " + _sizes(folds))
    found = [_balanced(best_threshold(*folds[1 - k]), *folds[k]) for k in (0, 1)]
    return float(np.mean(found))


def advantage(members: Floats, nonmembers: Floats, fold_m: Mask, fold_n: Mask) -> float:
    """Membership advantage, the true- minus the false-positive rate (Yeom et al. 2018, definition
    4), as 2 x `balanced_accuracy` - 1: cross-fitted, so 0 on average for scores that know nothing,
    at times below.

    Examples:
        >>> fold = np.array([True, False])
        >>> advantage(np.array([2.0, 3.0]), np.array([0.0, 1.0]), fold, fold)
        0.5
    """
    return 2 * balanced_accuracy(members, nonmembers, fold_m, fold_n) - 1


def _balanced(threshold: float, members: Floats, nonmembers: Floats) -> float:
    return float((np.mean(members > threshold) + np.mean(nonmembers <= threshold)) / 2)


def _sizes(folds: list[tuple[Floats, Floats]]) -> str:
    return " and ".join(f"{len(m)} + {len(n)}" for m, n in folds)
