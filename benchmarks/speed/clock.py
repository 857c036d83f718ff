"""What the engine's benchmark measures with: a clock, the machine's peak, memory, and what others
took.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

from auditkit.engine.plan import cores, threads
from benchmarks.speed.contenders import Contender, end_workers, one_thread_processes
from benchmarks.speed.jobs import Job

P = ParamSpec("P")
T = TypeVar("T")

PEAK_SIZE = {"cpu": 1024, "cuda": 8192}
"""Rows and columns of the matrices whose product is the machine's peak."""
PEAK_SECONDS = 0.3
QUIET = 0.1
"""Share of the cores that others may take during a measurement that counts, if there are enough
such.
"""
LOOK = 0.2
"""Seconds for which it is looked how much others take."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Clocked:
    """One measurement. seconds: of all runs, scaled up where fewer were made. accuracies: of those
    made. others: the share of the machine's cores that processes other than ours took meanwhile.
    """

    seconds: float
    accuracies: Sequence[float]
    others: float


@dataclass(frozen=True)
class Peak:
    """GFLOP/s of float32 matrix products. together: one process on all cores. apart: as many
    processes as cores, in sum.
    """

    together: float
    apart: float


class Host:
    """A process of its own, in which contenders run one at a time: what one does to its process,
    such as keeping freed memory, is no other's gain.
    """

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"))
        self._started = False

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function there."""
        self._started = True
        return self._pool.submit(function, *args, **kwargs).result()

    def clock(self, contender: Contender, job: Job, seeds: Sequence[int], limit: float) -> Clocked:
        """Let the contender do the job there."""
        with others_share() as share:
            seconds, accuracies = self.call(_clocked, contender, job, seeds, limit)
        return Clocked(seconds * len(seeds) / len(accuracies), accuracies, share[0])

    def close(self) -> None:
        """End the process, and first those it started: it would wait for them."""
        if self._started:
            self.call(end_workers)
        self._pool.shutdown()


class Patience:
    """Seconds, in all, to spend on waiting until others leave the machine alone, and on
    measurements made a second time where they did not. Two threads that wait for each other at
    every step become many times slower when a third process wants a core: that would be
    measured.
    """

    def __init__(self, left: float) -> None:
        self.left = left

    def clock(
        self, host: Host, contender: Contender, job: Job, seeds: Sequence[int], limit: float
    ) -> Clocked:
        """As the host's own; of two measurements the quieter counts."""
        self._wait()
        found = host.clock(contender, job, seeds, limit)
        start = time.perf_counter()
        if found.others > QUIET and self.left > found.seconds:
            self._wait()
            again = host.clock(contender, job, seeds, limit)
            self.left -= time.perf_counter() - start
            return min(found, again, key=lambda clocked: clocked.others)
        return found

    def _wait(self) -> None:
        while self.left > 0:
            with others_share() as share:
                time.sleep(LOOK)
            if share[0] < QUIET:
                return
            self.left -= LOOK


def _clocked(contender: Contender, job: Job, seeds: Sequence[int], limit: float) -> tuple[float, list[float]]:
    start = time.perf_counter()
    accuracies = contender(job, seeds, limit)
    return time.perf_counter() - start, accuracies


def matmul_rate(on: int, device: str) -> float:
    """GFLOP/s of float32 matrix products in this process, on so many threads: the median
    product's.
    """
    n = PEAK_SIZE[device]
    a, b = (torch.randn(n, n, device=device) for _ in range(2))
    out = torch.empty(n, n, device=device)
    taken: list[float] = []
    with threads(on):
        stop = time.perf_counter() + PEAK_SECONDS
        while len(taken) < 5 or time.perf_counter() < stop:
            start = time.perf_counter()
            torch.mm(a, b, out=out)
            if device == "cuda":
                torch.cuda.synchronize()
            taken.append(time.perf_counter() - start)
    return 2e-9 * n**3 / statistics.median(taken)


def peak(device: str) -> Peak:
    """The machine's peak now, measured from this process."""
    together = matmul_rate(cores(), device)
    if device == "cuda":
        return Peak(together, together)
    pool = one_thread_processes()
    futures = [pool.submit(matmul_rate, 1, device) for _ in range(cores())]
    return Peak(together, sum(future.result() for future in futures))


def peak_memory() -> tuple[int, int]:
    """The most memory (bytes) that this process and those it started ever took, in sum; how many
    they are.
    """
    family = [os.getpid(), *_descendants(os.getpid())]
    return sum(_high_water(pid) for pid in family), len(family)


def _high_water(pid: int) -> int:
    """0 where there is no /proc."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@contextmanager
def others_share() -> Iterator[list[float]]:
    """Gives a list that afterwards holds the share of the cores that other processes took, and the
    hypervisor for other machines; 0 where there is no /proc.
    """
    share: list[float] = []
    start, busy, own = time.perf_counter(), _busy_seconds(), _own_seconds()
    yield share
    theirs = _busy_seconds() - busy - (_own_seconds() - own)
    share.append(max(0.0, theirs / (time.perf_counter() - start) / (os.cpu_count() or 1)))


def _busy_seconds() -> float:
    try:
        first = Path("/proc/stat").read_text().splitlines()[0]
    except OSError:
        return 0.0
    user, nice, system, _, _, irq, softirq, steal = map(int, first.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def _own_seconds() -> float:
    """Processor time of this process and all below it."""
    table = _processes()
    return sum(table[pid][1] for pid in {os.getpid(), *_descendants(os.getpid())} if pid in table)


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for child, (parent, _) in _processes().items():
        children.setdefault(parent, []).append(child)
    found, next_ones = [], [pid]
    while next_ones:
        next_ones = [child for parent in next_ones for child in children.get(parent, [])]
        found += next_ones
    return found


def _processes() -> dict[int, tuple[int, float]]:
    """pid -> (parent, seconds of processor time)."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        # Own, and of children that have ended: fields 14 to 17 of proc(5), counted from the state,
        # field 3.
        found[int(path.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])) / TICKS)
    return found
