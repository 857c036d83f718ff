"""Tests over runs: equivalence, refutation, and Holm's correction.

A run is one observation; records are never replicates. An arm whose values do not vary at all has
nothing to test: the p-value is then 0 if the mean lies on the asked-for side of the bound, and 1 if
it does not (on the bound counts as not).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import stats

from auditkit.statistics.margins import Floats, variance

Name = TypeVar("Name")


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of a mean against a margin.

    p_within: the probability of data this favourable if the true mean lay outside the margin; small
    means "within the margin" is shown. p_outside: the same of data this unfavourable if the true
    mean lay inside it; small means "outside the margin" is shown.
    """

    p_within: float
    p_outside: float


def t_quantile(p: float, df: float) -> float:
    """The p-quantile of Student's t with df degrees of freedom.

    Examples:
        >>> round(t_quantile(0.975, 9), 3)
        2.262
    """
    return float(stats.t.ppf(p, df))


def p_above(mean: float, error: float, df: float, bound: float) -> float:
    """One-sided p-value for "the true mean is greater than bound".

    Args:
        mean: of the observations, one a run.
        error: its standard error; with 0 the answer is certain, 0 or 1.
        df: degrees of freedom.
        bound: in the unit of the mean.

    Examples:
        >>> round(p_above(1.0, 0.5, 9, bound=0.0), 4)
        0.0383
    """
    if error == 0:
        return 0.0 if mean > bound else 1.0
    return float(stats.t.sf((mean - bound) / error, df))


def p_below(mean: float, error: float, df: float, bound: float) -> float:
    """One-sided p-value for "the true mean is less than bound"; arguments as `p_above`.

    Examples:
        >>> round(p_below(-1.0, 0.5, 9, bound=0.0), 4)
        0.0383
    """
    return p_above(-mean, error, df, -bound)


def paired(x: Floats) -> tuple[float, float, float]:
    """(mean, standard error, degrees of freedom) of one value a run.

    Examples:
        >>> mean, error, df = paired(np.array([1.0, 2.0, 3.0]))
        >>> mean, round(error, 4), df
        (2.0, 0.5774, 2.0)
    """
    return float(x.mean()), float(np.sqrt(variance(x) / len(x))), len(x) - 1.0


def welch(x: Floats, y: Floats) -> tuple[float, float, float]:
    """The difference of the means of two independent arms.

    One of them may be a single run. It is then taken to vary as the runs of the other do, and the
    error is that of predicting one new run from those m: s sqrt(1 + 1/m), with m - 1 degrees of
    freedom.

    Args:
        x: one value a run.
        y: one value a run; not as many need be.

    Returns:
        (mean difference x - y, standard error, Welch's degrees of freedom).

    Examples:
        >>> [round(x, 4) for x in welch(np.array([1.0, 3.0]), np.array([0.0, 2.0]))]
        [1.0, 1.4142, 2.0]
    """
    if 1 in (len(x), len(y)):
        many = max(x, y, key=len)
        error = float(np.sqrt(variance(many) * (1 + 1 / len(many))))
        return float(x.mean() - y.mean()), error, len(many) - 1.0
    a, b = float(variance(x)) / len(x), float(variance(y)) / len(y)
    scale = a**2 / (len(x) - 1) + b**2 / (len(y) - 1)
    return float(x.mean() - y.mean()), float(np.sqrt(a + b)), float((a + b) ** 2 / scale) if scale else 1.0


def equivalence(mean: float, error: float, df: float, margin: float) -> Equivalence:
    """Is the true mean within +-margin?

    p_outside is twice the smaller one-sided p-value: both sides are looked at.

    Args:
        mean: of the observations, one a run.
        error: its standard error.
        df: degrees of freedom.
        margin: above 0, in the unit of the mean.

    Examples:
        >>> found = equivalence(0.0, 0.05, 9, margin=0.2)
        >>> round(found.p_within, 4), round(found.p_outside, 4)
        (0.0016, 1.0)
    """
    within = max(p_below(mean, error, df, margin), p_above(mean, error, df, -margin))
    outside = min(p_above(mean, error, df, margin), p_below(mean, error, df, -margin))
    return Equivalence(within, min(1.0, 2 * outside))


def ratio_equivalence(D: Floats, G: Floats, margin: float) -> Equivalence:
    """Is sum D / sum G within +-margin, given that the true G is positive? Tests D - margin G and
    D + margin G.

    Args:
        D: (runs,).
        G: (runs,).
        margin: of the ratio.

    Examples:
        >>> G = np.array([1.0, 1.1, 0.9, 1.0])
        >>> round(ratio_equivalence(np.array([0.01, -0.02, 0.02, 0.0]), G, margin=0.2).p_within, 5)
        0.00063
    """
    upper, lower = paired(D - margin * G), paired(D + margin * G)
    within = max(p_below(*upper, 0), p_above(*lower, 0))
    outside = min(p_above(*upper, 0), p_below(*lower, 0))
    return Equivalence(within, min(1.0, 2 * outside))


def ratio_interval(D: Floats, G: Floats, alpha: float, extra: float = 0.0) -> tuple[float, float]:
    """The ratios r for which a two-sided t-test of mean(D - r G) = 0 at level 2 alpha does not
    reject (Fieller 1954): an interval of level 1 - 2 alpha for E[D] / E[G]. Infinite on both sides
    where G itself cannot be told from zero.

    Args:
        D: (runs,).
        G: (runs,).
        alpha: the probability beyond either end.
        extra: variance that mean(D) has besides that over runs.

    Examples:
        >>> D, G = np.array([0.4, 0.6, 0.5, 0.5]), np.array([1.0, 1.1, 0.9, 1.0])
        >>> [round(end, 3) for end in ratio_interval(D, G, alpha=0.05)]
        [0.416, 0.584]
    """
    n = len(D)
    c = t_quantile(1 - alpha, n - 1) ** 2 / n
    (s_dd, s_dg), (_, s_gg) = np.cov(D, G)
    a = G.mean() ** 2 - c * s_gg
    b = D.mean() * G.mean() - c * s_dg
    if a <= 0:
        return -np.inf, np.inf
    half = np.sqrt(max(b * b - a * (D.mean() ** 2 - c * (s_dd + n * extra)), 0.0))
    return float((b - half) / a), float((b + half) / a)


def not_worse(mean: float, error: float, df: float, margin: float) -> Equivalence:
    """Is the true mean at most `margin`? One-sided: less is always fine. Arguments as
    `equivalence`.

    Examples:
        >>> round(not_worse(-0.1, 0.05, 9, margin=0.02).p_within, 4)
        0.0199
    """
    return Equivalence(p_below(mean, error, df, margin), p_above(mean, error, df, margin))


def holm(p_values: Mapping[Name, float], family: int = 0) -> dict[Name, float]:
    """Holm's adjusted p-values: rejecting where they are <= alpha wrongly rejects any at all with
    probability at most alpha, however the tests depend on each other (Holm 1979).

    Args:
        p_values: test -> p-value.
        family: how many tests were planned, where that is more: the others count as not rejected.

    Raises:
        ValueError: a p-value is outside [0, 1] or NaN, which would hide every other one.

    Examples:
        >>> holm({"a": 0.01, "b": 0.04, "c": 0.5})
        {'a': 0.03, 'b': 0.08, 'c': 0.5}
    """
    if undefined := [name for name, p in p_values.items() if not 0 <= p <= 1]:
        raise ValueError(f"p-values must be in [0, 1], got {[p_values[name] for name in undefined]}")
    adjusted, running, tests = {}, 0.0, max(family, len(p_values))
    for i, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        running = max(running, min(1.0, (tests - i) * p))
        adjusted[name] = running
    return adjusted
