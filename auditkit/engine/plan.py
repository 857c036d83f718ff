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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from auditkit.engine.memory import keep_freed_memory
from auditkit.models.architectures import Build
from auditkit.training import Recipe, fit, initialise, stackable

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
OPTIMISER_COPIES = 4
"""Weights, gradients and the two moments of Adam."""


@dataclass(frozen=True)
class Plan:
    """width: runs a stack, at most; 1 = every run by itself. threads: of each stack. device: a
    torch device."""

    width: int
    threads: int
    device: str


@dataclass(frozen=True, eq=False)
class TrainingWorkload:
    """What is to be trained, as far as its cost goes.

    records: of each run, at most. runs: what may share a stack, by name -> how many. x, y: some
    records to try steps on. data_bytes: of all records a worker is given.
    """

    build: Build
    x: torch.Tensor
    y: torch.Tensor
    recipe: Recipe
    records: int
    runs: Mapping[str, int]
    data_bytes: int

    @property
    def steps(self) -> int:
        """Steps of one run."""
        return self.recipe.epochs * math.ceil(self.records / self.recipe.batch_size)


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
    """Time the first steps of every plan worth trying: ever wider stacks on each device and number
    of threads, until two in a row do less than a narrower one did; those that may be the fastest
    several times. threads: only so many. memory: bytes a stack may take, if it is wider than one
    run."""
    found = []
    can_stack = stackable([initialise(work.build, k) for k in (0, 1)], work.x[:2], work.y[:2])
    widest = max(work.runs.values(), default=1) if can_stack else 1
    one = stack_bytes(work)
    for device in devices:
        for each in (1,) if device == "cuda" else sorted({threads or 1, threads or cores()}):
            worse, best = 0, math.inf
            for width in _widths(widest):
                if worse == 2 or (memory is not None and width > 1 and width * one > memory):
                    break
                try:
                    step = step_seconds(work, Plan(width, each, device))
                except torch.OutOfMemoryError:
                    break  # no wider one fits either
                found.append(Measured(Plan(width, each, device), step, width * one))
                worse = 0 if step / width < best else worse + 1
                best = min(best, step / width)
                if device == "cpu" and found[-1] not in _within(HOPELESS, found, work):
                    break  # wider ones will not make that good; on a GPU they may
    for _ in range(ROUNDS):
        doubtful = set(_within(DOUBTFUL, found, work))
        found = [_timed_again(m, work) if m in doubtful else m for m in found]
    return found


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


def weight_bytes(work: TrainingWorkload) -> int:
    """The size of one run's weights."""
    weights: int = sum(p.numel() * p.element_size() for p in initialise(work.build, 0).parameters())
    return weights


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


def stack_bytes(work: TrainingWorkload) -> int:
    """The memory that one run of a stack takes while a step is made: its weights, gradients and
    optimiser state, and what backward needs of a batch, measured."""
    model = initialise(work.build, 0).train()
    batch = work.x[: min(work.recipe.batch_size, work.records)]
    saved: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.random.fork_rng(devices=[]), torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        model(batch)
    # Forward results and their gradients lie side by side for a while.
    activations: int = sum(saved.values())
    return OPTIMISER_COPIES * weight_bytes(work) + 2 * activations


def flops(work: TrainingWorkload) -> int:
    """Floating-point operations of all matrix products and convolutions of training, forward and
    backward."""
    n = min(work.recipe.batch_size, work.records, len(work.x))
    model: nn.Module = initialise(work.build, 0).train()
    with torch.random.fork_rng(devices=[]), FlopCounterMode(display=False) as counter:
        model(work.x[:n]).sum().backward()
    a_record: float = counter.get_total_flops() / n
    return round(a_record * work.records * work.recipe.epochs * sum(work.runs.values()))
