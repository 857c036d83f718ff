"""What the engine's benchmark makes of its measurements: medians with their spread, and ratios."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.speed.clock import QUIET, Clocked, Peak

ENOUGH = 3
"""Quiet repeats of a measurement, from which on the others are left out."""


@dataclass(frozen=True)
class Spread:
    """The median of n repeats, the least and the most."""

    median: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.low)}-{_short(self.high)})"


@dataclass(frozen=True)
class Figure:
    """A number besides the table of seconds, None where it could not be had. remark: what to know
    of it.
    """

    name: str
    value: Spread | None
    unit: str
    remark: str = ""


@dataclass(frozen=True)
class Measurement:
    """One contender doing one job once. around: the machine's peak before and after, if it was
    measured.
    """

    job: str
    contender: str
    runs: int
    repeat: int
    clocked: Clocked
    around: tuple[Peak, ...] = ()


@dataclass(frozen=True)
class Cell:
    """What so many runs take. seconds: repeat -> of all runs. runs: how many were made, the least
    and the most; where that is fewer, the rest is scaled from what one run took.
    """

    seconds: Mapping[int, float]
    runs: tuple[int, int]

    @property
    def spread(self) -> Spread:
        """Over the repeats."""
        return spread(self.seconds.values())


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def spread(values: Iterable[float]) -> Spread:
    """The median of the values, the least and the most."""
    own = sorted(values)
    return Spread(statistics.median(own), own[0], own[-1], len(own))


class Results:
    """All measurements, by job, contender and runs."""

    def __init__(self, measured: Sequence[Measurement]) -> None:
        self.measured = measured

    def jobs(self) -> list[str]:
        """The jobs, in the order in which they were done."""
        return list(dict.fromkeys(m.job for m in self.measured))

    def contenders(self, job: str) -> list[str]:
        """Who did the job, by name."""
        return sorted({m.contender for m in self.measured if m.job == job})

    def sizes(self, job: str, contender: str | None = None) -> list[int]:
        """The numbers of runs that were tried."""
        return sorted({m.runs for m in self.measured if m.job == job and contender in (None, m.contender)})

    def of(self, job: str, contender: str, runs: int) -> list[Measurement]:
        """The repeats of one measurement, in order: those that others left alone, if there are
        enough.
        """
        key = (job, contender, runs)
        every = [m for m in self.measured if (m.job, m.contender, m.runs) == key]
        quiet = [m for m in every if m.clocked.others <= QUIET]
        return quiet if len(quiet) >= ENOUGH else every

    def cell(self, job: str, contender: str, runs: int) -> Cell | None:
        """The seconds that so many runs took, or would take by the largest measurement of fewer."""
        known = [size for size in self.sizes(job, contender) if size <= runs]
        if not known:
            return None
        own = self.of(job, contender, known[-1])
        made = [len(m.clocked.accuracies) for m in own]
        return Cell({m.repeat: m.clocked.seconds * runs / known[-1] for m in own}, (min(made), max(made)))

    def best(self, job: str, runs: int, names: Sequence[str]) -> str | None:
        """Which of the contenders has the least median."""
        cells = {name: cell for name in names if (cell := self.cell(job, name, runs))}
        return min(cells, key=lambda name: cells[name].spread.median, default=None)

    def ratio(self, job: str, runs: int, one: str, other: str) -> Spread | None:
        """How many times as long one takes as the other, in the repeats that count for both."""
        a, b = self.cell(job, one, runs), self.cell(job, other, runs)
        if a is None or b is None or not (both := sorted(a.seconds.keys() & b.seconds.keys())):
            return None
        return spread(a.seconds[k] / b.seconds[k] for k in both)

    def accuracy(self, job: str, contender: str) -> tuple[float, float]:
        """Of all runs made, on records left out: the mean, and its standard error."""
        every = [m.clocked.accuracies for m in self.measured if (m.job, m.contender) == (job, contender)]
        own = [accuracy for accuracies in every for accuracy in accuracies]
        return statistics.fmean(own), statistics.stdev(own) / len(own) ** 0.5

    def others(self) -> Spread:
        """The share of the cores that other processes took during a measurement."""
        return spread(m.clocked.others for m in self.measured)
