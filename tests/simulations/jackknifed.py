"""Intervals and tests of residual memory before and after the jackknife, side by side: the same
audits, judged by the spread of the folds' D_k and by pseudo-values.

An audit has as many runs as the last look; at fewer runs it is judged by the first of them. Answers
are wrong where the margin lies at the truth: "passed" where the interval of level 1 - 2 alpha lies
below it, "refuted" where that of level 1 - alpha (after: over runs and records) lies above it. At
the looks either is at the level that the look spends, and counts if it comes at any of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from auditkit.statistics.residual import Memory, refuting_interval, rho, rho_interval
from auditkit.statistics.sequential import schedule
from tests.simulations.shares import SharesCase

ALPHA = 0.05
LOOKS = (8, 12, 20)
AT_LOOKS = "looks at 8, 12, 20"
AUDITS = 300
"""Replicates of a setting: a jackknife of 20 runs is 190 fits. The Monte-Carlo error of a share of
.05 is then .013, of .9 .017."""

Interval = Callable[[Memory, float], tuple[float, float]]
"""(memory, alpha) -> an interval of level 1 - 2 alpha."""


@dataclass(frozen=True)
class Method:
    """How one method did. covered: by the interval of 90 %; None at looks. passed, refuted: with
    the truth on the margin. boundless: no interval."""

    covered: float | None
    passed: float
    refuted: float
    boundless: float


@dataclass(frozen=True)
class Jackknifed:
    """One setting and number of runs. truth: see `tests.simulations.shares`. mean: of rho over
    audits, with its Monte-Carlo error. before, after: the methods."""

    setting: str
    runs: str
    replicates: int
    truth: float
    mean: float | None
    error: float | None
    before: Method
    after: Method


def folds_alone(seen: Memory, alpha: float) -> tuple[float, float]:
    """The interval by the spread of the folds' D_k, as it was before the jackknife."""
    return rho_interval(Memory(seen.left, seen.gap, seen.one_run), alpha)


METHODS: tuple[tuple[Interval, Interval], ...] = (
    (folds_alone, folds_alone),
    (rho_interval, refuting_interval),
)
"""(interval, interval that refutes) before and after."""


def simulate(case: SharesCase, replicates: int) -> Iterator[Jackknifed]:
    """A line for each number of runs, and one for the looks."""
    rng = np.random.default_rng(6)
    audits = [looked_at(case, rng) for _ in range(replicates)]
    alone = [(n, 1.0) for n in LOOKS]
    for i, (n, _) in enumerate(alone):
        rhos = np.array([rho(seen[i]) for seen in audits])
        methods = (judged(audits, case.truth, method, [(i, 1.0)]) for method in METHODS)
        error = float(rhos.std(ddof=1) / np.sqrt(replicates))
        yield Jackknifed(case.setting, str(n), replicates, case.truth, float(rhos.mean()), error, *methods)
    shares = [share for _, share in schedule(LOOKS[:-1], LOOKS[-1])]
    methods = (judged(audits, case.truth, method, list(enumerate(shares))) for method in METHODS)
    yield Jackknifed(case.setting, AT_LOOKS, replicates, case.truth, None, None, *methods)


def looked_at(case: SharesCase, rng: np.random.Generator) -> list[Memory]:
    """What one audit finds at each look."""
    arms = case.arms(rng, LOOKS[-1])
    taken = ([arm.take(np.arange(n)) for arm in arms] for n in LOOKS)
    return [case.memory((O, U, R, P)) for O, U, R, P in taken]


def judged(
    audits: Sequence[Sequence[Memory]],
    truth: float,
    method: tuple[Interval, Interval],
    looks: Sequence[tuple[int, float]],
) -> Method:
    """looks: (which of LOOKS, the share of alpha that it spends)."""
    wide, refuting = method
    answers = []
    for seen in audits:
        inner = [wide(seen[i], share * ALPHA) for i, share in looks]
        outer = [refuting(seen[i], share * ALPHA / 2) for i, share in looks]
        covered = all(low <= truth <= high for low, high in inner)
        passed, refuted = any(high < truth for _, high in inner), any(low > truth for low, _ in outer)
        answers.append((covered, passed, refuted, not np.isfinite(inner).all()))
    rates = [float(rate) for rate in np.mean(answers, axis=0)]
    return Method(rates[0] if len(looks) == 1 else None, *rates[1:])
