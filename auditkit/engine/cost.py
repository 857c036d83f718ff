"""What an audit may use of the machine, the plan that follows, and what it will cost."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from auditkit.core.environment import environment
from auditkit.engine import store
from auditkit.engine.plan import (
    Measured,
    Plan,
    cores,
    fastest,
    measure,
    most_workers,
    seconds,
    stacks,
    step_seconds,
)
from auditkit.engine.workers import Backend
from auditkit.engine.workload import TrainingWorkload, flops, stack_bytes, weight_bytes

PROCESS_BYTES = 450_000_000
"""What a process takes before it holds any data: Python, torch, and the rest of what we import."""
FLOAT = 4
SOON = 10.0
"""Seconds of work below which it is done in this process: a worker takes two seconds to start."""


@dataclass(frozen=True)
class Resources:
    """What an audit may use; None: as much as there is, or as measured.

    Attributes:
        jobs: workers.
        backend, address: see `auditkit.engine.workers.WorkerConfig`.
        device: "auto", "cpu" or "cuda".
        width, threads: of the plan, in place of measuring.
        memory: bytes of all processes together.
        seconds: of training.
    """

    jobs: int | None = None
    backend: Backend = "loky"
    address: str | None = None
    device: str = "auto"
    width: int | None = None
    threads: int | None = None
    memory: int | None = None
    seconds: float | None = None


def problems(given: Resources, locked: Plan | None) -> list[str]:
    """What is wrong with what was given, before anything is measured. locked: the plan of the
    bundle that is to be finished, if there is one."""
    found = []
    if "cuda" in (given.device, locked and locked.device) and not torch.cuda.is_available():
        where = "--device cuda" if given.device == "cuda" else "the plan locked in this bundle"
        found.append(
            f"{where} needs a GPU that torch can see, found none; use another machine, or another --out"
        )
    if given.address and given.backend == "loky":
        found.append("--address is of a cluster; name which with --backend dask or --backend ray")
    return found


def planned(
    work: TrainingWorkload, given: Resources, identity: Mapping[str, object], locked: Plan | None
) -> Measured:
    """The plan to take, with its cost: the one locked before, or the one asked for, or the fastest
    that fits into the memory, measured now or on this machine before.

    identity: what a measurement holds for, besides the machine.
    """
    if plan := _settled(given, locked):
        return Measured(plan, step_seconds(work, plan), plan.width * stack_bytes(work))
    told = {
        **identity,
        "what": "the plan measured here",
        "environment": environment(),
        "cores": cores(),
        "given": [given.device, given.threads, given.memory],
        "work": [work.records, *work.runs.values()],
    }
    if known := store.load(told):
        return _from_tensors(known)
    most = None if given.memory is None else given.memory - process_bytes(work)
    best = fastest(measure(work, devices=_devices(given.device), threads=given.threads, memory=most), work)
    store.save(told, _to_tensors(best))
    return best


def _settled(given: Resources, locked: Plan | None) -> Plan | None:
    """The plan where there is nothing to choose. What was asked for goes before what is locked:
    opening the bundle will say that the two differ."""
    if locked and all(
        asked in (None, "auto", has)
        for asked, has in (
            (given.width, locked.width),
            (given.threads, locked.threads),
            (given.device, locked.device),
        )
    ):
        return locked
    if given.width is None:
        return None
    return Plan(given.width, given.threads or 1, "cuda" if given.device == "cuda" else "cpu")


def _devices(device: str) -> list[str]:
    if device != "auto":
        return [device]
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def _to_tensors(measured: Measured) -> dict[str, torch.Tensor]:
    plan = measured.plan
    whole = torch.tensor([plan.width, plan.threads, plan.device == "cuda", measured.stack_bytes])
    return {"plan": whole, "step_seconds": torch.tensor(measured.step_seconds, dtype=torch.float64)}


def _from_tensors(known: Mapping[str, torch.Tensor]) -> Measured:
    width, threads, cuda, of_stack = known["plan"].tolist()
    return Measured(Plan(width, threads, "cuda" if cuda else "cpu"), known["step_seconds"].item(), of_stack)


@dataclass(frozen=True)
class Cost:
    """What training all arms takes. seconds, memory: on `jobs` workers, memory of all processes in
    bytes. disk: bytes of weights and answers."""

    runs: int
    stacks: int
    flops: int
    jobs: int
    seconds: float
    memory: int
    disk: int


def cost(measured: Measured, work: TrainingWorkload, given: Resources, answers: int) -> Cost:
    """The cost under the plan, with as many workers as were asked for, else as there is work, cores
    and memory for. answers: how many numbers one run answers with."""
    plan, parts = measured.plan, [len(s) for n in work.runs.values() for s in stacks(n, measured.plan.width)]
    alone = process_bytes(work)

    def memory(jobs: int) -> int:
        return (
            alone
            + measured.stack_bytes
            + (0 if jobs == 1 else jobs * alone + (jobs - 1) * measured.stack_bytes)
        )

    jobs = given.jobs
    if jobs is None:
        enough = 1 if seconds(measured, work, 1) < SOON else min(most_workers(plan), max(1, len(parts)))
        fitting = [n for n in range(1, enough + 1) if given.memory is None or memory(n) <= given.memory]
        jobs = max(fitting, default=1)
    return Cost(
        runs=sum(parts),
        stacks=len(parts),
        flops=flops(work),
        jobs=jobs,
        seconds=seconds(measured, work, jobs),
        memory=memory(jobs),
        disk=sum(parts) * (weight_bytes(work) + 2 * FLOAT * answers),
    )


def refusals(cost: Cost, given: Resources) -> list[str]:
    """Why the work does not fit into what was given; [] if it does."""
    found = []
    if given.memory is not None and cost.memory > given.memory:
        found.append(
            f"--memory must be at least {size(cost.memory)} for {cost.jobs} worker(s) on this claim, found "
            f"{size(given.memory)}; raise it, lower training.batch_size, or ask for fewer --jobs"
        )
    if given.seconds is not None and cost.seconds > given.seconds:
        found.append(
            f"--time must be at least {duration(cost.seconds)} for training on this machine, found"
            f" {duration(given.seconds)}; raise it, lower runs.per_arm or training.epochs, or take more"
            " workers"
        )
    return found


def process_bytes(work: TrainingWorkload) -> int:
    """The memory a worker takes besides its stack."""
    return PROCESS_BYTES + 2 * work.data_bytes


def size(n: float) -> str:
    """Bytes as a person writes them."""
    return f"{n / 1e9:.2g} GB" if n >= 1e9 else f"{n / 1e6:.0f} MB"


def duration(s: float) -> str:
    """Seconds as a person writes them."""
    return f"{s:.0f} s" if s < 100 else f"{s / 60:.0f} min" if s < 6000 else f"{s / 3600:.1f} h"
