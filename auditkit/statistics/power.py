"""What an audit can decide, before any of it is paid for."""

import numpy as np
from scipy import integrate, stats

POWER = 0.8
"""An audit that would support a true claim less often than this is refused before training."""


def equivalence_power(n: int, sd: float, margin: float, alpha: float) -> float:
    """The probability that two one-sided t-tests at level alpha find a true mean of 0 within +-margin.

    n: observations, each with standard deviation sd. Exact, by integrating over the distribution of
    the sample variance (Phillips 1990).
    """
    if n < 2:
        return 0.0
    df, error = n - 1, sd / np.sqrt(n)
    t = stats.t.ppf(1 - alpha, df)
    widest = (margin / (error * t)) ** 2 * df  # beyond this sample variance nothing is supported

    def supported(chi2: float) -> float:
        room = margin / error - t * np.sqrt(chi2 / df)
        return float((2 * stats.norm.cdf(room) - 1) * stats.chi2.pdf(chi2, df))

    low, high = (float(stats.chi2.ppf(q, df)) for q in (1e-10, 1 - 1e-10))
    return float(integrate.quad(supported, low, max(low, min(widest, high)), limit=200)[0])


def runs_for_power(sd: float, margin: float, alpha: float, *, most: int = 10_000) -> int | None:
    """The fewest observations that reach POWER, None if `most` do not."""
    n = 2
    while equivalence_power(n, sd, margin, alpha) < POWER:
        n += max(1, n // 20)
        if n > most:
            return None
    while n > 2 and equivalence_power(n - 1, sd, margin, alpha) >= POWER:
        n -= 1
    return n


def runs_to_decide(value: float, sd: float, margin: float, alpha: float) -> int | None:
    """How many runs would decide on which side of +-margin a value lies, with probability POWER, if
    it is what it now seems to be. sd: of one run. None if it seems to lie on the margin."""
    distance = abs(margin - abs(value))
    if distance < 1e-3 * margin:
        return None
    z = stats.norm.ppf(1 - alpha) + stats.norm.ppf(POWER)
    return int(np.ceil((z * sd / distance) ** 2)) + 2
