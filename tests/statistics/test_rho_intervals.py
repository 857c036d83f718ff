"""The interval of residual memory, and the tests that go with it."""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from auditkit.statistics.hypotheses import p_above, paired, ratio_equivalence
from auditkit.statistics.residual import (
    Memory,
    memory,
    rho,
    rho_error,
    rho_interval,
)
from tests.simulations.jackknifed import folds_alone
from tests.simulations.shares import SHARES_CASES
from tests.statistics.simulated_arms import linear_arms

AUDITS = 300


def random_memory(seed: int, *, n: int = 9, share: float = 0.1, noise: float = 1.0) -> Memory:
    """D and G made up directly, one record."""
    rng = np.random.default_rng(seed)
    G = rng.normal(10, 1.5, (n, 1))
    return Memory(share * G + noise * rng.normal(size=(n, 1)), G)


@pytest.mark.parametrize("seed", range(6))
def test_interval_holds_what_the_t_test_does_not_reject(seed: int) -> None:
    """The interval is where scipy's two-sided t-test of D - ΔG, level 2α, does not reject, found by
    a grid."""
    seen = random_memory(seed)
    low, high = rho_interval(seen, 0.05)
    grid = np.linspace(low - (high - low), high + (high - low), 601)
    p = np.array([stats.ttest_1samp(seen.D - delta * seen.G, 0).pvalue for delta in grid])
    kept = grid[p >= 0.1]
    step = grid[1] - grid[0]
    assert (kept[0], kept[-1]) == pytest.approx((low, high), abs=1.01 * step)
    assert len(kept) == pytest.approx((kept[-1] - kept[0]) / step + 1)


def test_interval_and_tests_agree() -> None:
    """ "Within the margin" is shown exactly where the interval lies inside it, and the outside by
    an interval outside."""
    within, outside = [], []
    for seed in range(150):
        seen = random_memory(seed, share=(0.1, 0.3)[seed % 2], noise=1.2)
        low, high = rho_interval(seen, 0.05)
        test = ratio_equivalence(seen.D, seen.G, 0.2)
        within.append(test.p_within <= 0.05)
        outside.append(test.p_outside <= 0.1)
        assert within[-1] == (low > -0.2 and high < 0.2)
        assert outside[-1] == (low > 0.2 or high < -0.2)
    assert 10 < sum(within) < 140
    assert 10 < sum(outside) < 140


def test_interval_is_boundless_without_a_gap() -> None:
    """Where the gap cannot be told from zero at level α, and only there, the interval has no
    ends."""
    seen = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        m = Memory(rng.normal(size=(6, 1)), rng.normal(0.5, 1, (6, 1)))
        boundless = not np.isfinite(rho_interval(m, 0.05)).all()
        mean, error, df = paired(m.G)
        seen.append(boundless)
        assert boundless == (p_above(abs(mean), error, df, 0) > 0.05)
    assert 20 < sum(seen) < 100


def test_error_is_that_of_the_mean_where_the_gap_is_constant() -> None:
    """With a constant gap the standard error of ρ is that of the mean of D over G."""
    D = np.random.default_rng(0).normal(size=(8, 1))
    seen = Memory(D, np.full((8, 1), 4.0))
    assert rho_error(seen) == pytest.approx(stats.sem(D[:, 0] / 4))


@cache
def memories(truth: float) -> list[Memory]:
    """What is left in each of AUDITS audits with this share of memory left."""
    return [
        memory(*linear_arms(seed, n=10, forget=20, control=40, gap=2, share=truth)) for seed in range(AUDITS)
    ]


@pytest.mark.parametrize("truth", [-0.3, 0.0, 0.2, 0.5])
def test_interval_covers_the_truth(truth: float) -> None:
    """The 90 % interval holds the true share of memory left in 90 % of audits, and ρ has no bias to
    speak of."""
    found = memories(truth)
    covered = np.mean([low <= truth <= high for low, high in (rho_interval(m, 0.05) for m in found)])
    assert covered == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / AUDITS))
    assert np.mean([rho(m) for m in found]) == pytest.approx(truth, abs=0.03)


@pytest.mark.parametrize("truth", [-0.2, 0.2])
def test_on_the_margin_support_is_rare(truth: float) -> None:
    """With exactly the margin of memory left, "within" is shown with probability at most α, and so
    is "outside"."""
    within, outside = 0, 0
    for seen in memories(truth):
        test = ratio_equivalence(seen.D, seen.G, 0.2)
        within += test.p_within <= 0.05
        outside += test.p_outside <= 0.05
    most = AUDITS * 0.05 + 3 * np.sqrt(AUDITS * 0.05 * 0.95)
    assert within <= most
    assert outside <= most
    assert within > 0


def test_the_interval_covers_where_records_keep_shares_of_their_own() -> None:
    """What is left need not be in proportion to what there was: the interval still holds the
    population's ratio as often as it says, which by the spread of the folds alone it does not."""
    case = next(c for c in SHARES_CASES if c.setting == "uneven, U inherits half of O's scatter")
    rng, audits = np.random.default_rng(0), 200
    found = [case.memory(case.arms(rng, 10)) for _ in range(audits)]
    covered = {}
    for name, interval in (("jackknife", rho_interval), ("folds", folds_alone)):
        ends = np.array([interval(seen, 0.05) for seen in found])
        covered[name] = float(np.mean((ends[:, 0] <= case.truth) & (case.truth <= ends[:, 1])))
    assert covered["jackknife"] >= 0.9 - 3 * np.sqrt(0.09 / audits)
    assert covered["folds"] < covered["jackknife"] - 0.03
