"""What a mu says in terms of epsilon and delta."""

import mpmath  # type: ignore[import-untyped]  # comes with torch
import numpy as np
import pytest
from scipy import integrate, stats

from auditkit.statistics.gaussian_dp import delta_of_mu, epsilon_of_mu


@pytest.mark.parametrize(
    ("mu", "expected"), [(0.5, (2.25408, 1.99309, 1.35228)), (2.0, (10.99715, 9.99726, 7.58128))]
)
def test_golden_epsilon_of_mu(mu: float, expected: tuple[float, float, float]) -> None:
    """mu-GDP at delta 1e-6, 1e-5, 1e-3 has the golden epsilons."""
    # From reference/golden.json, "gdp_eps_at_delta_1e-6_1e-5_1e-3".
    assert [epsilon_of_mu(mu, d) for d in (1e-6, 1e-5, 1e-3)] == pytest.approx(expected, abs=6e-6)


@pytest.mark.parametrize("mu", [1e-4, 0.3, 1.0, 4.0, 15.0])
@pytest.mark.parametrize("epsilon", [0.0, 0.01, 1.0, 20.0, 300.0])
def test_delta_of_mu_to_many_digits(mu: float, epsilon: float) -> None:
    """The profile equals the formula at 60 digits, also where it is a difference of near-equal
    numbers or of numbers too large for a float."""
    with mpmath.workdps(60):
        phi, e, m = mpmath.ncdf, mpmath.mpf(epsilon), mpmath.mpf(mu)
        exact = phi(-e / m + m / 2) - mpmath.exp(e) * phi(-e / m - m / 2)
        expected = float(exact)
    assert float(delta_of_mu(mu, epsilon)) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("mu", [0.5, 2.0])
def test_delta_of_mu_is_the_integral_that_defines_it(mu: float) -> None:
    """delta is the integral of (density at mu - e^epsilon density at 0) where that is positive."""
    for epsilon in (0.1, 1.0, 3.0):
        from_here = epsilon / mu + mu / 2
        expected = integrate.quad(
            lambda x, e=epsilon: stats.norm.pdf(x - mu) - np.exp(e) * stats.norm.pdf(x), from_here, 40
        )[0]
        assert float(delta_of_mu(mu, epsilon)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("mu", [1e-3, 0.1, 1.0, 6.0, 30.0])
@pytest.mark.parametrize("delta", [1e-30, 1e-5, 0.01])
def test_epsilon_of_mu_inverts_delta_of_mu(mu: float, delta: float) -> None:
    """At the epsilon found, delta is the one asked for; where epsilon is 0, delta(0) is below
    it."""
    epsilon = epsilon_of_mu(mu, delta)
    if epsilon > 0:
        assert float(delta_of_mu(mu, epsilon)) == pytest.approx(delta, rel=1e-6)
    else:
        assert float(delta_of_mu(mu, 0.0)) <= delta


def test_no_separation_has_no_epsilon() -> None:
    """A mu of 0 or less shows nothing."""
    assert epsilon_of_mu(0.0, 1e-5) == epsilon_of_mu(-1.0, 1e-5) == epsilon_of_mu(-np.inf, 1e-5) == 0.0
