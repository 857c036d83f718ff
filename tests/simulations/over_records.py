"""Intervals over records, and lower bounds of epsilon, in settings whose truth is known."""

import math
from collections.abc import Callable

import numpy as np
from scipy import stats

from auditkit.evidence.attack_numbers import _tpr_number, _tprs
from auditkit.evidence.schema import Number
from auditkit.statistics.epsilon import Bound, clopper_pearson_epsilon, counts_at, gdp_epsilon
from auditkit.statistics.margins import Floats
from auditkit.statistics.one_run import fdp_one_run_epsilon, one_run_epsilon, right_guesses
from auditkit.statistics.proportions import clopper_pearson
from auditkit.statistics.roc import Mask, threshold_at
from auditkit.statistics.scores import Scores
from tests.simulations.case import At, Case, Sample
from tests.simulations.worlds import Rng


def tpr_point(n: int, fpr: float, own: float, *, at_threshold: bool) -> Sample:
    """The mean true-positive rate of an arm. own: the share of a score's variance that belongs to
    the record and is the same in all runs. at_threshold: hold it against the rate of further
    members above the same thresholds; or against that above the threshold which further non-members
    exceed at this rate.
    """
    effect = 1.0

    def sample(rng: Rng) -> tuple[At, float]:
        runs = [
            mean + np.sqrt(own) * rng.normal(size=size) + np.sqrt(1 - own) * rng.normal(size=(n, size))
            for mean, size in ((effect, 40), (0.0, 80))
        ]
        found = Scores(*runs)
        thresholds = np.array([threshold_at(c, fpr) for c in found.control])
        truth = (
            stats.norm.sf(thresholds - effect).mean()
            if at_threshold
            else stats.norm.sf(stats.norm.isf(fpr) - effect)
        )
        return lambda alpha: _tpr_number(_tprs(found, fpr), 40, alpha), float(truth)

    return sample


def proportion(p: float, records: int) -> Sample:
    """Clopper-Pearson's interval of a rate."""

    def sample(rng: Rng) -> tuple[At, float]:
        k = int(rng.binomial(records, p))

        def at(alpha: float) -> Number:
            found = clopper_pearson(k, records, 2 * alpha)
            return Number(found.value, found.low, found.high, 1 - 2 * alpha, 1, records, "", "")

        return at, p

    return sample


DELTA = 1e-5


def bounded(kind: str, bound: Callable[[Rng, float], Bound], truth: float, setting: str) -> Case:
    """A lower bound of epsilon."""

    def sample(rng: Rng) -> tuple[At, float]:
        seed = int(rng.integers(2**32))

        def at(alpha: float) -> Number:
            found = bound(np.random.default_rng(seed), alpha)
            return Number(found.epsilon, found.epsilon, None, 1 - alpha, 1, 500, "", "")

        return at, truth

    return Case(f"epsilon, {kind}", setting, 1, "the mechanism's epsilon", lambda: sample, one_sided=True)


def answers(
    rng: Rng,
) -> tuple[Floats, Mask]:
    """Randomised response of epsilon 1 about 500 canaries: (scores, who is included)."""
    included = rng.random(500) < 0.5
    return (included ^ (rng.random(500) < 1 / (1 + math.e))).astype(np.float64), included


def gaussian(
    rng: Rng,
) -> tuple[Floats, Mask]:
    """A Gaussian mechanism of mu 1 on 500 canaries: (scores, who is included)."""
    included = rng.random(500) < 0.5
    return included + rng.normal(size=500), included


def one_run(rng: Rng, alpha: float) -> Bound:
    """As the evidence has it: 200 guesses about 500 canaries."""
    found, included = answers(rng)
    return one_run_epsilon(500, 200, right_guesses(found, included, 200, seed=0), 0.0, alpha)


def one_run_gaussian(rng: Rng, alpha: float) -> Bound:
    """200 guesses about 500 canaries of a Gaussian mechanism."""
    found, included = gaussian(rng)
    return one_run_epsilon(500, 200, right_guesses(found, included, 200, seed=0), DELTA, alpha)


def fdp(rng: Rng, alpha: float) -> Bound:
    """f-DP in one run."""
    found, included = gaussian(rng)
    return fdp_one_run_epsilon(500, 200, right_guesses(found, included, 200, seed=0), DELTA, alpha)


def rates(rng: Rng, alpha: float) -> Bound:
    """Clopper-Pearson at a threshold given beforehand."""
    found, included = answers(rng)
    return clopper_pearson_epsilon(counts_at(found[included], found[~included], 0.5), 0.0, alpha)


def gdp(rng: Rng, alpha: float) -> Bound:
    """Gaussian DP at a threshold given beforehand."""
    found, included = gaussian(rng)
    return gdp_epsilon(counts_at(found[included], found[~included], 1.5), DELTA, alpha)
