"""Residual memory where each record keeps a share of its own, and runs are held against a placebo.

The truth is the population value of the weighted ratio: what rho goes to with ever more runs on
these records, when weights, calibration, control variates and all means are those of the expected
runs. The ridge of the control variates lets go only with many more runs than control records; where
the recipe drifts on these, the truth without control variates is nearer to what an audit can see,
and both are simulated. With a
placebo the recipe's drift is in U and in P; without one U is held against R, and the drift is in
the truth.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from auditkit.statistics.folds import weights
from auditkit.statistics.margins import Floats, Margins, calibrated
from auditkit.statistics.residual import Memory, memory
from auditkit.statistics.shared_noise import own_margins, shared_noise
from tests.simulations.worlds import PERSON, Rng, World, world

MANY, DRAWS = 1500, 8
"""Runs that stand for the population, and how often they are drawn to be judged: the truth is then
right to a hundredth of an SD of one run's rho."""


@dataclass(frozen=True, eq=False)
class SharesCase:
    """A setting. shares: (forget records,), what is left of each. placebo: whether U is held
    against runs of the same recipe rather than retrained ones. inherited: how much of a run's own
    scatter goes over from O_k to U_k, and from R_k to P_k. variates: whether the truth is that with
    control variates."""

    setting: str
    made: World
    shares: Floats
    placebo: bool = False
    inherited: float = 0.0
    variates: bool = True

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
        learnt = self.arms(rng, MANY)
        reference = learnt[2].control.mean(axis=0)
        O, R = (calibrated(learnt[i], reference) for i in (0, 2))
        C, A = shared_noise(O, R)
        noise = C, A if self.variates else np.zeros_like(A)
        v = weights(own_margins(O, noise), own_margins(R, noise))
        D = G = 0.0
        for _ in range(DRAWS):
            judged = (calibrated(arm, reference) for arm in self.arms(rng, MANY))
            o, u, r, p = (own_margins(arm, noise).mean(axis=0) for arm in judged)
            D, G = D + float(v @ (u - (p if self.placebo else r))), G + float(v @ (o - r))
        return D / G


def kept(records: int, *, together: bool = False) -> Floats:
    """(40,): so many of the forget records kept whole, the others removed. together: the first, and
    not any."""
    shares = np.zeros(40)
    shares[np.arange(records) if together else np.random.default_rng(3).permutation(40)[:records]] = 1.0
    return shares


def settings() -> Iterator[SharesCase]:
    """Every setting."""
    base, rng = world(), np.random.default_rng(4)
    none = np.zeros(40)
    uneven = rng.normal(0.2, 0.5, 40)
    # As label smoothing on digits: .24 against retrained runs where nothing is left.
    drift = rng.normal(0, 0.5, 120)
    drift[:40] += 0.24 * base.memory
    moved = replace(base, drift=drift)
    yield SharesCase("each keeps .2", base, np.full(40, 0.2))
    yield SharesCase("4 of 40 kept whole", base, kept(4))
    yield SharesCase("half kept whole", base, kept(20))
    yield SharesCase("uneven (N(.2, .5)), as FNN", base, uneven)
    yield SharesCase("uneven, U inherits half of O's scatter", base, uneven, inherited=0.5)
    yield SharesCase("uneven, few carry it", replace(base, memory=base.memory**2), uneven)
    yield SharesCase("uneven, heavy tails (t, 3 df)", replace(base, tails=3), uneven)
    yield SharesCase("uneven, unlearned twice as noisy", replace(base, noisier=2.0), uneven)
    yield SharesCase("uneven, unlearned half as noisy", replace(base, noisier=0.5), uneven)
    person = replace(base, person=0.7)
    yield SharesCase("half of ten people kept, records alike", person, kept(5 * PERSON, together=True))
    yield SharesCase("nothing kept, recipe drifts, against R", moved, none)
    settled = "nothing kept, recipe drifts, against R; truth without control variates"
    yield SharesCase(settled, moved, none, variates=False)
    yield SharesCase("nothing kept, recipe drifts, against P", moved, none, placebo=True)
    yield SharesCase("4 of 40 kept, recipe drifts, against P", moved, kept(4), placebo=True)
    yield SharesCase("uneven, recipe drifts, against P", moved, uneven, placebo=True)


SHARES_CASES = tuple(settings())
