"""Gaussian differential privacy: what a mu says in terms of epsilon and delta.

A mechanism is mu-GDP if telling its outputs on two neighbouring data sets apart is no easier than
telling N(0, 1) from N(mu, 1) by one draw (Dong, Roth & Su 2022).
"""

import numpy as np
from scipy import optimize, special

from auditkit.statistics.margins import Floats


def delta_of_mu(mu: float, epsilon: Floats | float) -> Floats:
    """The smallest delta for which a mu-GDP mechanism is (epsilon, delta)-DP.

    delta = Phi(-epsilon/mu + mu/2) - e^epsilon Phi(-epsilon/mu - mu/2)     (Dong, Roth & Su 2022,
    Cor. 1)

    Args:
        mu: above 0.
        epsilon: of any shape, which the result has too.

    Examples:
        >>> round(float(delta_of_mu(1.0, 1.0)), 4)
        0.1269
    """
    return np.exp(_log_delta(mu, epsilon))


def epsilon_of_mu(mu: float, delta: float) -> float:
    """The smallest epsilon for which a mu-GDP mechanism is (epsilon, delta)-DP; 0 for mu <= 0.

    Raises:
        ValueError: unless 0 < delta < 1.

    Examples:
        >>> round(epsilon_of_mu(1.0, delta=1e-5), 3)
        4.377
    """
    check_positive_delta(delta)
    if mu <= 0 or special.erf(mu / np.sqrt(8)) <= delta:  # delta_of_mu(mu, 0)
        return 0.0
    enough = mu * (mu / 2 - special.ndtri(delta)) + 1.0  # delta <= Phi(mu/2 - epsilon/mu)
    log_delta = np.log(delta)
    return float(optimize.brentq(lambda e: float(_log_delta(mu, e)) - log_delta, 0.0, enough))


def check_delta(delta: float) -> None:
    """ValueError for what is no delta."""
    if not 0 <= delta < 1:
        raise ValueError(f"delta must be at least 0 and below 1, got {delta}")


def check_positive_delta(delta: float) -> None:
    """ValueError for a delta at which Gaussian mechanisms have no epsilon."""
    if not 0 < delta < 1:
        raise ValueError(
            f"delta must be above 0 (no Gaussian mechanism has delta 0) and below 1, got {delta}"
        )


def check_alpha(alpha: float) -> None:
    """ValueError for what is no level of a test."""
    if not 0 < alpha <= 0.5:
        raise ValueError(f"alpha must be above 0 and at most 0.5, got {alpha}")


def _log_delta(mu: float, epsilon: Floats | float) -> Floats:
    """As phi(a) = e^epsilon phi(b), the second term is the first one times a ratio of Mills ratios:
    no large number is taken from another."""
    a, b = mu / 2 - np.asarray(epsilon) / mu, -mu / 2 - np.asarray(epsilon) / mu
    share = special.erfcx(-b / np.sqrt(2)) / special.erfcx(-a / np.sqrt(2))
    return np.asarray(special.log_ndtr(a) + np.log1p(-share))
