"""Exact limits of a rate."""

import numpy as np
import pytest
from scipy import stats

from auditkit.statistics.proportions import clopper_pearson, lower_limit, upper_limit


@pytest.mark.parametrize("n", [1, 7, 50])
def test_clopper_pearson_agrees_with_scipy(n: int) -> None:
    """The limits are those of scipy's exact binomial test, for every possible count."""
    for k in range(n + 1):
        limits = stats.binomtest(k, n).proportion_ci(0.9, method="exact")
        ours = clopper_pearson(k, n, 0.1)
        assert (ours.value, ours.low, ours.high) == pytest.approx((k / n, limits.low, limits.high), abs=1e-12)


def test_clopper_pearson_covers_and_no_more_than_it_must() -> None:
    """At every true rate each side misses with probability at most α/2, and at the limit with
    exactly that."""
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


def test_limits_of_many_counts_at_once() -> None:
    """The one-sided limits of an array are those of its elements, and at each the count is just so
    unlikely."""
    k, n, alpha = np.arange(41), 40, 0.05
    low, high = lower_limit(k, n, alpha), upper_limit(k, n, alpha)
    assert low.tolist() == [float(lower_limit(x, n, alpha)) for x in range(41)]
    assert stats.binom.sf(k[1:] - 1, n, low[1:]) == pytest.approx(np.full(40, alpha))
    assert stats.binom.cdf(k[:-1], n, high[:-1]) == pytest.approx(np.full(40, alpha))
    assert (low[0], high[-1]) == (0.0, 1.0)
