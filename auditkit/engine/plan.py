"""The plan: how many runs are trained as one stack, on how many threads, on which device.

Which plan is fastest cannot be told from a model's description: on a CPU a perceptron gains several
times by stacking and a convolutional network loses. So the first steps are measured. The plan
decides the last bits of every weight, so it is chosen once, locked with the claim, and never
depends on how many workers there are.
"""

import itertools
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from auditkit.engine.memory import keep_freed_memory
from auditkit.engine.workload import OPTIMISER_COPIES, TrainingWorkload, stack_bytes, weight_bytes
from auditkit.training import fit, initialise, stackable

PROBE_SECONDS = 0.12
"""How long the steps of one candidate are timed, at least; two steps are timed however long they
take."""
CLOSE = 1.15
"""Plans no more than this much slower than the fastest count as equally fast: then the one with
fewest threads whose width is nearest to the usual one is taken, so that noise seldom changes the
plan."""
DOUBTFUL = 1.5
"""Plans that seem no more than this much slower than the fastest are timed again, ROUNDS times, and
the best time counts: what else the machine does only ever adds."""
HOPELESS = 4.0
"""A number of threads so much slower than another is given up."""
ROUNDS = 2
USUAL_BYTES = 8_000_000
"""Usual is the widest stack whose weights, gradients and moments fit here, and so into a cache."""


@dataclass(frozen=True)
class Plan:
    """How runs are trained: it decides the last bits of every weight.

    Attributes:
        width: runs a stack, at most; 1 = every run by itself.
        threads: of each stack.
        device: a torch device.
    """

    width: int
    threads: int
    device: str


@dataclass(frozen=True)
class Measured:
    """A plan, and what it costs. step_seconds: of one step of one stack. stack_bytes: a stack's
    memory."""

    plan: Plan
    step_seconds: float
    stack_bytes: int


def cores() -> int:
    """The processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def stacks(runs: int, width: int) -> list[range]:
    """The runs of an arm in as few stacks as `width` allows, as even as they can be."""
    n = math.ceil(runs / width)
    bounds = [runs * k // n for k in range(n + 1)] if n else [0]
    return [range(a, b) for a, b in itertools.pairwise(bounds)]


def most_workers(plan: Plan) -> int:
    """How many workers this machine feeds without sharing a core, or a GPU, between two."""
    return torch.cuda.device_count() if plan.device == "cuda" else max(1, cores() // plan.threads)


def seconds(measured: Measured, work: TrainingWorkload, workers: int) -> float:
    """About how long `workers` workers train all runs."""
    plan = measured.plan
    sizes = [len(stack) for runs in work.runs.values() for stack in stacks(runs, plan.width)]
    one = measured.step_seconds * work.steps / plan.width
    longest_queue = [one * sum(sizes[k::workers]) for k in range(workers)]
    return max(longest_queue, default=0.0)


def measure(
    work: TrainingWorkload, *, devices: Sequence[str], threads: int | None, memory: int | None
) -> list[Measured]:
    """Time the first steps of every plan worth trying.

    Ever wider stacks are tried on each device and number of threads, until two in a row do less
    than a narrower one did; those that may be the fastest are timed several times.

    Args:
        work: what is to be trained.
        devices: torch devices to try.
        threads: only so many; None for one and for as many as there are cores.
        memory: bytes that a stack may take, if it is wider than one run; None for any.

    Returns:
        Each plan tried, with the seconds of a step and the bytes of a stack.
    """
    can_stack = stackable([initialise(work.build, k) for k in (0, 1)], work.x[:2], work.y[:2])
    widest = max(work.runs.values(), default=1) if can_stack else 1
    measured: list[Measured] = []
    for device in devices:
        for each in (1,) if device == "cuda" else sorted({threads or 1, threads or cores()}):
            _measure_widths(work, Plan(widest, each, device), memory, measured)
    for _ in range(ROUNDS):
        doubtful = set(_within(DOUBTFUL, measured, work))
        measured = [_timed_again(m, work) if m in doubtful else m for m in measured]
    return measured


def _measure_widths(
    work: TrainingWorkload, widest: Plan, memory: int | None, measured: list[Measured]
) -> None:
    """Time ever wider stacks on one device and number of threads, up to `widest`, and add them to
    those that were measured before, against which they are held."""
    one, worse, best = stack_bytes(work), 0, math.inf
    for width in _widths(widest.width):
        if worse == 2 or (memory is not None and width > 1 and width * one > memory):
            return
        plan = replace(widest, width=width)
        try:
            step = step_seconds(work, plan)
        except torch.OutOfMemoryError:
            return  # no wider one fits either
        measured.append(Measured(plan, step, width * one))
        worse = 0 if step / width < best else worse + 1
        best = min(best, step / width)
        if widest.device == "cpu" and measured[-1] not in _within(HOPELESS, measured, work):
            return  # wider ones will not make that good; on a GPU they may


def _widths(most: int) -> list[int]:
    return sorted({2**k for k in range(most.bit_length()) if 2**k < most} | {most})


def _timed_again(measured: Measured, work: TrainingWorkload) -> Measured:
    return replace(measured, step_seconds=min(measured.step_seconds, step_seconds(work, measured.plan)))


def _within(factor: float, measured: Sequence[Measured], work: TrainingWorkload) -> list[Measured]:
    """Those no more than `factor` times slower than the fastest, on all cores of this machine."""
    cost = {m: seconds(m, work, most_workers(m.plan)) for m in measured}
    return [m for m in measured if cost[m] <= factor * min(cost.values())]


def fastest(measured: Sequence[Measured], work: TrainingWorkload) -> Measured:
    """The plan to take: the fastest on all cores of this machine, or one as good as that."""
    usual = min(
        max(1, USUAL_BYTES // (OPTIMISER_COPIES * weight_bytes(work))), max(work.runs.values(), default=1)
    )
    close = _within(CLOSE, measured, work)
    return min(close, key=lambda m: (m.plan.threads, abs(math.log2(m.plan.width / usual)), m.plan.width))


def step_seconds(work: TrainingWorkload, plan: Plan) -> float:
    """The seconds that a step of one stack takes under the plan, without what comes before the
    first."""
    keep_freed_memory()
    x, y = work.x.to(plan.device), work.y.to(plan.device)
    models = [initialise(work.build, k).to(plan.device) for k in range(plan.width)]

    def timed(steps: int) -> float:
        recipe = replace(work.recipe, epochs=1, batch_size=min(work.recipe.batch_size, work.records))
        rows = np.tile(np.resize(np.arange(len(x)), steps * recipe.batch_size), (plan.width, 1))
        start = time.perf_counter()
        fit(models, x, y, recipe, seeds=list(range(plan.width)), members=rows)
        if x.is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - start

    with threads(plan.threads):
        timed(1)  # warms up
        first = timed(2)
        more = math.ceil(2 * PROBE_SECONDS / max(first, 1e-6))
        return first / 2 if more <= 2 else timed(more) / more


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let torch use n threads, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
