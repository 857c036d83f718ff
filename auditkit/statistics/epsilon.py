"""Lower bounds of epsilon, from how often an attack is right.

A mechanism is (epsilon, delta)-DP if, whatever is accused, TPR <= e^epsilon FPR + delta and TNR <=
e^epsilon FNR + delta (Kairouz, Oh & Viswanath 2015, theorem 2.1). An attack that does better than a
given epsilon allows shows that the true one is larger. Every function here gives a number that the
true epsilon is below with probability at most alpha, *if its assumptions hold*; 0 is always safe.

Assumed by both bounds of this file: given who is a member, the records are independent trials. That
is so for one record over many training runs. Many records of one run share what is random in it;
the bounds are then approximate, and only those of `one_run` are proved. The records may differ in
how well they are remembered: the bound is about the mean record, which no epsilon-DP mechanism
remembers better either. Scores are higher for members.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import special

from auditkit.statistics.gaussian_dp import check_alpha, check_delta, check_positive_delta, epsilon_of_mu
from auditkit.statistics.margins import Floats
from auditkit.statistics.proportions import lower_limit, upper_limit
from auditkit.statistics.roc import Mask, operating_points


@dataclass(frozen=True)
class Bound:
    """epsilon: the true one is at least this, at this confidence and delta; 0 says nothing.
    ceiling: what an attack that is always right would have shown with as many records by the same
    method: an epsilon near it means that more could not have been seen. method: how, in words."""

    epsilon: float
    ceiling: float
    delta: float
    confidence: float
    method: str


@dataclass(frozen=True)
class Counts:
    """How many of the members and of the non-members were accused."""

    true_positives: int
    members: int
    false_positives: int
    nonmembers: int

    def __post_init__(self) -> None:
        for accused, of in ((self.true_positives, self.members), (self.false_positives, self.nonmembers)):
            if not 0 <= accused <= of or of == 0:
                raise ValueError(f"accused must be between 0 and the number of records > 0, got {self}")

    def perfect(self) -> "Counts":
        """As many records, with all members accused and nobody else."""
        return Counts(self.members, self.members, 0, self.nonmembers)

    def limits(self, alpha: float) -> tuple[float, float]:
        """The lower limit of the true- and the upper limit of the false-positive rate; both hold
        with probability 1 - alpha at least.
        """
        tpr = lower_limit(self.true_positives, self.members, alpha / 2)
        return float(tpr), float(upper_limit(self.false_positives, self.nonmembers, alpha / 2))


def counts_at(members: Floats, nonmembers: Floats, threshold: float) -> Counts:
    """Who is accused if all are whose score is above the threshold.

    Args:
        members: scores (members,), higher = more likely a member.
        nonmembers: scores (non-members,).
        threshold: for a bound, it must have been fixed without looking at these scores.

    Raises:
        ValueError: a score is NaN.

    Examples:
        >>> counts_at(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.5]), threshold=1.5)
        Counts(true_positives=2, members=3, false_positives=1, nonmembers=2)
    """
    for name, scores in (("members", members), ("nonmembers", nonmembers)):
        if np.isnan(scores).any():
            raise ValueError(f"{name} must all have a score, got {int(np.isnan(scores).sum())} NaN")
    return Counts(
        int(np.sum(members > threshold)), len(members), int(np.sum(nonmembers > threshold)), len(nonmembers)
    )


def clopper_pearson_epsilon(counts: Counts, delta: float, alpha: float) -> Bound:
    """The bound from exact limits of the two rates, whatever the mechanism (Jagielski, Ullman &
    Oprea 2020).

        epsilon = max(log((TPR_lo - delta) / FPR_hi), log((TNR_lo - delta) / FNR_hi))

    Why it is valid: TPR_lo and FPR_hi each fail with probability at most alpha/2, so both hold with
    1 - alpha. The mirror costs nothing: TNR_lo = 1 - FPR_hi and FNR_hi = 1 - TPR_lo are the same
    two limits, so that wherever these hold, *both* sides of the maximum are below the true epsilon.
    (Halving alpha once more for the mirror would be needed only for an attack that may also be
    turned round.)

    Args:
        counts: at a threshold that was fixed beforehand.
        delta: of (epsilon, delta)-DP, in [0, 1).
        alpha: the probability of a bound above the true epsilon, at most.

    Raises:
        ValueError: delta or alpha is out of range.

    Examples:
        >>> bound = clopper_pearson_epsilon(Counts(90, 100, 10, 100), delta=1e-5, alpha=0.05)
        >>> round(bound.epsilon, 3), round(bound.ceiling, 3)
        (1.542, 3.281)
    """
    check_delta(delta)
    check_alpha(alpha)
    found, best = (float(epsilon_needed(*c.limits(alpha), delta)) for c in (counts, counts.perfect()))
    return Bound(max(found, 0.0), max(best, 0.0), delta, 1 - alpha, "Clopper-Pearson")


def gdp_epsilon(counts: Counts, delta: float, alpha: float) -> Bound:
    """The bound for mechanisms known to trade errors as two Gaussians do (Dong, Roth & Su 2022;
    Nasr et al. 2023).

        mu = Phi^-1(TPR_lo) - Phi^-1(FPR_hi), and epsilon where delta(epsilon) = delta,

    see `delta_of_mu`. Why it is valid: with probability 1 - alpha both limits hold, and mu is then
    at most that of any mu-GDP mechanism. The mirror gives the same mu. Only a mechanism with a
    Gaussian trade-off curve is bounded: of another one (randomised response, Laplace noise) the
    epsilon can be far lower, and the curve of DP-SGD is Gaussian only in the limit of many steps.

    Args:
        counts: at a threshold that was fixed beforehand.
        delta: in (0, 1): no Gaussian mechanism has delta 0.
        alpha: the probability of a bound above the true epsilon, at most.

    Raises:
        ValueError: delta or alpha is out of range.

    Examples:
        >>> round(gdp_epsilon(Counts(90, 100, 10, 100), delta=1e-5, alpha=0.05).epsilon, 3)
        9.144
    """
    check_positive_delta(delta)
    check_alpha(alpha)
    found, best = (epsilon_of_mu(float(_mu(*c.limits(alpha))), delta) for c in (counts, counts.perfect()))
    return Bound(found, best, delta, 1 - alpha, "Gaussian DP")


def clopper_pearson_split(
    members: Floats, nonmembers: Floats, delta: float, alpha: float, *, seed: int
) -> Bound:
    """The bound of `clopper_pearson_epsilon` from scores, where no threshold was fixed beforehand.

    Why it is valid: a random half of the records chooses the threshold, the one with the best bound
    there; the other half alone is counted. Given the first half the threshold is a constant, and
    the bound holds for every constant. Which half a record is in depends on its position and the
    seed only.

    Args:
        members: scores (members,), higher = more likely a member.
        nonmembers: scores (non-members,).
        delta: of (epsilon, delta)-DP, in [0, 1).
        alpha: the probability of a bound above the true epsilon, at most.
        seed: of the halves.

    Raises:
        ValueError: fewer than two members or non-members, or as `clopper_pearson_epsilon`.

    Examples:
        >>> members, others = np.arange(100.0) + 80, np.arange(100.0)
        >>> round(clopper_pearson_split(members, others, 0.0, 0.05, seed=0).epsilon, 3)
        2.232
    """
    counts = _split(members, nonmembers, partial(epsilon_needed, delta=delta), alpha, seed)
    bound = clopper_pearson_epsilon(counts, delta, alpha)
    return Bound(bound.epsilon, bound.ceiling, delta, 1 - alpha, "Clopper-Pearson, split")


def gdp_split(members: Floats, nonmembers: Floats, delta: float, alpha: float, *, seed: int) -> Bound:
    """The bound of `gdp_epsilon` from scores, where no threshold was fixed beforehand; valid, and
    called, as `clopper_pearson_split`.

    Examples:
        >>> members, others = np.arange(100.0) + 80, np.arange(100.0)
        >>> round(gdp_split(members, others, 1e-5, 0.05, seed=0).epsilon, 3)
        9.312
    """
    bound = gdp_epsilon(_split(members, nonmembers, _mu, alpha, seed), delta, alpha)
    return Bound(bound.epsilon, bound.ceiling, delta, 1 - alpha, "Gaussian DP, split")


def epsilon_needed(tpr: Floats | float, fpr: Floats | float, delta: float) -> Floats:
    """The least epsilon with which a mechanism allows these rates, by the accused or by the spared;
    negative where every mechanism does.

    Args:
        tpr: true-positive rates, below 1.
        fpr: false-positive rates above 0, of the same shape.
        delta: of (epsilon, delta)-DP.

    Returns:
        float64, of the shape of the rates.

    Examples:
        >>> round(float(epsilon_needed(0.8, 0.1, delta=0.0)), 4)  # log 8
        2.0794
    """
    with np.errstate(divide="ignore"):
        own = np.log(np.maximum(np.subtract(tpr, delta), 0) / fpr)
        mirror = np.log(np.maximum(1 - delta - np.asarray(fpr), 0) / np.subtract(1, tpr))
    return np.maximum(own, mirror)


def _mu(tpr: Floats | float, fpr: Floats | float) -> Floats:
    return np.asarray(special.ndtri(tpr) - special.ndtri(fpr))


def _split(
    members: Floats, nonmembers: Floats, shown: Callable[[Floats, Floats], Floats], alpha: float, seed: int
) -> Counts:
    """The counts of one half at the threshold whose limits show the most on the other half."""
    if min(len(members), len(nonmembers)) < 2:
        raise ValueError(f"a split needs 2 members and 2 non-members, got {len(members)} + {len(nonmembers)}")
    rng = np.random.default_rng(seed)
    chooses_m, chooses_n = _half(len(members), rng), _half(len(nonmembers), rng)
    thresholds, true, false = operating_points(members[chooses_m], nonmembers[chooses_n])
    tpr = lower_limit(true, int(chooses_m.sum()), alpha / 2)
    fpr = upper_limit(false, int(chooses_n.sum()), alpha / 2)
    best = float(thresholds[np.argmax(shown(tpr, fpr))])
    return counts_at(members[~chooses_m], nonmembers[~chooses_n], best)


def _half(n: int, rng: np.random.Generator) -> Mask:
    return rng.permutation(n) < n // 2
