"""Deciding early: looks at the runs so far, with the error rate held over all of them.

Every look spends a share of alpha, in proportion to the runs that are new at it (the linear
spending function of Lan & DeMets 1983): its tests are made at the level share x alpha. The shares
add up to 1, so that by the union bound the chance of a wrong answer at any look is at most alpha,
however the looks and the tests depend on each other and however few runs there are. A boundary that
reckons with the correlation of Brownian motion would spend a little less, but holds only
approximately for t-tests on eight runs, and not at all for tests that are no means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from auditkit.statistics.hypotheses import t_quantile
from auditkit.statistics.margins import Floats

REPLICATES = 20_000
"""Simulated audits: a probability of .8 is then right within .006 (two standard errors)."""


def schedule(looks: Sequence[int], runs: int) -> list[tuple[int, float]]:
    """When to look, and the share of alpha that each look spends; the shares add up to 1.

    Args:
        looks: numbers of runs before the last look, rising, all below `runs`.
        runs: of an arm, where the last look is.

    Returns:
        (runs an arm, share of alpha) of each look.

    Raises:
        ValueError: the looks do not rise, or end at or beyond `runs`.

    Examples:
        >>> schedule([8, 12], runs=16)
        [(8, 0.5), (12, 0.25), (16, 0.25)]
    """
    ends = [0, *looks, runs]
    if any(n <= before for before, n in pairwise(ends)):
        raise ValueError(f"looks must rise and end below the runs of an arm: got {list(looks)} and {runs}")
    return [(n, (n - before) / runs) for before, n in pairwise(ends)]


@dataclass(frozen=True)
class Level:
    """The level of the tests at a look. alpha: of the audit, all looks together. share: of alpha,
    that this look spends; 1 where it is the only one."""

    alpha: float
    share: float = 1.0

    @property
    def spent(self) -> float:
        """What a test at this look may err by."""
        return self.share * self.alpha


@dataclass(frozen=True)
class OperatingCharacteristic:
    """How an audit is expected to go. runs: an arm, at each look. supported, refuted: the
    probability that it ends there, that way; what is missing to 1 is left inconclusive.
    expected_runs: mean number of runs an arm."""

    runs: tuple[int, ...]
    supported: tuple[float, ...]
    refuted: tuple[float, ...]
    expected_runs: float


def course(
    planned: Sequence[tuple[int, float]],
    *,
    mean: float,
    sd: float,
    margin: float,
    alpha: float,
    tests: int = 1,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> OperatingCharacteristic:
    """The course of an audit that goes by one mean against +-margin, simulated with Gaussian runs.

    Args:
        planned: of `schedule`.
        mean: the true one.
        sd: of one run.
        margin: in the unit of the mean.
        alpha: the chance of a wrong answer at any look, at most.
        tests: how many tests Holm's correction is over: a refutation must stand the strictest.
        seed: the same gives the same numbers.
        replicates: simulated audits.

    Examples:
        >>> plan = schedule([8], runs=16)
        >>> found = course(plan, mean=0.0, sd=0.1, margin=0.2, alpha=0.05, replicates=1000)
        >>> found.runs, found.supported[0] > 0.9, sum(found.refuted)
        ((8, 16), True, 0.0)
    """
    x = np.random.default_rng(seed).normal(mean, sd, (replicates, planned[-1][0]))
    going_on = np.ones(replicates, dtype=bool)
    ended: list[tuple[int, float, float]] = []
    expected = 0.0
    for n, share in planned:
        expected += going_on.mean() * (n - (ended[-1][0] if ended else 0))
        low, high = (_mean_over_error(x[:, :n], bound) for bound in (-margin, margin))
        within, outside = (
            t_quantile(1 - level, n - 1) for level in (share * alpha, share * alpha / tests / 2)
        )
        supported = going_on & (high < -within) & (low > within)
        refuted = going_on & ((high > outside) | (low < -outside))
        going_on &= ~(supported | refuted)
        ended.append((n, float(supported.mean()), float(refuted.mean())))
    runs, yes, no = zip(*ended, strict=True)
    return OperatingCharacteristic(runs, yes, no, float(expected))


def _mean_over_error(x: Floats, bound: float) -> Floats:
    """(replicates,): the t statistic of each row's mean against the bound."""
    return np.asarray((x.mean(axis=1) - bound) / (x.std(axis=1, ddof=1) / np.sqrt(x.shape[1])))
