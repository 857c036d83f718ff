"""Exact limits of a rate of which k of n independent trials are known (Clopper & Pearson 1934)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from auditkit.statistics.margins import Floats


@dataclass(frozen=True)
class Proportion:
    """k of n, with its exact (Clopper-Pearson) interval."""

    value: float
    low: float
    high: float


def clopper_pearson(k: int, n: int, alpha: float) -> Proportion:
    """k successes of n with limits such that the probability of a result at least as extreme is
    alpha/2 at each (Clopper & Pearson 1934).

    Examples:
        >>> found = clopper_pearson(0, 10, alpha=0.05)
        >>> found.value, found.low, round(found.high, 4)
        (0.0, 0.0, 0.3085)
    """
    return Proportion(k / n, float(lower_limit(k, n, alpha / 2)), float(upper_limit(k, n, alpha / 2)))


def lower_limit(k: npt.ArrayLike, n: int, alpha: float) -> Floats:
    """The rate below which k or more successes of n have a probability of at most alpha: same shape
    as k.

    Examples:
        >>> round(float(lower_limit(10, 10, alpha=0.025)), 4)
        0.6915
    """
    k = np.asarray(k)
    return np.where(k == 0, 0.0, special.betaincinv(np.maximum(k, 1), n - k + 1.0, alpha))


def upper_limit(k: npt.ArrayLike, n: int, alpha: float) -> Floats:
    """The rate above which k or fewer successes of n have a probability of at most alpha: same
    shape as k.

    Examples:
        >>> round(float(upper_limit(0, 300, alpha=0.05)), 4)  # about 3/N
        0.0099
    """
    k = np.asarray(k)
    return np.where(k == n, 1.0, special.betainccinv(k + 1.0, np.maximum(n - k, 1), alpha))
