"""What an audit can decide, before any of it is paid for."""

import math
from collections.abc import Callable

import numpy as np
from scipy import integrate, optimize, special, stats

POWER = 0.8
"""An audit that would support a true claim less often than this is refused before training."""

MOST = 10_000
"""More runs than this are not proposed to anyone."""


def equivalence_power(n: int, sd: float, margin: float, alpha: float, mean: float = 0.0) -> float:
    """The probability that two one-sided t-tests at level alpha find a true mean within +-margin.
    Exact, by integrating over the distribution of the sample variance (Phillips 1990).

    Args:
        n: observations.
        sd: the standard deviation of each, above 0.
        margin: in the unit of sd.
        alpha: the level of either test.
        mean: the true mean.

    Examples:
        >>> round(equivalence_power(8, sd=0.1, margin=0.2, alpha=0.05), 3)
        0.999
    """
    if n < 2:
        return 0.0
    df, error = n - 1, sd / np.sqrt(n)
    t = stats.t.ppf(1 - alpha, df)
    scale = df / 2 * math.log(2) + math.lgamma(df / 2)  # log of what the chi-squared density is divided by
    widest = (margin / (error * t)) ** 2 * df  # beyond this sample variance nothing is supported

    def supported(chi2: float) -> float:
        # What scipy.stats gives too, forty times slower, as it checks its arguments at every call.
        room = margin / error - t * math.sqrt(chi2 / df)
        inside = special.ndtr(room - mean / error) - special.ndtr(-room - mean / error)
        return float(inside) * math.exp((df / 2 - 1) * math.log(chi2) - chi2 / 2 - scale)

    low, high = (float(stats.chi2.ppf(q, df)) for q in (1e-10, 1 - 1e-10))
    return float(integrate.quad(supported, low, max(low, min(widest, high)), limit=200)[0])


def one_sided_power(n: int, sd: float, distance: float, alpha: float) -> float:
    """The probability that a one-sided t-test at level alpha finds a true mean on its side of a
    bound that lies `distance` away.

    Args:
        n: observations.
        sd: the standard deviation of each.
        distance: in the unit of sd.
        alpha: the level.

    Examples:
        >>> round(one_sided_power(8, sd=0.1, distance=0.1, alpha=0.05), 3)
        0.815
    """
    if n < 2:
        return 0.0
    return float(stats.nct.sf(stats.t.ppf(1 - alpha, n - 1), n - 1, distance * np.sqrt(n) / sd))


def minimum_detectable_effect(n: int, sd: float, alpha: float) -> float:
    """The distance from a bound at which a one-sided t-test at level alpha finds the true mean on
    its side of it with probability POWER; arguments as `one_sided_power`.

    Examples:
        >>> round(minimum_detectable_effect(8, sd=0.1, alpha=0.05), 3)
        0.098
    """
    widest = sd * (stats.t.ppf(1 - alpha, n - 1) + 10)  # far beyond it
    return float(optimize.brentq(lambda d: one_sided_power(n, sd, d, alpha) - POWER, 0, widest))


def runs_for_power(sd: float, margin: float, alpha: float, mean: float = 0.0) -> int | None:
    """The fewest observations with which `equivalence_power` reaches POWER, None if MOST do not.

    Examples:
        >>> runs_for_power(sd=0.2, margin=0.2, alpha=0.05)
        11
    """
    return _fewest(lambda n: equivalence_power(n, sd, margin, alpha, mean))


def runs_to_decide(
    value: float,
    sd: float,
    margin: float,
    alpha: float,
    *,
    tests: int,
    two_sided: bool,
    over_records: float = 0.0,
) -> int | None:
    """How many runs would decide on which side of the margin a value lies, with probability POWER,
    if it is what it now seems to be; None if MOST would not.

    Args:
        value: as it now seems.
        sd: of one run.
        margin: in the unit of the value.
        alpha: the level of a test.
        tests: how many tests Holm's correction is over, which a refutation must survive.
        two_sided: the margin is +-margin and not an upper bound.
        over_records: the standard error over records, which a refutation weighs besides, and no
            number of runs lowers.

    Examples:
        >>> [runs_to_decide(x, 0.2, 0.2, 0.05, tests=5, two_sided=True) for x in (0.0, 0.1, 0.4)]
        [11, 27, 16]
    """
    if sd == 0:  # runs that do not vary decide at once, but for a value on the margin
        return None if (abs(value) if two_sided else value) == margin else 2
    if two_sided and abs(value) < margin:
        return runs_for_power(sd, margin, alpha, value)
    if not two_sided and value < margin:
        return _fewest(lambda n: one_sided_power(n, sd, margin - value, alpha))
    level = alpha / tests / (2 if two_sided else 1)
    beyond = abs(value) - margin
    return _fewest(lambda n: one_sided_power(n, np.hypot(sd, np.sqrt(n) * over_records), beyond, level))


def _fewest(power: Callable[[int], float]) -> int | None:
    """The smallest n with power(n) >= POWER, by doubling and halving: power grows with n."""
    high = 2
    while power(high) < POWER:
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high
