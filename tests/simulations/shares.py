"""Residual memory where each record keeps a share of its own, and runs are held against a placebo.

The truth is the population value of the weighted ratio: what rho goes to with ever more runs on
these records, when weights, calibration and all means are those of the expected runs. With a
placebo the recipe's drift is in U and in P; without one U is held against R, and the drift is in
the truth.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from auditkit.statistics.folds import weights
from auditkit.statistics.margins import Floats, Margins, calibrated
from auditkit.statistics.residual import Memory, memory
from auditkit.statistics.shared_noise import own_margins, shared_noise
from tests.simulations.worlds import Rng, World

RUNS = (8, 12, 20)
MANY = 1500
"""Runs that stand for the population: the truth is then right to about a hundredth of an SD of one
run's rho."""


@dataclass(frozen=True, eq=False)
class SharesCase:
    """A setting. shares: (forget records,), what is left of each. placebo: whether U is held
    against runs of the same recipe rather than retrained ones. inherited: how much of a run's own
    scatter goes over from O_k to U_k, and from R_k to P_k."""

    setting: str
    made: World
    shares: Floats
    placebo: bool = False
    inherited: float = 0.0

    def arms(self, rng: Rng, n: int) -> tuple[Margins, Margins, Margins, Margins]:
        """(original, unlearned, retrained, placebo) of n runs."""
        O, R = (self.made.runs(rng, n, share) for share in (1.0, 0.0))
        U, P = (self.made.runs(rng, n, share, recipe=True) for share in (self.shares, np.zeros(1)))
        return O, self._child(U, O, 1.0), R, self._child(P, R, 0.0)

    def _child(self, arm: Margins, parent: Margins, share: float) -> Margins:
        if not self.inherited:
            return arm
        mean, m = self.made.mean(share), parent.forget.shape[1]
        return Margins(
            arm.forget + self.inherited * (parent.forget - mean[:m]),
            arm.control + self.inherited * (parent.control - mean[m:]),
        )

    def memory(self, arms: tuple[Margins, Margins, Margins, Margins]) -> Memory:
        """As an audit of these arms has it."""
        O, U, R, P = arms
        return memory(O, U, R, P if self.placebo else None)

    @cached_property
    def truth(self) -> float:
        """The population value of the weighted ratio."""
        rng = np.random.default_rng(77)
        learnt, judged = self.arms(rng, MANY), self.arms(rng, MANY)
        reference = learnt[2].control.mean(axis=0)
        O, R = (calibrated(learnt[i], reference) for i in (0, 2))
        noise = shared_noise(O, R)
        v = weights(own_margins(O, noise), own_margins(R, noise))
        o, u, r, p = (own_margins(calibrated(arm, reference), noise).mean(axis=0) for arm in judged)
        return float(v @ (u - (p if self.placebo else r)) / (v @ (o - r)))
