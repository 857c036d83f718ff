"""How fast the attacks with reference models are, and how much memory they take, against a loop
over records.

    OMP_NUM_THREADS=1 python -m benchmarks.attacks.speed

LiRA on 60,000 records and 256 reference runs, whose logits lie in a file of 620 MB (made in a
temporary folder, which is not timed), and on 15,000 and 64; RMIA's comparison of 25,000 records
with 10,000 others. The loop is written as in public tools: for every record its runs are picked,
and their mean, SD and normal densities computed by themselves. It is timed on some of the records
and scaled to all. Every time is the median of repeats, with the least and the most in brackets, in
CPU seconds of this one thread, which others on the same machine prolong less than the time on the
wall. Memory is what numpy and Python allocate at most beyond what was there (tracemalloc); pages of
the mapped file, which the system may drop at any time, do not count.
"""

import platform
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import stats

from auditkit.attacks.lira import log_ratio, offline, online, per_example, shrunk, z_score
from auditkit.attacks.references import moments
from auditkit.attacks.rmia import dominated
from auditkit.signals.signals import Signals, create_logits, open_logits, phi
from auditkit.statistics.margins import Floats, Ints
from benchmarks.common import options

SIZES = ((60_000, 256), (15_000, 64))
"""(records, reference runs) of LiRA."""
CLASSES = 10
LOOPED = 3_000
"""How many records the loop is timed on."""
RMIA_SIZE = (25_000, 10_000)
"""(records, population records)."""
CHUNK = 500
"""How many records are compared with the population at once, where every pair is."""

T = TypeVar("T")


@dataclass(frozen=True)
class Time:
    """CPU seconds of each repeat."""

    repeats: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.median:9.4f} s ({min(self.repeats):.4f} to {max(self.repeats):.4f})"

    @property
    def median(self) -> float:
        """The median, seconds."""
        return median(self.repeats)

    def times(self, factor: float) -> "Time":
        """As if there were so many times as much to do."""
        return Time(tuple(factor * t for t in self.repeats))

    def after(self, first: "Time") -> "Time":
        """With another thing done first, repeat by repeat from the fastest to the slowest."""
        return Time(tuple(a + b for a, b in zip(sorted(self.repeats), sorted(first.repeats), strict=True)))


def timed(compute: Callable[[], T], repeats: int) -> tuple[Time, T]:
    """How long it takes, and what comes out."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = compute()
        seconds.append(time.process_time() - start)
    return Time(tuple(seconds)), result


def made_up(path: Path, records: int, runs: int) -> Signals:
    """A target and reference runs, each trained on a random half; a member's own logit is
    larger.
    """
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, records)
    member = rng.random((runs + 1, records)) < 0.5
    own = np.arange(records), labels
    for row, inside in zip(create_logits(path, runs + 1, records, CLASSES), member, strict=True):
        row[:] = rng.standard_normal(row.shape, dtype=np.float32)
        row[own] += 2 + inside.astype(np.float32)
    arms = np.array(["original"] + ["shadow"] * runs)
    return Signals(open_logits(path), member, labels, np.arange(records).astype(str), arms, 0)


def both_scores(signals: Signals) -> tuple[Floats, Floats]:
    """LiRA online and offline of the first run, with nothing known beforehand."""
    anew = replace(signals)
    return online(per_example)(anew, 0), offline(per_example)(anew, 0)


def margins_of(signals: Signals) -> Floats:
    """phi of every run: (runs, records)."""
    return np.stack([phi(logits, signals.labels) for logits in signals.logits])


def both_from_margins(signals: Signals) -> tuple[Floats, Floats]:
    """The two scores where the logits hold phi already: (runs, records, 1)."""

    def first(logits: npt.NDArray[np.floating], labels: Ints) -> Floats:
        return np.asarray(logits[:, 0], dtype=np.float64)

    inside, out = moments(first)(signals, 0)
    x = first(signals.logits[0], signals.labels)
    return log_ratio(x, inside, out, per_example), z_score(x, out, per_example)


def both_by_loop(by_record: Floats, member: npt.NDArray[np.bool_], records: int) -> tuple[Floats, Floats]:
    """The two scores one record after the other. by_record, member: (records, runs), the target
    first.
    """
    ratio, z = np.empty((2, records))
    for i in range(records):
        x, runs, trained = by_record[i, 0], by_record[i, 1:], member[i, 1:]
        inside, out = runs[trained], runs[~trained]
        mean, sd = np.mean(out), np.std(out)
        within = stats.norm.logpdf(x, np.mean(inside), np.std(inside))
        ratio[i] = within - stats.norm.logpdf(x, mean, sd)
        z[i] = (x - mean) / sd
    return ratio, z


def lira(signals: Signals, repeats: int) -> None:
    """LiRA's part of the table, at one size."""
    runs, records, _ = signals.logits.shape
    full, found = timed(lambda: both_scores(signals), repeats)
    to_margins, margins = timed(lambda: margins_of(signals), repeats)
    ready = replace(signals, logits=margins.astype(np.float32)[:, :, None])
    vectorised, _ = timed(lambda: both_from_margins(ready), repeats)
    by_record, member = np.ascontiguousarray(margins.T), np.ascontiguousarray(signals.member.T)
    looped = min(LOOPED, records)
    some, expected = timed(lambda: both_by_loop(by_record, member, looped), repeats)
    loop = some.times(records / looped)
    further, _ = timed(lambda: online(per_example)(signals, 0), 1 + repeats)
    further = Time(further.repeats[1:])
    default, _ = timed(lambda: online(shrunk)(signals, 0), repeats)
    off = max(float(np.abs(a[:looped] - b).max()) for a, b in zip(found, expected, strict=True))
    print(f"\nLiRA, online and offline, {records} records x {runs - 1} reference runs, {CLASSES} classes")
    print(f"  logits to phi, every run                    {to_margins}")
    print(f"  phi to scores, vectorised                   {vectorised}")
    print(f"  phi to scores, loop over records            {loop}   timed on {looped} records, scaled")
    print(f"    the loop takes {loop.median / vectorised.median:.0f} x as long")
    print(f"  logits to scores, vectorised                {full}")
    print(f"  logits to scores, loop over records         {loop.after(to_margins)}   the sum of the two")
    print(f"    the loop takes {loop.after(to_margins).median / full.median:.1f} x as long")
    print(f"  a further target, online, per example       {further}")
    print(f"  a further target, online, shrunk            {default}")
    print(f"  largest difference of a score               {off:.1e}")


def rmia(repeats: int) -> None:
    """RMIA's part of the table."""
    rng = np.random.default_rng(1)
    records, population = RMIA_SIZE
    rx, rz = np.exp(rng.normal(0, 0.3, records)), np.exp(rng.normal(0, 0.3, population))

    def chunks() -> Floats:
        parts = np.split(rx, range(CHUNK, records, CHUNK))
        return np.concatenate([(part[:, None] / rz >= 1).mean(axis=1) for part in parts])

    def loop() -> Floats:
        return np.array([np.mean(x / rz >= 1) for x in rx])

    fast, found = timed(lambda: dominated(rx, rz, 1.0), repeats)
    print(f"\nRMIA, the share of z that each record dominates, {records} records x {population} z")
    print(f"  sorted once                                 {fast}")
    for name, compute in ((f"every pair, {CHUNK} records at once", chunks), ("loop over records", loop)):
        slow, expected = timed(compute, repeats)
        off = np.abs(found - expected).max()
        print(
            f"  {name:<43} {slow}   {slow.median / fast.median:.0f} x as long, largest difference {off:.0e}"
        )


def memory(signals: Signals) -> None:
    """What LiRA allocates at most, with more and more of the runs."""
    records, all_runs = len(signals.labels), len(signals.arms) - 1
    print(f"\nMemory of LiRA, online and offline, {records} records: allocated at most (tracemalloc)")
    for runs in (all_runs // 4, all_runs // 2, all_runs):
        some = slice(0, runs + 1)
        fewer = replace(
            signals, logits=signals.logits[some], member=signals.member[some], arms=signals.arms[some]
        )
        tracemalloc.start()
        both_scores(fewer)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(
            f"  {runs:>4} runs {peak / 1e6:8.2f} MB   (phi of all runs would be"
            f" {8 * runs * records / 1e6:.0f} MB)"
        )


def main() -> None:
    """Measure everything and print it."""
    parser = options(__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}")
    for number, (records, runs) in enumerate(SIZES):
        with tempfile.TemporaryDirectory() as folder:
            signals = made_up(Path(folder) / "logits.npy", records, runs)
            lira(signals, repeats)
            if number == 0:
                memory(signals)
    rmia(repeats)


if __name__ == "__main__":
    main()
