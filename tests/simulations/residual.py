"""Residual memory in settings where what is left is known.

The interval is about E[D] / E[G] of these records, for as many runs, with the clip: found by
pooling all replicates. Where nothing is clipped it is the share that was left; elsewhere the table
shows both.
"""

from dataclasses import dataclass, replace

import numpy as np

from auditkit.evidence.numbers import rho_number
from auditkit.evidence.schema import Number
from auditkit.statistics.residual import Memory, memory
from tests.simulations.worlds import World, world

CLASS = np.arange(5)
"""The forget records of one class."""


@dataclass(frozen=True, eq=False)
class RhoCase:
    """A setting of residual memory. share: of the memory left."""

    setting: str
    n: int
    share: float
    made: World
    classes: bool = False
    claimed: bool = True

    def number(self, found: Memory, alpha: float) -> Number:
        """The number as the evidence has it."""
        return rho_number(found, alpha)


def memories_of(case: RhoCase, replicates: int) -> dict[str, list[Memory]]:
    """The memory found in each replicate: of all forget records, and of one class."""
    rng = np.random.default_rng(2)
    whole = [memory(*case.made.arms(rng, case.n, case.share)) for _ in range(replicates)]
    found = {"all records": whole}
    if case.classes:
        found["one class (5 records)"] = [m.of(CLASS) for m in whole]
    return found


def unclipped() -> World:
    """Forget margins well inside those of control records, so that nothing is clipped."""
    made = world(far=40.0)
    return replace(made, forget=made.forget / 2)


def settings() -> tuple[RhoCase, ...]:
    """Every setting: the number of runs, then the share, then what is the matter with the runs."""
    base, rng = world(), np.random.default_rng(5)
    everything = len(base.spread)
    others = {
        "nothing clipped": unclipped(),
        "strong memory": world(gap=5.0),
        "weak memory": world(gap=0.5),
        "3 of 40 records carry it": world(carriers=3, gap=8.0),
        "heavy tails (t, 3 df)": replace(base, tails=3),
        "runs share drift (slope, intercept)": replace(base, slope=0.15, intercept=0.5),
        "runs share an effect on all records": replace(base, shared=rng.normal(0, 0.7, everything)),
        "unlearned twice as noisy": replace(base, noisier=2.0),
        "unlearned at another temperature": replace(base, temperature=0.6, offset=0.4),
    }
    return (
        *(RhoCase("plain", n, 0.2, base, classes=True) for n in (8, 12, 20, 32)),
        *(RhoCase("plain", 8, share, base) for share in (-0.3, 0.0, 0.5, 1.0)),
        *(RhoCase(setting, 8, 0.2, made) for setting, made in others.items()),
    )


RHO_CASES = settings()
