"""Likelihood-ratio attack: is this margin one of a model trained on the record, or of one that was
not?

Carlini, Chien, Nasr, Song, Terzis & Tramer, "Membership Inference Attacks From First Principles"
(IEEE S&P 2022). The margin phi = log(p_y / (1 - p_y)) of a record over runs with and without it is
taken as normal; its mean on either side is the mean over the reference runs, and the variance is
estimated by a rule that is named: the runs on one side are few, and their own variance is then the
weakest part of the attack.

`online`, `offline` and `two_sided` make the attack of a variance rule: online(shrunk) is a score.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from auditkit.attacks.per_class import Score
from auditkit.attacks.references import Moments, moments, require
from auditkit.signals.signals import Signals, phi
from auditkit.statistics.margins import Floats

Variance = Callable[[Moments], Floats]
"""The moments of one side -> the variance of phi there, record by record: (records,), above 0. At
least one record must have two runs on that side."""

reference_margins = moments(phi)
"""The moments of phi over the reference runs (in, out), summed up once for all attacks that need
them."""

LEAST_VARIANCE = 1e-12
"""Nothing smaller is told apart: logits are float32, which leaves phi uncertain by about 1e-6."""


# Variance rules


def per_example(side: Moments) -> Floats:
    """The variance of this record's own runs, the paper's rule where they are many.

    Divided by n, not n - 1, as the paper's code and all that followed it do, so that this is the
    attack that was published. A record with fewer than two runs here has no variance of its own: it
    gets the pooled one.
    """
    own = side.m2 / np.maximum(side.n, 1)
    return np.asarray(np.maximum(np.where(side.n >= 2, own, pooled(side)), LEAST_VARIANCE))


def pooled(side: Moments) -> Floats:
    """One variance for all records: that of the runs about the mean of their own record, with as
    many degrees of freedom as they have left, sum(m2) / sum(n - 1).

    This is what the paper's fixed variance, for few shadow models, is after; but that one takes in
    how far the means of records lie apart, which says nothing about the spread of one record.
    """
    return np.full(side.n.shape, max(_pooled(side.m2, _degrees(side)), LEAST_VARIANCE))


def shrunk(side: Moments) -> Floats:
    """Between the two: (d0 s0^2 + d s^2) / (d0 + d), the record's own sample variance s^2 on d = n
    - 1 degrees of freedom and a prior s0^2 that counts as d0 further ones.

    Smyth, "Linear Models and Empirical Bayes Methods for Assessing Differential Expression in
    Microarray Experiments" (2004), section 3; the prior is learnt from all records (see `prior`).
    The less records differ in their variance and the fewer runs there are, the more of the prior; a
    record with fewer than two runs here has nothing but the prior.
    """
    d = _degrees(side)
    s2 = side.m2 / np.maximum(d, 1)
    d0, s02 = prior(s2[d > 0], d[d > 0])
    weight = d / (d0 + d)
    return np.asarray(np.maximum((1 - weight) * s02 + weight * s2, LEAST_VARIANCE))


def prior(s2: Floats, d: Floats) -> tuple[float, float]:
    """(d0, s0^2) of the scaled inverse chi-square distribution that the records' variances come
    from.

    By the mean and variance of e = log s^2 - digamma(d/2) + log(d/2) over records (Smyth 2004,
    section 6.2): E e = log s0^2 - digamma(d0/2) + log(d0/2), Var e = trigamma(d/2) +
    trigamma(d0/2). Where e varies no more than by chance, records have one variance: d0 is infinite
    and s0^2 the pooled one. Runs that all answered alike, whose s^2 has no logarithm, have no part
    in e.

    Args:
        s2: sample variances (records,).
        d: their degrees of freedom (records,), above 0.
    """
    spread = s2 > LEAST_VARIANCE
    k = d[spread] / 2
    e = np.log(s2[spread]) - digamma(k) + np.log(k)
    excess = _variance(e) - _mean(polygamma(1, k)) if len(e) > 1 else 0.0
    if excess <= LEAST_EXCESS:
        return np.inf, _pooled(s2 * d, d)
    k0 = trigamma_inverse(excess)
    return 2 * k0, float(np.exp(_mean(e) + digamma(k0) - np.log(k0)))


LEAST_EXCESS = 1e-6
"""The variance of log variances that is taken for none: d0 would be above two million."""


def trigamma_inverse(value: float) -> float:
    """The y > 0 with trigamma(y) = value, for a value above 0."""
    # 1/y < trigamma(y) < 1/y + 1/y^2 has it between these two.
    bounds = 1 / value, (1 + np.sqrt(1 + 4 * value)) / (2 * value)
    return float(brentq(lambda y: polygamma(1, y) - value, *bounds))


def _degrees(side: Moments) -> Floats:
    return np.maximum(side.n - 1, 0)


def _pooled(m2: Floats, d: Floats) -> float:
    return _mean(m2) / _mean(d)


def _mean(x: Floats) -> float:
    """The mean, the same to the last bit in whatever order the records stand."""
    return float(np.sort(x).mean())


def _variance(x: Floats) -> float:
    return float(np.sort(x).var(ddof=1))


# What is made of a margin and the moments on either side


def log_normal(x: Floats, mean: Floats, variance: Floats) -> Floats:
    """log of the normal density, record by record."""
    return np.asarray(-0.5 * (np.log(2 * np.pi * variance) + (x - mean) ** 2 / variance))


def log_ratio(x: Floats, inside: Moments, out: Moments, variance: Variance) -> Floats:
    """log N(phi; in) - log N(phi; out), record by record: the logarithm of the paper's likelihood
    ratio.

    Args:
        x: the target's phi (records,).
        inside: moments over runs with the record.
        out: moments over runs without it.
        variance: the rule for the spread of either side.

    Returns:
        (records,); NaN for a record that no reference run was trained on, or every one.
    """
    return log_normal(x, inside.mean, variance(inside)) - log_normal(x, out.mean, variance(out))


def z_score(x: Floats, out: Moments, variance: Variance) -> Floats:
    """By how many standard deviations phi exceeds its mean over runs without the record. Equation 4
    of the paper is its normal distribution function, which ranks alike but runs into 1 at about
    8."""
    return np.asarray((x - out.mean) / np.sqrt(variance(out)))


# The attacks


def online(variance: Variance) -> Score:
    """The attack with reference runs on both sides: the log likelihood ratio.

    NaN for a record that no reference run was trained on, or every one. The attack raises
    NotApplicable where no record has two reference runs on either side.
    """

    def score(signals: Signals, target: int) -> Floats:
        inside, out = reference_margins(signals, target)
        require(signals, target, 2, inside=inside, out=out)
        return log_ratio(phi(signals.logits[target], signals.labels), inside, out, variance)

    return score


def offline(variance: Variance) -> Score:
    """The attack with runs without the record alone, one-sided: how far phi is above what they
    show.

    NaN for a record that every reference run was trained on. The attack raises NotApplicable where
    no record was left out by two.
    """

    def score(signals: Signals, target: int) -> Floats:
        _, out = reference_margins(signals, target)
        require(signals, target, 2, out=out)
        return z_score(phi(signals.logits[target], signals.labels), out, variance)

    return score


def two_sided(variance: Variance) -> Score:
    """The attack with runs without the record alone as the paper's code has it, for comparison with
    tools that follow it: -log N(phi; out). A phi far below what such runs show counts as a member
    too, so that a target that fits less well than the reference runs is misjudged. NaN and
    NotApplicable as for `offline`.
    """

    def score(signals: Signals, target: int) -> Floats:
        _, out = reference_margins(signals, target)
        require(signals, target, 2, out=out)
        return -log_normal(phi(signals.logits[target], signals.labels), out.mean, variance(out))

    return score
