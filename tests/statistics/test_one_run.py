import numpy as np
import pytest
from scipy import stats

from auditkit.statistics.gaussian_dp import epsilon_of_mu
from auditkit.statistics.margins import Floats
from auditkit.statistics.one_run import (
    fdp_one_run_epsilon,
    gdp_rejected,
    one_run_epsilon,
    one_run_p,
    right_guesses,
)
from auditkit.statistics.proportions import clopper_pearson
from auditkit.statistics.roc import Mask
from tests.simulations.epsilon_bounds import BOUNDS, MECHANISMS, outcomes


def p_term_by_term(m: int, r: int, v: int, epsilon: float, delta: float) -> float:
    """Steinke et al. 2023, theorem 5.2, every probability from scipy's binomial distribution."""
    w = stats.binom(r, 1 / (1 + np.exp(-epsilon)))
    worst = max(((w.cdf(v - 1) - w.cdf(v - i - 1)) / i for i in range(1, v + 1)), default=0.0)
    return min(1.0, float(w.sf(v - 1)) + 2 * m * delta * worst)


def rejected_by_lists(m: int, r: int, v: int, mu: float, alpha: float) -> bool:
    """The recursion of Mahloujifar et al. 2025 with all its terms kept, by scipy's normal
    distribution."""
    right, wrong = {v: alpha * v / m}, {v: alpha * (r - v) / m}
    for i in reversed(range(v)):
        wrong[i] = max(wrong[i + 1], stats.norm.cdf(stats.norm.ppf(right[i + 1]) - mu))
        right[i] = right[i + 1] + i / (r - i) * (wrong[i] - wrong[i + 1])
    return bool(right[0] + wrong[0] > r / m)


# From reference/golden.json, "one_run_eps": m, r, v, delta, epsilon at p = .05.
GOLDEN = [
    (1000, 1000, 1000, 1e-5, 5.782283),
    (1000, 100, 100, 0.0, 3.4929654311522933),
    (1000, 100, 100, 1e-5, 3.465376),
    (1000, 100, 95, 1e-5, 2.165176),
    (1000, 200, 150, 1e-5, 0.819973),
    (1000, 1000, 520, 1e-5, 0.0),
    (1000, 1000, 600, 1e-5, 0.297227),
    (5000, 500, 450, 1e-5, 1.94142),
]


@pytest.mark.parametrize(("m", "r", "v", "delta", "expected"), GOLDEN)
def test_golden_one_run(m: int, r: int, v: int, delta: float, expected: float) -> None:
    """The bounds are the golden ones."""
    assert one_run_epsilon(m, r, v, delta, 0.05).epsilon == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("v", "expected"), [(95, 3.3233), (100, 5.549028)])
def test_golden_fdp_one_run(v: int, expected: float) -> None:
    """The bounds of 100 guesses about 1,000 records are the golden ones."""
    # From reference/golden.json, "fdp_one_run_eps".
    assert fdp_one_run_epsilon(1000, 100, v, 1e-5, 0.05).epsilon == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("m", "r"), [(30, 30), (200, 40), (1000, 1)])
@pytest.mark.parametrize("delta", [0.0, 1e-3])
def test_one_run_p_term_by_term(m: int, r: int, delta: float) -> None:
    """The p-value is the theorem's, for any number of right guesses."""
    for v in {0, 1, r // 2, r - 1, r}:
        for epsilon in (0.0, 0.7, 3.0, 40.0):
            expected = p_term_by_term(m, r, v, epsilon, delta)
            assert one_run_p(m, r, v, epsilon, delta) == pytest.approx(expected, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 2.0])
def test_more_right_guesses_reject_no_less(epsilon: float) -> None:
    """The p-value falls with the number of right guesses wherever it is below a half, which the
    bound's validity needs."""
    p = np.array([one_run_p(1000, 300, v, epsilon, 1e-4) for v in range(301)])
    assert (np.diff(p)[p[:-1] < 0.5] <= 1e-12).all()


def test_one_run_bound_is_where_the_p_value_is_alpha() -> None:
    """The claimed epsilon has p = alpha at the bound, and less below it."""
    bound = one_run_epsilon(1000, 200, 150, 1e-5, 0.05).epsilon
    assert one_run_p(1000, 200, 150, bound, 1e-5) == pytest.approx(0.05, abs=1e-6)
    assert one_run_p(1000, 200, 150, bound - 0.1, 1e-5) < 0.05 < one_run_p(1000, 200, 150, bound + 0.1, 1e-5)


@pytest.mark.parametrize("r", [2, 10, 100, 1000])
def test_all_right_is_a_closed_form(r: int) -> None:
    """At delta 0, r of r right show logit(alpha^(1/r)), which is also the ceiling."""
    share = 0.05 ** (1 / r)
    expected = max(0.0, float(np.log(share / (1 - share))))
    bound = one_run_epsilon(1000, r, r, 0.0, 0.05)
    assert bound.epsilon == bound.ceiling == pytest.approx(expected, abs=1e-6)
    assert one_run_epsilon(1000, r, 0, 0.0, 0.05).ceiling == bound.ceiling


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 2.5])
def test_one_run_is_exactly_valid_for_randomised_response(epsilon: float) -> None:
    """Against the mechanism that gives away most, the exact probability of a bound above the truth
    is at most alpha, and not much less."""
    r, alpha = 400, 0.05
    bounds = np.array([one_run_epsilon(r, r, v, 0.0, alpha).epsilon for v in range(r + 1)])
    chance = stats.binom.pmf(np.arange(r + 1), r, 1 / (1 + np.exp(-epsilon)))
    assert 0.5 * alpha < chance[bounds > epsilon].sum() <= alpha


@pytest.mark.parametrize("mu", [0.0, 0.5, 1.5])
def test_fdp_one_run_is_exactly_valid_for_gaussian_noise(mu: float) -> None:
    """Each record's coin behind Gaussian noise, all guessed: right guesses are Binomial(r,
    Phi(mu/2)), and the exact probability that mu is rejected is at most alpha."""
    r, alpha = 200, 0.05
    rejected = np.array([gdp_rejected(r, r, v, mu, alpha) for v in range(r + 1)])
    assert (np.diff(rejected.astype(int)) >= 0).all()
    assert stats.binom.pmf(np.arange(r + 1), r, stats.norm.cdf(mu / 2))[rejected].sum() <= alpha
    assert rejected[-1]


@pytest.mark.parametrize(("m", "r"), [(50, 50), (300, 40), (5000, 60)])
@pytest.mark.parametrize("mu", [0.0, 0.4, 1.7, 6.0])
def test_fdp_recursion_with_all_its_terms(m: int, r: int, mu: float) -> None:
    """What is rejected is what the recursion rejects when written out."""
    for v in range(0, r + 1, 5):
        assert gdp_rejected(m, r, v, mu, 0.05) == rejected_by_lists(m, r, v, mu, 0.05)


def test_fdp_bound_is_the_epsilon_of_the_largest_mu_rejected() -> None:
    """Below the bound's mu all is rejected, above it nothing; more right guesses show more."""
    grid = np.arange(0.0, 4.0, 0.02)
    rejected = np.array([gdp_rejected(1000, 100, 90, mu, 0.05) for mu in grid])
    border = int(rejected.sum())
    assert rejected[:border].all()
    bound = fdp_one_run_epsilon(1000, 100, 90, 1e-5, 0.05)
    assert epsilon_of_mu(grid[border - 1], 1e-5) <= bound.epsilon <= epsilon_of_mu(grid[border], 1e-5)
    shown = [fdp_one_run_epsilon(1000, 100, v, 1e-5, 0.05).epsilon for v in range(0, 101, 4)]
    assert shown == sorted(shown)
    assert shown[0] == 0.0
    assert shown[-1] == bound.ceiling


def right_by_sorting(scores: Floats, included: Mask, r: int) -> int:
    """Without ties: the r/2 highest are guessed in, the r/2 lowest out."""
    ranked = sorted(zip(scores, included, strict=True))
    return sum(1 - int(x) for _, x in ranked[: r // 2]) + sum(int(x) for _, x in ranked[-(r // 2) :])


@pytest.mark.parametrize("r", [2, 10, 40, 41 - 1])
def test_right_guesses_are_counted_at_both_ends(r: int) -> None:
    """v is what sorting by hand gives, whatever the order of the records and whatever the seed."""
    rng = np.random.default_rng(r)
    scores, included = rng.normal(size=41), rng.random(41) < 0.5
    expected, order = right_by_sorting(scores, included, r), rng.permutation(41)
    assert right_guesses(scores, included, r, seed=0) == expected
    assert right_guesses(scores[order], included[order], r, seed=1) == expected


def test_ties_are_broken_without_looking_at_inclusion() -> None:
    """Among equal scores half of the guesses are right on average; the same seed breaks ties the
    same way."""
    included = np.arange(100) < 50
    found = [right_guesses(np.zeros(100), included, 20, seed=seed) for seed in range(2000)]
    assert np.mean(found) == pytest.approx(10, abs=0.2)
    assert found[7] == right_guesses(np.zeros(100), included, 20, seed=7)
    # What is certain is not touched by the ties: 10 guesses in are all right, the others a coin's
    # toss.
    half = np.where(included & (np.arange(100) < 10), 1.0, 0.0)
    assert min(right_guesses(half, included, 20, seed=seed) for seed in range(50)) >= 10


NULL, *OTHERS = MECHANISMS
MEANT = [name for name, (assumes, _) in BOUNDS.items() if assumes != "wrong"]
WRONG = [name for name, (assumes, _) in BOUNDS.items() if assumes == "wrong"]


def test_false_alarms_where_there_is_nothing_to_find() -> None:
    """In 1,000 audits of a true epsilon of 0 no bound is above it more often than 5 %, for all that
    the exact 95 % interval says."""
    results = outcomes(MECHANISMS[NULL], 1000, 1, MEANT)
    assert len(results) == 8
    assert [name for name, outcome in results.items() if not outcome.passed] == []


def test_what_is_wrong_on_purpose_is_seen_to_be() -> None:
    """The same table fails the rules that choose a threshold, or a number of guesses, by the
    result."""
    results = outcomes(MECHANISMS[NULL], 300, 1, WRONG)
    assert [outcome.passed for outcome in results.values()] == [False, False]


@pytest.mark.parametrize("mechanism", OTHERS)
def test_bounds_of_a_known_epsilon(mechanism: str) -> None:
    """In 100 audits each, no bound that claims to hold is above the true epsilon too often, and the
    best of those that assume nothing shows a part of it worth having."""
    results = outcomes(MECHANISMS[mechanism], 100, 1, MEANT)
    assert [name for name, outcome in results.items() if outcome.covered and not outcome.passed] == []
    medians = [float(np.median(o.epsilon)) for o in results.values() if o.assumes == "nothing"]
    assert max(medians) > 0.7


def test_the_pass_mark_of_the_table() -> None:
    """70 wrong bounds of 1,000 are too many to be 5 %, 60 are not."""
    assert clopper_pearson(70, 1000, 0.05).low > 0.05 > clopper_pearson(60, 1000, 0.05).low


@pytest.mark.parametrize(("m", "r", "v"), [(10, 11, 5), (10, 5, 6), (10, 0, 0), (10, 5, -1)])
def test_impossible_counts_are_refused(m: int, r: int, v: int) -> None:
    """v of r of m must be possible."""
    for bound in (one_run_epsilon, fdp_one_run_epsilon):
        with pytest.raises(ValueError, match=f"got v = {v}, r = {r}, m = {m}"):
            bound(m, r, v, 1e-5, 0.05)


def test_impossible_audits_are_refused() -> None:
    """An odd number of guesses, a missing score, a negative epsilon and a delta of 0 for f-DP are
    refused."""
    scores, included = np.arange(10.0), np.arange(10) < 5
    for r in (0, 3, 12):
        with pytest.raises(ValueError, match=f"r must be even and between 2 and 10, got {r}"):
            right_guesses(scores, included, r, seed=0)
    with pytest.raises(ValueError, match="must have one score"):
        right_guesses(np.append(scores[:9], np.nan), included, 4, seed=0)
    with pytest.raises(ValueError, match="must have one score"):
        right_guesses(scores[:9], included, 4, seed=0)
    with pytest.raises(ValueError, match="epsilon must be at least 0, got -1"):
        one_run_p(10, 4, 2, -1, 0.0)
    with pytest.raises(ValueError, match="delta must be above 0"):
        fdp_one_run_epsilon(10, 4, 2, 0.0, 0.05)
