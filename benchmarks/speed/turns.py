"""Who enters the engine's benchmark, with which plan, for how many runs, and whose turn it is."""

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from auditkit.engine.cost import cost
from auditkit.engine.plan import (
    Measured,
    Plan,
    cores,
    fastest,
    measure,
    most_workers,
    stacks,
)
from auditkit.engine.resources import Resources
from benchmarks.speed import contenders
from benchmarks.speed.clock import Host, Patience, others_share, peak
from benchmarks.speed.contenders import Contender
from benchmarks.speed.figures import Measurement
from benchmarks.speed.jobs import Job

ENGINE, FRESH, ONE_WORKER = "engine", "engine, fresh", "engine, 1 worker"
LOADER, LOADER_1 = "DataLoader loop", "DataLoader loop, 1 thread"
TENSOR_1, TENSOR_ALL = "tensor loop, 1 thread", "tensor loop, all threads"
PROCESSES = "tensor loop, processes"
ART = "ART ShadowModels"

Sizes = Mapping[str, Mapping[str, Sequence[int]]]
"""job -> contender -> numbers of runs that are measured."""

SIZES: Sizes = {
    "mlp": {
        ENGINE: (1, 4, 16, 64, 256),
        FRESH: (1, 4, 16, 64),
        ONE_WORKER: (16,),
        LOADER: (1, 4, 16, 64),
        LOADER_1: (1, 4),
        TENSOR_1: (1, 4),
        TENSOR_ALL: (1, 4),
        PROCESSES: (4, 16),
        ART: (1, 4, 16),
    },
    "cnn": {
        ENGINE: (1, 4, 16),
        ONE_WORKER: (4,),
        LOADER: (1, 4),
        LOADER_1: (1,),
        TENSOR_1: (1,),
        TENSOR_ALL: (1, 4),
        PROCESSES: (4,),
        ART: (1, 4),
    },
    "digits": {ENGINE: (256,), FRESH: (256,), LOADER: (4,), PROCESSES: (4,)},
}
QUICK: Sizes = {
    "mlp": {name: (2,) for name in SIZES["mlp"] if name != FRESH} | {ENGINE: (2, 4)},
    "cnn": {ENGINE: (2,), LOADER: (2,), TENSOR_ALL: (2,)},
    "digits": {ENGINE: (4,), LOADER: (2,)},
}
STARTING = 2.0
"""Seconds within which one worker is there when another is."""
LIMIT = 10.0
"""Seconds after which a loop starts no further run."""


@dataclass(frozen=True)
class Choice:
    """The plan for a number of runs. workers: as many as the machine has cores, and the plan
    stacks, for. fresh_workers: as many as an audit would start.
    """

    measured: Measured
    workers: int
    fresh_workers: int

    @property
    def plan(self) -> Plan:
        """The plan itself."""
        return self.measured.plan


@dataclass(frozen=True, eq=False)
class Entry:
    """A job with what the engine will do for each number of runs.

    planning: seconds that measuring took. others: the share of the cores that others took
    meanwhile, which the choice may depend on. bracketed: the number of runs before and after which,
    for the engine, the machine's peak is measured.
    """

    job: Job
    sizes: Mapping[str, Sequence[int]]
    choices: Mapping[int, Choice]
    planning: float
    others: float
    bracketed: int


@dataclass(frozen=True)
class Hosts:
    """The processes that contenders live in: the engine's keeps its workers, the fresh engine's
    does not. patience: with everybody else on this machine.
    """

    patience: Patience
    engine: Host = field(default_factory=Host)
    fresh: Host = field(default_factory=Host)
    others: Host = field(default_factory=Host)

    def of(self, contender: str) -> Host:
        """Where the contender lives."""
        return {ENGINE: self.engine, ONE_WORKER: self.engine, FRESH: self.fresh}.get(contender, self.others)


@contextmanager
def hosts(patience: float) -> Iterator[Hosts]:
    """All processes, ended afterwards. patience: seconds to wait for the machine to be quiet, in
    all.
    """
    every = Hosts(Patience(patience))
    try:
        yield every
    finally:
        for host in (every.engine, every.fresh, every.others):
            host.close()


def enter(job: Job, sizes: Mapping[str, Sequence[int]], host: Host) -> Entry:
    """Measure the plans for the largest number of runs, as an audit would, and choose for each."""
    start = time.perf_counter()
    tried = sorted({n for every in sizes.values() for n in every})
    with others_share() as others:
        measured = host.call(measure, job.work(tried[-1]), devices=[job.device], threads=None, memory=None)
    choices = {runs: _choice(job, runs, measured) for runs in tried}
    bracketed = min(sizes[ENGINE], key=lambda n: abs(n - 64)) if len(sizes[ENGINE]) > 1 else sizes[ENGINE][0]
    return Entry(job, sizes, choices, time.perf_counter() - start, others[0], bracketed)


def _choice(job: Job, runs: int, measured: Sequence[Measured]) -> Choice:
    work = job.work(runs)
    best = fastest([m for m in measured if m.plan.width <= runs], work)
    workers = min(most_workers(best.plan), len(stacks(runs, best.plan.width)))
    fresh = cost(best, work, Resources(), answers=len(job.x) * (int(job.y.max()) + 1)).jobs
    return Choice(best, workers, fresh)


def contender(name: str, choice: Choice) -> Contender:
    """The contender of this name, ready for the runs that were chosen for."""
    engine = functools.partial(contenders.engine, plan=choice.plan)
    every: dict[str, Contender] = {
        ENGINE: functools.partial(engine, workers=choice.workers, keep=True),
        FRESH: functools.partial(engine, workers=choice.fresh_workers, keep=False),
        ONE_WORKER: functools.partial(engine, workers=1, keep=False),
        LOADER: contenders.loader_loop,
        LOADER_1: functools.partial(contenders.loader_loop, on=1),
        TENSOR_1: functools.partial(contenders.tensor_loop, on=1),
        TENSOR_ALL: functools.partial(contenders.tensor_loop, on=cores()),
        PROCESSES: contenders.process_loops,
        ART: contenders.art,
    }
    return every[name]


def warm_up(entries: Sequence[Entry], every: Hosts) -> None:
    """Start the engine's workers, and let everybody do some runs that do not count."""
    needed = {(c.workers, c.plan.threads) for e in entries for c in e.choices.values()}
    for workers, threads in sorted(needed):
        every.engine.call(contenders.start_workers, workers, threads, STARTING)
    for entry in entries:
        job = entry.job.tiny()
        for name in entry.sizes:
            warm = contender(name, entry.choices[min(entry.choices)])
            every.of(name).call(warm, job, job.seeds(2 * cores(), 0), LIMIT)


def turns(entries: Sequence[Entry], repeats: int, every: Hosts) -> Iterator[Measurement]:
    """Every contender at every job and number of runs, in turns; another begins in each repeat."""
    for repeat in range(repeats):
        for entry in entries:
            for runs in entry.choices:
                names = [name for name, tried in entry.sizes.items() if runs in tried]
                first = repeat % len(names)
                for name in names[first:] + names[:first]:
                    yield _turn(entry, name, runs, repeat, every)


def _turn(entry: Entry, name: str, runs: int, repeat: int, every: Hosts) -> Measurement:
    job, choice, host = entry.job, entry.choices[runs], every.of(name)
    bracketed = name == ENGINE and runs == entry.bracketed
    before = [every.others.call(peak, job.device)] if bracketed else []
    clocked = every.patience.clock(host, contender(name, choice), job, job.seeds(runs, repeat), LIMIT)
    after = [every.others.call(peak, job.device)] if bracketed else []
    return Measurement(job.name, name, runs, repeat, clocked, (*before, *after))
