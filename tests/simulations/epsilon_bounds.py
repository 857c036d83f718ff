"""Lower bounds of epsilon on mechanisms whose true epsilon is known.

In each audit RECORDS records are included by fair coins, and the mechanism puts out one score a
record. A bound is wrong if it is above the mechanism's epsilon.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from auditkit.statistics.epsilon import (
    Bound,
    Counts,
    clopper_pearson_epsilon,
    clopper_pearson_split,
    counts_at,
    epsilon_needed,
    gdp_epsilon,
    gdp_split,
)
from auditkit.statistics.gaussian_dp import epsilon_of_mu
from auditkit.statistics.margins import Floats
from auditkit.statistics.one_run import fdp_one_run_epsilon, one_run_epsilon, right_guesses
from auditkit.statistics.proportions import Proportion, clopper_pearson, lower_limit, upper_limit
from auditkit.statistics.roc import Mask, operating_points

RECORDS = 1000
DELTA, ALPHA = 1e-5, 0.05
FEW = 100
"""Guesses of one run: so many, or one for each record."""

Assumes = Literal["nothing", "Gaussian", "wrong"]


@dataclass(frozen=True)
class Mechanism:
    """epsilon: the true one at DELTA. gaussian: whether its errors trade as those of two Gaussians.
    threshold: the one registered before the audit. scores: (included (records,), generator) ->
    (records,).
    """

    epsilon: float
    gaussian: bool
    threshold: float
    scores: Callable[[Mask, np.random.Generator], Floats]


def randomised_response(included: Mask, rng: np.random.Generator) -> Floats:
    """Whether the record is included, said truly with the odds of e^1 to 1."""
    lies = rng.random(len(included)) < 1 / (1 + math.e)
    return (included ^ lies).astype(np.float64)


MECHANISMS = {
    "scores independent of inclusion": Mechanism(0.0, True, 0.0, lambda i, rng: rng.normal(size=len(i))),
    "Gaussian, mu = 1": Mechanism(
        epsilon_of_mu(1.0, DELTA), True, 1.5, lambda i, rng: i + rng.normal(size=len(i))
    ),
    "Laplace, epsilon = 1": Mechanism(
        1 + 2 * np.log1p(-DELTA), False, 1.0, lambda i, rng: i + rng.laplace(size=len(i))
    ),
    "randomised response, epsilon = 1": Mechanism(
        1 + np.log(1 - DELTA * (1 + np.exp(-1))), False, 0.5, randomised_response
    ),
}


@dataclass(frozen=True, eq=False)
class Audit:
    """One audit: its scores, who was included, the registered threshold, and a seed."""

    scores: Floats
    included: Mask
    threshold: float
    seed: int

    def sides(self) -> tuple[Floats, Floats]:
        """The scores of (members, non-members)."""
        return self.scores[self.included], self.scores[~self.included]

    def counts(self) -> Counts:
        """Who is accused at the registered threshold."""
        return counts_at(*self.sides(), self.threshold)

    def right(self, r: int) -> int:
        """How many of r guesses are right."""
        return right_guesses(self.scores, self.included, r, seed=self.seed)


def best_of_all_thresholds(audit: Audit) -> Bound:
    """Wrong: the best threshold of the same records, each limit as if it were the only one."""
    members, nonmembers = audit.sides()
    _, true, false = operating_points(members, nonmembers)
    tpr = lower_limit(true, len(members), ALPHA)
    fpr = upper_limit(false, len(nonmembers), ALPHA)
    best = int(np.argmax(epsilon_needed(tpr, fpr, DELTA)))
    counts = Counts(int(true[best]), len(members), int(false[best]), len(nonmembers))
    return clopper_pearson_epsilon(counts, DELTA, 2 * ALPHA)


def best_of_all_guesses(audit: Audit) -> Bound:
    """Wrong: the best of 5 numbers of guesses, with the p-value of a single one."""
    bounds = (one_run_epsilon(RECORDS, r, audit.right(r), DELTA, ALPHA) for r in range(200, RECORDS + 1, 200))
    return max(bounds, key=lambda b: b.epsilon)


BOUNDS: dict[str, tuple[Assumes, Callable[[Audit], Bound]]] = {
    "Clopper-Pearson, threshold given": (
        "nothing",
        lambda a: clopper_pearson_epsilon(a.counts(), DELTA, ALPHA),
    ),
    "Clopper-Pearson, split": (
        "nothing",
        lambda a: clopper_pearson_split(*a.sides(), DELTA, ALPHA, seed=a.seed),
    ),
    f"one run, {FEW} guesses": (
        "nothing",
        lambda a: one_run_epsilon(RECORDS, FEW, a.right(FEW), DELTA, ALPHA),
    ),
    "one run, all guessed": (
        "nothing",
        lambda a: one_run_epsilon(RECORDS, RECORDS, a.right(RECORDS), DELTA, ALPHA),
    ),
    "Gaussian DP, threshold given": ("Gaussian", lambda a: gdp_epsilon(a.counts(), DELTA, ALPHA)),
    "Gaussian DP, split": ("Gaussian", lambda a: gdp_split(*a.sides(), DELTA, ALPHA, seed=a.seed)),
    f"f-DP one run, {FEW} guesses": (
        "Gaussian",
        lambda a: fdp_one_run_epsilon(RECORDS, FEW, a.right(FEW), DELTA, ALPHA),
    ),
    "f-DP one run, all guessed": (
        "Gaussian",
        lambda a: fdp_one_run_epsilon(RECORDS, RECORDS, a.right(RECORDS), DELTA, ALPHA),
    ),
    "WRONG: best threshold, same records": ("wrong", best_of_all_thresholds),
    "WRONG: one run, best of 5 r": ("wrong", best_of_all_guesses),
}


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one bound gave in many audits of one mechanism. epsilon: (audits,)."""

    assumes: Assumes
    epsilon: Floats
    ceiling: float
    truth: Mechanism

    @property
    def wrong(self) -> Proportion:
        """How often the bound was above the true epsilon, with its exact 95 % interval."""
        above = int(np.sum(self.epsilon > self.truth.epsilon))
        return clopper_pearson(above, len(self.epsilon), 0.05)

    @property
    def covered(self) -> bool:
        """Whether the mechanism is one for which the bound claims to hold."""
        return self.assumes == "nothing" or (self.assumes == "Gaussian" and self.truth.gaussian)

    @property
    def passed(self) -> bool:
        """Whether it may be wrong in 5 % of audits or fewer, for all that these show."""
        return self.wrong.low <= ALPHA


def outcomes(
    truth: Mechanism, audits: int, seed: int, bounds: Collection[str] = BOUNDS
) -> dict[str, Outcome]:
    """The bounds of these names in the same audits of one mechanism."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[Bound]] = {name: [] for name in bounds}
    for _ in range(audits):
        included = rng.random(RECORDS) < 0.5
        scores = truth.scores(included, rng)
        audit = Audit(scores, included, truth.threshold, int(rng.integers(2**32)))
        for name, gathered in found.items():
            gathered.append(BOUNDS[name][1](audit))
    return {
        name: Outcome(
            BOUNDS[name][0],
            np.array([b.epsilon for b in shown]),
            float(np.median([b.ceiling for b in shown])),
            truth,
        )
        for name, shown in found.items()
    }
