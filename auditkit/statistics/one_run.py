"""Lower bounds of epsilon from many records of a single training run.

m records ("canaries") are each included or left out by the toss of a fair coin, independently; the
auditor names r of them as in or out and is right about v. How many rights an (epsilon, delta)-DP
mechanism can give away is known, although the records share the run:

- Steinke, Nasr & Jagielski, "Privacy Auditing with One (1) Training Run" (NeurIPS 2023): any
  mechanism.
- Mahloujifar, Melis & Chaudhuri, "Auditing f-Differential Privacy in One Run" (ICML 2025):
  mechanisms with a known trade-off curve, here a Gaussian one; tighter.

Both hold for guesses that are any function of what the mechanism put out, *not* of who was
included; r may not be chosen by looking at how many guesses are right. Who is included must have
been drawn by independent coins: a random half of a fixed size is not covered by the theorems.
"""

import functools
import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from scipy import special

from auditkit.statistics.epsilon import Bound
from auditkit.statistics.gaussian_dp import check_alpha, check_delta, check_positive_delta, epsilon_of_mu
from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import Mask

TOLERANCE = 1e-8
"""Of epsilon and mu; what is returned is the lower end."""

STANDARD = NormalDist()


def right_guesses(scores: Floats, included: Mask, r: int, *, seed: int) -> int:
    """v: how many of r guesses are right, if the r/2 highest scores are guessed in and the r/2
    lowest out.

    Which records are guessed depends on the scores alone. Equal scores are put in an order drawn
    from the seed: this is one more step after the mechanism, blind to who is included, so the
    theorems cover it. (With an attack of two values most guesses are among equals; counting these
    against the auditor would hold as well, and show nothing.)

    Args:
        scores: (m,), higher = more likely included.
        included: bool (m,).
        r: how many guesses; even.
        seed: of the order of equal scores.

    Raises:
        ValueError: shapes differ, a score is NaN, or r is odd or out of range.

    Examples:
        >>> right_guesses(np.array([4.0, 3.0, 2.0, 1.0]), np.array([1, 0, 1, 0]) == 1, r=4, seed=0)
        2
    """
    if scores.shape != included.shape or scores.ndim != 1 or np.isnan(scores).any():
        raise ValueError(f"each of the {included.shape} records must have one score, got {scores.shape}")
    if not 2 <= r <= len(scores) or r % 2:
        raise ValueError(f"r must be even and between 2 and {len(scores)}, got {r}")
    shuffled = np.random.default_rng(seed).permutation(len(scores))
    order = shuffled[np.argsort(scores[shuffled], kind="stable")]
    return int(np.sum(~included[order[: r // 2]]) + np.sum(included[order[-r // 2 :]]))


def one_run_p(m: int, r: int, v: int, epsilon: float, delta: float) -> float:
    """The p-value of "the mechanism is (epsilon, delta)-DP" when v of r guesses about m records
    were right.

    p = min(1, beta + 2 m delta alpha),  beta = P[W >= v],  alpha = max_i P[v > W >= v - i] / i,
    W ~ Binomial(r, e^epsilon / (1 + e^epsilon))          (Steinke et al. 2023, theorem 5.2)

    Args:
        m: records whose inclusion was drawn.
        r: guesses.
        v: right ones.
        epsilon: at least 0.
        delta: in [0, 1).

    Raises:
        ValueError: unless 0 <= v <= r <= m with r > 0, and epsilon and delta are in range.

    Examples:
        >>> round(one_run_p(100, 10, 10, epsilon=0.0, delta=0.0), 6)  # ten coins, all right: 2^-10
        0.000977
    """
    _check_counts(m, r, v)
    check_delta(delta)
    if epsilon < 0:
        raise ValueError(f"epsilon must be at least 0, got {epsilon}")
    return _p_value(m, r, v, delta)(epsilon)


def one_run_epsilon(m: int, r: int, v: int, delta: float, alpha: float) -> Bound:
    """The epsilon up to which every (epsilon, delta) is rejected, p < alpha (`one_run_p`).

    Why it is valid: whether epsilon is rejected depends on v, and more right guesses reject no
    less. If the bound exceeds the true epsilon, some larger epsilon was rejected; but the mechanism
    has that one too, and of these nested events even the most likely one has a probability of at
    most alpha.

    Args:
        m: records whose inclusion was drawn.
        r: guesses.
        v: right ones.
        delta: in [0, 1).
        alpha: the probability of a bound above the true epsilon, at most.

    Raises:
        ValueError: counts, delta or alpha are out of range.

    Examples:
        >>> round(one_run_epsilon(1000, 100, 95, delta=1e-5, alpha=0.05).epsilon, 3)
        2.165
    """
    _check_counts(m, r, v)
    check_delta(delta)
    check_alpha(alpha)
    found, ceiling = (_largest_epsilon(m, r, right, delta, alpha) for right in (v, r))
    return Bound(found, ceiling, delta, 1 - alpha, "one run")


def fdp_one_run_epsilon(m: int, r: int, v: int, delta: float, alpha: float) -> Bound:
    """The epsilon, at this delta, of the largest mu for which mu-GDP is rejected at level alpha.

    Valid if the mechanism trades errors as two Gaussians do, in the way said at
    `epsilon.gdp_epsilon`; of mechanisms that do not, the epsilon can be far lower. Arguments and
    errors as `one_run_epsilon`, but that delta must be above 0.

    Examples:
        >>> round(fdp_one_run_epsilon(1000, 100, 95, delta=1e-5, alpha=0.05).epsilon, 3)
        3.323
    """
    _check_counts(m, r, v)
    check_positive_delta(delta)
    check_alpha(alpha)
    found, ceiling = (epsilon_of_mu(_largest_mu(m, r, right, alpha), delta) for right in (v, r))
    return Bound(found, ceiling, delta, 1 - alpha, "f-DP, one run")


def gdp_rejected(m: int, r: int, v: int, mu: float, alpha: float) -> bool:
    """Whether v or more right guesses of r have a probability below alpha under every mu-GDP
    mechanism.

    Let x_i and h_i be how many right and how many wrong guesses a record gets on average in those
    outcomes that have i or more right. If v or more had probability alpha, there would be at least
    (Mahloujifar et al. 2025, their algorithm for two possible answers)

        x_v = alpha v / m,  h_v = alpha (r - v) / m,
        h_i = max(h_{i+1}, Phi(Phi^-1(x_{i+1}) - mu)),  x_i = x_{i+1} + i / (r - i) (h_i - h_{i+1}),

    but x_0 + h_0 is r / m, no more.

    Examples:
        >>> [gdp_rejected(1000, 100, 95, mu, alpha=0.05) for mu in (0.5, 5.0)]
        [True, False]
    """
    x, h, most = alpha * v / m, alpha * (r - v) / m, r / m
    for i in range(v - 1, -1, -1):
        # NormalDist.cdf has no lower tail before Python 3.12.
        step = max(math.erfc((mu - STANDARD.inv_cdf(x)) / math.sqrt(2)) / 2 - h, 0.0)
        x, h = x + i / (r - i) * step, h + step
        if x + h > most:  # both only grow
            return True
    return False


def _p_value(m: int, r: int, v: int, delta: float) -> Callable[[float], float]:
    """`one_run_p` of epsilon alone; what does not depend on it is computed once."""
    k = np.arange(r + 1)
    log_choose = special.gammaln(r + 1) - special.gammaln(k + 1) - special.gammaln(r - k + 1)
    lengths = np.arange(1, v + 1)

    def p(epsilon: float) -> float:
        chance = np.exp(log_choose - r * math.log1p(math.exp(-epsilon)) - (r - k) * epsilon)
        worst = float(np.max(np.cumsum(chance[:v][::-1]) / lengths, initial=0.0))
        return min(1.0, float(chance[v:].sum()) + 2 * m * delta * worst)

    return p


@functools.lru_cache(maxsize=1024)
def _largest_epsilon(m: int, r: int, v: int, delta: float, alpha: float) -> float:
    share = alpha ** (1 / r)
    enough = max(math.log(share / (1 - share)), 0.0)  # all right and delta 0
    p = _p_value(m, r, v, delta)
    return _largest(lambda epsilon: p(epsilon) < alpha, enough)


@functools.lru_cache(maxsize=1024)
def _largest_mu(m: int, r: int, v: int, alpha: float) -> float:
    enough = 1.0
    while gdp_rejected(m, r, v, enough, alpha):
        enough *= 2
    return _largest(lambda mu: gdp_rejected(m, r, v, mu, alpha), enough)


def _largest(rejected: Callable[[float], bool], enough: float) -> float:
    """The largest value found rejected by bisection, 0 if 0 is not. enough: one that is not
    rejected."""
    if not rejected(0.0):
        return 0.0
    low, high = 0.0, enough
    while high - low > TOLERANCE:
        middle = (low + high) / 2
        low, high = (middle, high) if rejected(middle) else (low, middle)
    return low


def _check_counts(m: int, r: int, v: int) -> None:
    if not 0 <= v <= r <= m or r == 0:
        raise ValueError(f"0 <= v <= r <= m with r > 0 must hold, got v = {v}, r = {r}, m = {m}")
