import numpy as np
import pytest
from scipy import stats

from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import attainable_tpr, auc, clopper_pearson, lowest_quotable_fpr, tpr_at

# From reference/golden.json, "roc".
MEMBERS = np.array([3.0, 2.0, 2.0, 1.0])
NONMEMBERS = np.array([2.0, 1.0, 0.0, 0.0])


def auc_by_loop(members: Floats, nonmembers: Floats) -> float:
    won = sum(1.0 if m > n else 0.5 if m == n else 0.0 for m in members for n in nonmembers)
    return won / (len(members) * len(nonmembers))


def tpr_by_scanning(members: Floats, nonmembers: Floats, fpr: float) -> float:
    thresholds = [-np.inf, *members, *nonmembers, np.inf]
    allowed = [t for t in thresholds if np.mean(nonmembers >= t) <= fpr]
    return max(float(np.mean(members >= t)) for t in allowed)


def scores(seed: int) -> tuple[Floats, Floats]:
    """Few distinct values, so that there are many ties."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 7, 23).astype(float) + 1, rng.integers(0, 7, 40).astype(float)


def test_golden_auc_counts_ties_half() -> None:
    """The AUC of the golden example is 0.84375."""
    assert auc(MEMBERS, NONMEMBERS) == 0.84375


@pytest.mark.parametrize(("fpr", "tpr"), [(0.0, 0.25), (0.25, 0.75), (0.5, 1.0)])
def test_golden_tpr_at_the_largest_fpr_allowed(fpr: float, tpr: float) -> None:
    """The golden true-positive rates are those at the largest false-positive rate not above the one asked for."""
    assert attainable_tpr(MEMBERS, NONMEMBERS, fpr) == tpr


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_the_share_of_pairs_won(seed: int) -> None:
    """The AUC equals the double loop over pairs, ties counting half."""
    members, nonmembers = scores(seed)
    assert auc(members, nonmembers) == pytest.approx(auc_by_loop(members, nonmembers), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_tpr_is_the_best_of_all_thresholds(seed: int) -> None:
    """The true-positive rate is the best of any threshold whose false-positive rate is allowed."""
    members, nonmembers = scores(seed)
    for fpr in (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.725, 0.9, 1.0):
        assert attainable_tpr(members, nonmembers, fpr) == tpr_by_scanning(members, nonmembers, fpr)


@pytest.mark.parametrize("mu", [-1.0, 0.0, 0.5, 1.0, 2.0])
def test_auc_of_two_gaussians(mu: float) -> None:
    """Two unit Gaussians μ apart have an AUC of Φ(μ/√2)."""
    grid = stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    assert auc(grid + mu, grid) == pytest.approx(stats.norm.cdf(mu / np.sqrt(2)), abs=1e-3)


def test_auc_of_constant_scores_is_a_half() -> None:
    """Scores that tell nothing apart have an AUC of exactly 1/2."""
    assert auc(np.ones(3), np.ones(8)) == 0.5


def test_auc_changes_sides_with_members_and_nonmembers() -> None:
    """Exchanging members and non-members turns the AUC into 1 minus it."""
    members, nonmembers = scores(7)
    assert auc(members, nonmembers) + auc(nonmembers, members) == pytest.approx(1, abs=1e-12)


def test_no_rate_below_three_over_n_is_quoted() -> None:
    """A false-positive rate below 3/N is refused, and 3/N itself is not."""
    members, nonmembers = scores(1)
    assert lowest_quotable_fpr(40) == 0.075
    assert tpr_at(members, nonmembers, 0.075) == tpr_by_scanning(members, nonmembers, 0.075)
    for fpr in (0.0, 0.07, 1.1):
        with pytest.raises(ValueError, match=r"fpr must be in \[0\.075, 1\]"):
            tpr_at(members, nonmembers, fpr)


@pytest.mark.parametrize("n", [1, 7, 50])
def test_clopper_pearson_agrees_with_scipy(n: int) -> None:
    """The limits are those of scipy's exact binomial test, for every possible count."""
    for k in range(n + 1):
        limits = stats.binomtest(k, n).proportion_ci(0.9, method="exact")
        ours = clopper_pearson(k, n, 0.1)
        assert (ours.value, ours.low, ours.high) == pytest.approx((k / n, limits.low, limits.high), abs=1e-12)


def test_clopper_pearson_covers_and_no_more_than_it_must() -> None:
    """At every true rate each side misses with probability at most α/2, and at the limit with exactly that."""
    n, alpha = 30, 0.1
    intervals = [clopper_pearson(k, n, alpha) for k in range(n + 1)]
    counts = np.arange(n + 1)
    for rate in np.linspace(0.01, 0.99, 99):
        chance = stats.binom.pmf(counts, n, rate)
        assert chance[[i.low > rate for i in intervals]].sum() <= alpha / 2 + 1e-12
        assert chance[[i.high < rate for i in intervals]].sum() <= alpha / 2 + 1e-12
    for k in range(1, n):
        assert stats.binom.sf(k - 1, n, intervals[k].low) == pytest.approx(alpha / 2)
        assert stats.binom.cdf(k, n, intervals[k].high) == pytest.approx(alpha / 2)
