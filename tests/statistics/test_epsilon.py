from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from auditkit.statistics.epsilon import (
    Counts,
    clopper_pearson_epsilon,
    clopper_pearson_split,
    counts_at,
    epsilon_needed,
    gdp_epsilon,
    gdp_split,
)
from auditkit.statistics.gaussian_dp import epsilon_of_mu
from auditkit.statistics.margins import Floats


def normal_scores(mu: float, n: int) -> tuple[Floats, Floats]:
    """Members and non-members whose scores are the quantiles of two unit Gaussians mu apart: no
    noise."""
    grid = stats.norm.ppf((np.arange(n) + 0.5) / n)
    return grid + mu, grid


@pytest.mark.parametrize(("alpha", "expected"), [(0.01, 4.54192), (0.05, 4.90559)])
def test_golden_clopper_pearson(alpha: float, expected: float) -> None:
    """A perfect attack on 500 + 500 records shows the golden values."""
    # From reference/golden.json, "clopper_pearson_eps".
    assert clopper_pearson_epsilon(Counts(500, 500, 0, 500), 0.0, alpha).epsilon == pytest.approx(
        expected, abs=1e-5
    )


@pytest.mark.parametrize(
    ("n", "expected"),
    [(50, 2.570), (100, 3.281), (500, 4.906), (1000, 5.601), (5000, 7.212), (10_000, 7.905)],
)
def test_golden_ceilings(n: int, expected: float) -> None:
    """The ceiling is the published one, whatever the attack found."""
    # From method/attacks.md, section 4, at alpha .05.
    assert clopper_pearson_epsilon(Counts(n // 2, n, n // 3, n), 0.0, 0.05).ceiling == pytest.approx(
        expected, abs=1e-3
    )


@pytest.mark.parametrize(("n", "expected"), [(100, 3.11), (1000, 5.43), (10_000, 7.73)])
def test_golden_ceilings_at_half_the_level(n: int, expected: float) -> None:
    """Half of alpha, as one would spend if the mirror had to be paid for, gives the lower published
    ceilings."""
    # From method/decision.md, section 5, alpha/4 a limit.
    assert clopper_pearson_epsilon(Counts(n, n, 0, n), 0.0, 0.025).ceiling == pytest.approx(
        expected, abs=6e-3
    )


@pytest.mark.parametrize("delta", [0.0, 0.02])
def test_clopper_pearson_bound_holds_with_both_sides_for_the_price_of_one(delta: float) -> None:
    """For every pair of true rates, the exact probability of a bound above what these rates need is
    at most alpha, although the better of both sides is taken. For some pair it is not much less:
    nothing is wasted."""
    n, k, alpha = 25, 35, 0.1
    counts = [(tp, fp) for tp in range(n + 1) for fp in range(k + 1)]
    bounds = np.array(
        [clopper_pearson_epsilon(Counts(tp, n, fp, k), delta, alpha).epsilon for tp, fp in counts]
    )
    tp, fp = np.array(counts).T
    worst = 0.0
    for tpr in np.linspace(0.02, 0.98, 25):
        for fpr in np.linspace(0.02, 0.98, 25):
            truth = max(float(epsilon_needed(tpr, fpr, delta)), 0.0)
            chance = stats.binom.pmf(tp, n, tpr) * stats.binom.pmf(fp, k, fpr)
            worst = max(worst, float(chance[bounds > truth + 1e-12].sum()))
    assert 0.02 < worst <= alpha


def test_gdp_bound_holds() -> None:
    """For every threshold on two Gaussians the exact probability of a bound above the true epsilon
    is at most alpha."""
    n, alpha, delta = 30, 0.1, 1e-3
    counts = [(tp, fp) for tp in range(n + 1) for fp in range(n + 1)]
    bounds = np.array([gdp_epsilon(Counts(tp, n, fp, n), delta, alpha).epsilon for tp, fp in counts])
    tp, fp = np.array(counts).T
    for mu in (0.0, 0.5, 1.0, 2.0):
        truth = epsilon_of_mu(mu, delta)
        for threshold in np.linspace(-2, 4, 13):
            tpr, fpr = stats.norm.sf(threshold - mu), stats.norm.sf(threshold)
            chance = stats.binom.pmf(tp, n, tpr) * stats.binom.pmf(fp, n, fpr)
            assert chance[bounds > truth].sum() <= alpha


def test_bounds_are_valid_and_tight_without_noise() -> None:
    """With very many noise-free Gaussian scores the bounds come close to the truth from below."""
    mu, n, delta = 1.0, 200_000, 1e-5
    counts = counts_at(*normal_scores(mu, n), 2.5)
    rates = stats.norm.sf(1.5), stats.norm.sf(2.5)
    needed, found = float(epsilon_needed(*rates, delta)), clopper_pearson_epsilon(counts, delta, 0.05).epsilon
    assert 0.95 * needed < found < needed
    truth = epsilon_of_mu(mu, delta)
    assert 0.95 * truth < gdp_epsilon(counts, delta, 0.05).epsilon < truth


def test_the_mirror_is_a_side_of_its_own() -> None:
    """Exchanging members with non-members and accused with spared changes nothing, for either
    bound."""
    counts, mirrored = Counts(40, 50, 30, 80), Counts(50, 80, 10, 50)
    for bound in (clopper_pearson_epsilon, gdp_epsilon):
        assert bound(counts, 1e-5, 0.05).epsilon == pytest.approx(bound(mirrored, 1e-5, 0.05).epsilon)
    # All non-members spared but few members found: only one side shows something, and it is found.
    few, many = Counts(20, 500, 0, 500), Counts(500, 500, 480, 500)
    assert clopper_pearson_epsilon(few, 0.0, 0.05).epsilon == pytest.approx(
        clopper_pearson_epsilon(many, 0.0, 0.05).epsilon
    )


def test_an_attack_that_is_wrong_shows_nothing() -> None:
    """Where non-members are accused more often than members, or all alike, the bound is exactly
    0."""
    for counts in (Counts(1, 50, 40, 50), Counts(50, 50, 50, 50), Counts(0, 50, 0, 50)):
        assert clopper_pearson_epsilon(counts, 0.0, 0.05).epsilon == 0.0
        assert gdp_epsilon(counts, 1e-5, 0.05).epsilon == 0.0


def test_no_bound_is_above_its_ceiling() -> None:
    """The ceiling is the bound of the perfect attack, and no other attack reaches above it."""
    for bound in (clopper_pearson_epsilon, gdp_epsilon):
        perfect = bound(Counts(30, 30, 0, 20), 1e-5, 0.05)
        assert perfect.epsilon == perfect.ceiling
        found = [bound(Counts(tp, 30, fp, 20), 1e-5, 0.05) for tp in range(31) for fp in range(21)]
        assert max(b.epsilon for b in found) == perfect.ceiling
        assert {b.ceiling for b in found} == {perfect.ceiling}


def test_counts_at_accuses_what_is_above() -> None:
    """A record is accused if its score is above the threshold, not at it; a missing score is
    refused."""
    scores = np.array([1.0, 2.0, 3.0])
    assert counts_at(scores, scores[:2], 2.0) == Counts(1, 3, 0, 2)
    with pytest.raises(ValueError, match="nonmembers must all have a score, got 1 NaN"):
        counts_at(scores, np.array([np.nan, 1.0]), 2.0)


def split_by_hand(members: Floats, nonmembers: Floats, seed: int) -> Counts:
    """The split bound's counts by a loop: every threshold tried on one half, the best one counted
    on the other."""
    rng = np.random.default_rng(seed)
    own = rng.permutation(len(members)) < len(members) // 2
    other = rng.permutation(len(nonmembers)) < len(nonmembers) // 2
    a, b = members[own], nonmembers[other]
    values = sorted({*a, *b})
    thresholds = [(x + y) / 2 for x, y in pairwise(values)]

    def shown(t: float) -> float:
        return float(epsilon_needed(*counts_at(a, b, t).limits(0.05), 1e-5))

    return counts_at(members[~own], nonmembers[~other], max(thresholds, key=shown))


@pytest.mark.parametrize("seed", range(5))
def test_split_counts_only_the_half_that_did_not_choose(seed: int) -> None:
    """The split bound is that of a loop over thresholds."""
    rng = np.random.default_rng(seed)
    members, nonmembers = rng.integers(3, 20, 81).astype(float), rng.integers(0, 15, 90).astype(float)
    expected = clopper_pearson_epsilon(split_by_hand(members, nonmembers, seed), 1e-5, 0.05)
    found = clopper_pearson_split(members, nonmembers, 1e-5, 0.05, seed=seed)
    assert (found.epsilon, found.ceiling) == (expected.epsilon, expected.ceiling)


def test_split_finds_a_good_threshold() -> None:
    """On noise-free Gaussian scores the chosen threshold shows more than any of three obvious
    ones."""
    members, nonmembers = normal_scores(2.0, 4000)
    rng = np.random.default_rng(0)
    members, nonmembers = rng.permutation(members), rng.permutation(nonmembers)
    truth = epsilon_of_mu(2.0, 1e-5)
    found = clopper_pearson_split(members, nonmembers, 1e-5, 0.05, seed=1).epsilon
    half = [counts_at(members[:2000], nonmembers[:2000], t) for t in (0.0, 1.0, 2.0)]
    assert max(clopper_pearson_epsilon(c, 1e-5, 0.05).epsilon for c in half) < found < truth
    assert 0.7 * truth < gdp_split(members, nonmembers, 1e-5, 0.05, seed=1).epsilon < truth


def test_split_of_equal_scores_shows_nothing() -> None:
    """Scores that are all the same show nothing, and neither do those of an attack of two values
    that guesses."""
    assert clopper_pearson_split(np.ones(9), np.ones(9), 0.0, 0.05, seed=0).epsilon == 0.0
    two = np.tile([0.0, 1.0], 50)
    assert gdp_split(two, two, 1e-5, 0.05, seed=0).epsilon == 0.0


def test_what_cannot_be_bounded_is_refused() -> None:
    """Impossible counts, levels and deltas are refused with the rule and the value."""
    good = Counts(3, 5, 1, 5)
    with pytest.raises(ValueError, match="accused must be between 0 and the number of records"):
        Counts(6, 5, 0, 5)
    with pytest.raises(ValueError, match="accused must be between 0 and the number of records"):
        Counts(0, 5, 0, 0)
    with pytest.raises(ValueError, match=r"delta must be at least 0 and below 1, got 1\.0"):
        clopper_pearson_epsilon(good, 1.0, 0.05)
    with pytest.raises(ValueError, match=r"no Gaussian mechanism has delta 0\) and below 1, got 0\.0"):
        gdp_epsilon(good, 0.0, 0.05)
    with pytest.raises(ValueError, match=r"alpha must be above 0 and at most 0\.5, got 0\.9"):
        clopper_pearson_epsilon(good, 0.0, 0.9)
    with pytest.raises(ValueError, match=r"a split needs 2 members and 2 non-members, got 1 \+ 5"):
        clopper_pearson_split(np.ones(1), np.ones(5), 0.0, 0.05, seed=0)
