"""What one case of the coverage simulations is: an interval in a setting whose truth is known."""

from collections.abc import Callable
from dataclasses import dataclass

from auditkit.evidence.schema import Number
from auditkit.statistics.margins import Floats
from tests.simulations.worlds import Rng

At = Callable[[float], Number]
"""alpha -> the number as the evidence has it."""
Sample = Callable[[Rng], tuple[At, float]]
"""One replicate: the number, and the truth that it is about."""
Draw = Callable[[Rng, int], Floats]
"""Draws one value of each of n runs: float64 (n,)."""


@dataclass(frozen=True, eq=False)
class Case:
    """An interval in one setting. about: what the truth is. sample: makes the replicates, once the
    truth is worked out. claimed: whether the evidence says that it covers this. one_sided: a lower
    bound.
    """

    interval: str
    setting: str
    n: int
    about: str
    sample: Callable[[], Sample]
    claimed: bool = True
    one_sided: bool = False
