"""How often the intervals of the evidence hold a known truth.

Intervals are made by the functions that make those of evidence.json.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from auditkit.evidence.schema import Number
from tests.simulations.case import Case
from tests.simulations.residual import RhoCase, memories_of
from tests.simulations.sizes import Size, residual_sizes

LEVELS = (0.9, 0.95)
SLACK = 0.02
"""A t-interval of values that are not normal is not exact: so much is let pass."""


@dataclass(frozen=True)
class Row:
    """One interval in one setting at one level. about: what its truth is. covered, below, above:
    shares of the replicates in which it is defined, the truth inside, below or above it. error:
    Monte-Carlo standard error of `covered`. undefined: the share in which there is no interval.
    width: median. truth: mean. claimed: whether the evidence claims to cover this truth.
    """

    interval: str
    setting: str
    n: int
    about: str
    level: float
    replicates: int
    covered: float
    below: float
    above: float
    error: float
    undefined: float
    width: float | None
    truth: float
    claimed: bool

    @property
    def short(self) -> bool:
        """Whether it covers less than it claims, beyond chance and SLACK."""
        return self.claimed and self.covered + 3 * self.error < self.level - SLACK

    @property
    def verdict(self) -> str:
        """In words."""
        if self.short:
            return "SHORT"
        if self.covered - 3 * self.error > self.level + SLACK:
            return "wide"
        return "" if self.claimed else "not claimed"


def rows_of(
    case: Case | RhoCase,
    numbers: Sequence[Sequence[Number]],
    truths: Sequence[float],
    interval: str,
    about: str,
) -> Iterator[Row]:
    """numbers: of each replicate, one a level. truths: of each replicate."""
    truth = np.array(truths)
    for level, found in zip(LEVELS, zip(*numbers, strict=True), strict=True):
        defined = np.array([x.value is not None and x.low is not None for x in found])
        low = np.array([x.low if x.low is not None else np.nan for x in found])[defined]
        high = np.array([x.high if x.high is not None else np.inf for x in found])[defined]
        # Limits that meet the truth but for rounding cover it.
        below, above = (np.mean(side) for side in (truth[defined] < low - 1e-9, truth[defined] > high + 1e-9))
        covered, k = float(1 - below - above), int(defined.sum())
        widths = (high - low)[np.isfinite(high)]
        yield Row(
            interval=interval, setting=case.setting, n=case.n, about=about,
            level=level, replicates=len(found),
            covered=covered, below=float(below), above=float(above),
            error=float(np.sqrt(max(covered * (1 - covered), 1 / k) / k)),
            undefined=float(1 - defined.mean()),
            width=float(np.median(widths)) if len(widths) else None,
            truth=float(truth.mean()), claimed=case.claimed,
        )  # fmt: skip


def alphas() -> list[float]:
    """The levels of one-sided tests, as the evidence makes its intervals from them: 1 - 2 alpha is
    covered.
    """
    return [(1 - level) / 2 for level in LEVELS]


def covered(case: Case, replicates: int) -> Iterator[Row]:
    """The rows of one case."""
    rng, sample = np.random.default_rng(1), case.sample()
    drawn = [sample(rng) for _ in range(replicates)]
    # A bound has one side, and all of alpha there.
    levels = [1 - level for level in LEVELS] if case.one_sided else alphas()
    numbers = [[at(alpha) for alpha in levels] for at, _ in drawn]
    yield from rows_of(case, numbers, [truth for _, truth in drawn], case.interval, case.about)


def rho_covered(case: RhoCase, replicates: int) -> tuple[list[Row], list[Size]]:
    """The rows of residual memory in one setting, of all forget records and of a class of them; and
    how often its test is wrong with the margin at the truth.
    """
    rows: list[Row] = []
    sizes: list[Size] = []
    for name, memories in memories_of(case, replicates).items():
        D, G = (np.sum([getattr(m, side).sum() for m in memories]) for side in ("D", "G"))
        truth = float(D / G)
        numbers = [[case.number(m, alpha) for alpha in alphas()] for m in memories]
        about = f"E[D] / E[G]; share left {case.share:g}"
        rows += rows_of(case, numbers, [truth] * replicates, f"residual memory, {name}", about)
        if abs(truth) > 0.05 and name == "all records":
            sizes += residual_sizes(case, memories, truth)
    return rows, sizes
