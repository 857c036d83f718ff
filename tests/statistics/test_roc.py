from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import (
    Mask,
    advantage,
    attainable_tpr,
    auc,
    balanced_accuracy,
    best_threshold,
    lowest_quotable_fpr,
    operating_points,
    threshold_at,
    tpr_at,
)

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
    """The golden true-positive rates are those at the largest false-positive rate not above the one
    asked for."""
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


@pytest.mark.parametrize("seed", range(4))
def test_operating_points_are_those_of_every_threshold(seed: int) -> None:
    """Each threshold separates two neighbouring scores and has the counts that comparing gives."""
    members, nonmembers = scores(seed)
    thresholds, true, false = operating_points(members, nonmembers)
    values = np.unique([*members, *nonmembers])
    assert ((values[:-1] < thresholds) & (thresholds < values[1:])).all()
    assert true.tolist() == [int(np.sum(members > t)) for t in thresholds]
    assert false.tolist() == [int(np.sum(nonmembers > t)) for t in thresholds]


def test_operating_points_where_there_is_no_half_way() -> None:
    """Neighbouring floats, the largest floats and infinities are told apart all the same."""
    for low, high in (
        (1.0, np.nextafter(1.0, 2)),
        (np.nextafter(1.0, 0), 1.0),
        (1e308, 1.7e308),
        (-np.inf, np.inf),
        (0.0, np.inf),
        (-np.inf, 0.0),
    ):
        threshold, true, false = operating_points(np.array([high]), np.array([low]))
        assert high > threshold[0] >= low
        assert (true.tolist(), false.tolist()) == ([1], [0])
    assert operating_points(np.ones(3), np.ones(2))[0].tolist() == [1.0]


@pytest.mark.parametrize("seed", range(4))
def test_best_threshold_has_the_best_balanced_accuracy(seed: int) -> None:
    """No threshold does better on the same records, and no lower one between two scores as well."""
    members, nonmembers = scores(seed)

    def balanced(t: float) -> float:
        return float(np.mean(members > t) + np.mean(nonmembers <= t)) / 2

    best = best_threshold(members, nonmembers)
    assert balanced(best) >= max(balanced(t) for t in np.linspace(0.5, 7.5, 300)) - 1e-12
    cuts = operating_points(members, nonmembers)[0]
    assert all(balanced(t) < balanced(best) - 1e-12 for t in cuts if t < best)


def halves(members: Floats, nonmembers: Floats) -> tuple[Floats, Floats, Mask, Mask]:
    """With every other record in the first fold."""
    return members, nonmembers, np.arange(len(members)) % 2 == 0, np.arange(len(nonmembers)) % 2 == 0


@pytest.mark.parametrize("mu", [0.5, 1.0, 2.0, 4.0])
def test_balanced_accuracy_of_two_gaussians(mu: float) -> None:
    """Two unit Gaussians mu apart are told apart with balanced accuracy Phi(mu/2)."""
    grid = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    found = balanced_accuracy(*halves(grid + mu, grid))
    assert found == pytest.approx(stats.norm.cdf(mu / 2), abs=1e-3)


@pytest.mark.parametrize("scale", [1.5, 2.0, 5.0])
def test_advantage_of_two_exponentials(scale: float) -> None:
    """Exponential scores, members' s times larger, have advantage s^(-1/(s-1)) - s^(-s/(s-1)); 1/4
    at s = 2."""
    grid = stats.expon.ppf((np.arange(4000) + 0.5) / 4000)
    expected = scale ** (-1 / (scale - 1)) - scale ** (-scale / (scale - 1))
    assert advantage(*halves(scale * grid, grid)) == pytest.approx(expected, abs=2e-3)


def test_balanced_accuracy_fold_by_fold() -> None:
    """Each fold is judged by the other's threshold: 3/4 in the first, 1/2 in the second; advantage
    1/4."""
    members, nonmembers = np.array([5.0, 1.0, 4.0, 2.0]), np.array([0.0, 3.0, 2.5, 1.5])
    first = np.array([True, True, False, False])
    # First fold {5, 1 | 0, 3}: 4 is as good as .5, the lowest counts. Second {4, 2 | 2.5, 1.5}:
    # 1.75, as 3.25.
    assert best_threshold(members[:2], nonmembers[:2]) == 0.5
    assert best_threshold(members[2:], nonmembers[2:]) == 1.75
    assert balanced_accuracy(members, nonmembers, first, first) == ((0.5 + 0.5) / 2 + (1 + 0) / 2) / 2
    assert advantage(members, nonmembers, first, first) == 0.0


def test_cross_fitted_balanced_accuracy_is_exactly_a_half_on_average() -> None:
    """Over all ways to deal the same scores to members and non-members the mean is exactly 1/2,
    also with unequal folds; that of the best threshold on the same records is above."""
    values = np.array([0.0, 0.0, 1.0, 2.5, 3.0, 3.0, 7.0, 8.0])
    fold_m, fold_n = np.array([True, False, False]), np.array([True, True, True, False, False])
    found, same = [], []
    for chosen in combinations(range(8), 3):
        rest = [i for i in range(8) if i not in chosen]
        for first in range(3):
            members = values[[chosen[first], *(c for c in chosen if c != chosen[first])]]
            for alone in combinations(range(5), 3):
                order = [*alone, *(i for i in range(5) if i not in alone)]
                nonmembers = values[[rest[i] for i in order]]
                found.append(balanced_accuracy(members, nonmembers, fold_m, fold_n))
                t = best_threshold(members, nonmembers)
                same.append(float(np.mean(members > t) + np.mean(nonmembers <= t)) / 2)
    assert len(found) == 56 * 3 * 10
    assert np.mean(found) == pytest.approx(0.5, abs=1e-12)
    assert np.mean(same) > 0.6


def test_an_inverted_score_has_no_advantage() -> None:
    """Members that score lower are not found: the advantage does not rise above 0, and can lie
    below."""
    grid = stats.norm.ppf((np.arange(400) + 0.5) / 400)
    assert advantage(*halves(grid - 2, grid)) <= 0
    found = [
        advantage(*halves(rng.normal(size=20), rng.normal(size=20)))
        for rng in map(np.random.default_rng, range(50))
    ]
    assert min(found) < 0 < max(found)


def test_a_fold_without_members_is_refused() -> None:
    """Without members or non-members in a fold there is no balanced accuracy."""
    x, mask = np.arange(4.0), np.array([True, True, False, False])
    with pytest.raises(ValueError, match=r"got folds of 2 \+ 4 and 2 \+ 0"):
        balanced_accuracy(x, x, mask, np.ones(4, dtype=bool))


def test_the_true_false_positive_rate_behind_a_threshold() -> None:
    """The false-positive rate is Beta(a + 1, N - a) where a of N non-members are accused."""
    rng = np.random.default_rng(1)
    rates = [1 - threshold_at(rng.random(100), 0.05) for _ in range(2000)]
    assert stats.kstest(rates, stats.beta(6, 95).cdf).pvalue > 0.01
