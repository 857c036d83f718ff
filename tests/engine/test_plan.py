"""The plan, and what it costs."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from auditkit.engine import cost as resources
from auditkit.engine import plan as planning
from auditkit.engine.cost import (
    Resources,
    cost,
    duration,
    planned,
    problems,
    refusals,
    size,
)
from auditkit.engine.plan import (
    Measured,
    Plan,
    fastest,
    measure,
    seconds,
    stacks,
)
from auditkit.engine.workload import TrainingWorkload, flops, stack_bytes
from auditkit.models.architectures import mlp
from auditkit.training import Recipe

RECIPE = Recipe(epochs=3, batch_size=16, learning_rate=0.01)


GB = 1_000_000_000


def work(runs: Mapping[str, int] | None = None, records: int = 40) -> TrainingWorkload:
    rng = np.random.default_rng(0)
    return TrainingWorkload(
        build=partial(mlp, (6,), 3, hidden=(8,)),
        x=torch.from_numpy(rng.normal(size=(records, 6)).astype(np.float32)),
        y=torch.from_numpy(rng.integers(0, 3, records)),
        recipe=RECIPE,
        records=records,
        runs=runs or {"original": 5, "retrained": 5},
        data_bytes=records * 24,
    )


def measured(width: int, step: float, threads: int = 1) -> Measured:
    return Measured(Plan(width, threads, "cpu"), step, width * 1000)


@pytest.mark.parametrize("runs", range(9))
@pytest.mark.parametrize("width", [1, 2, 3, 8, 20])
def test_stacks_are_as_few_and_as_even_as_the_width_allows(runs: int, width: int) -> None:
    """Every run is in exactly one stack, in order; sizes differ by one at the most; none is too
    wide."""
    found = stacks(runs, width)
    assert [k for stack in found for k in stack] == list(range(runs))
    assert len(found) == -(-runs // width)
    sizes = [len(stack) for stack in found] or [0]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= width


def test_time_is_that_of_the_worker_with_most_to_do() -> None:
    """Two arms of five runs in stacks of up to two (1, 2, 2 each), half a second a step and run,
    nine steps of forty records in batches of sixteen: one worker trains ten runs, two workers at
    least five."""
    two = measured(2, step=1.0)
    assert work().steps == 9
    assert seconds(two, work(), 1) == pytest.approx(10 * 0.5 * 9)
    # stacks 1, 2, 2, 1, 2, 2 in turn to two workers: 1 + 2 + 2 and 2 + 1 + 2
    assert seconds(two, work(), 2) == pytest.approx(5 * 0.5 * 9)
    assert seconds(two, work(), 100) == pytest.approx(2 * 0.5 * 9)


def test_the_fastest_plan_is_taken_and_the_usual_one_of_equals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stacks win where they are faster a run, a loop where they are not; of plans as good as equal
    the one of fewest threads whose width is nearest to what fits into a cache."""
    monkeypatch.setattr(planning, "cores", lambda: 2)
    loop, stack = measured(1, 0.1), measured(5, 0.2)
    assert fastest([loop, stack], work()) == stack
    assert fastest([loop, measured(5, 0.6)], work()) == loop
    # five small perceptrons fit into a cache with ease: all in one stack is usual
    assert fastest([loop, measured(2, 0.2), measured(5, 0.5)], work()) == measured(5, 0.5)
    monkeypatch.setattr(planning, "USUAL_BYTES", 1)  # now none does
    assert fastest([loop, measured(2, 0.2), measured(5, 0.5)], work()) == loop
    # Two threads on two cores must be twice as fast to be as good as one thread on each.
    assert fastest([measured(5, 0.2), measured(5, 0.15, threads=2)], work()).plan.threads == 1
    assert fastest([measured(5, 0.2), measured(5, 0.08, threads=2)], work()).plan.threads == 2


def test_what_else_the_machine_does_does_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that was slow when it was first timed, and fast after that, counts as fast."""
    seen: list[Plan] = []

    def hiccup(_work: TrainingWorkload, plan: Plan) -> float:
        seen.append(plan)
        return (1.4 if plan.width == 5 and seen.count(plan) == 1 else 1.0) * (3 + plan.width)

    monkeypatch.setattr(planning, "step_seconds", hiccup)
    found = measure(work(), devices=["cpu"], threads=1, memory=None)
    assert {m.plan.width: m.step_seconds for m in found} == {1: 4.0, 2: 5.0, 4: 7.0, 5: 8.0}


def test_measuring_tries_loops_and_ever_wider_stacks() -> None:
    """A perceptron is tried by itself and stacked, on one thread and all; every step takes some
    time."""
    found = measure(work(), devices=["cpu"], threads=None, memory=None)
    tried = {(m.plan.width, m.plan.threads) for m in found}
    assert {(1, 1), (2, 1), (1, planning.cores())} <= tried
    assert all(m.step_seconds > 0 and m.plan.width <= 5 for m in found)


def test_a_model_that_cannot_be_stacked_is_trained_by_itself() -> None:
    """Running statistics forbid a stack: the only plans are loops."""

    def build() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3))

    found = measure(replace(work(), build=build), devices=["cpu"], threads=1, memory=None)
    assert {m.plan.width for m in found} == {1}


def test_no_stack_is_wider_than_memory_or_the_device_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stacks end where the memory given does, and where the device says that it has no more."""
    one = stack_bytes(work())
    within = measure(work(), devices=["cpu"], threads=1, memory=3 * one)
    assert max(m.plan.width for m in within) == 2

    def full(_work: TrainingWorkload, plan: Plan) -> float:
        if plan.width > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return 1.0

    monkeypatch.setattr(planning, "step_seconds", full)
    assert [m.plan.width for m in planning.measure(work(), devices=["cpu"], threads=1, memory=None)] == [1, 2]


def test_a_stack_takes_four_copies_of_its_weights_and_what_backward_needs() -> None:
    """6-8-3 perceptron, batch 16: weights, gradients and two moments of 83 numbers, twice the
    inputs, the hidden layer before and after its ReLU as far as torch keeps it, and the weights
    that backward multiplies by."""
    weights = 6 * 8 + 8 + 8 * 3 + 3
    least = 4 * 4 * weights + 2 * 4 * (16 * 6 + 16 * 8)
    most = least + 2 * 4 * (16 * 8 + 2 * weights + 40 * 6)
    assert least <= stack_bytes(work()) <= most


def test_flops_are_those_of_the_matrix_products() -> None:
    """Forward and weight gradients of both layers, input gradients of the second alone: 2 FLOPs a
    weight each, times records, epochs and runs."""
    a_record = 2 * (2 * 6 * 8) + 3 * (2 * 8 * 3)
    assert flops(work()) == a_record * 40 * 3 * 10


def test_a_plan_is_measured_once_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second audit of its kind takes the plan of the first; another recipe, or other limits, is
    measured."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path))
    first = planned(work(), Resources(), {"recipe": 1}, None)
    calls = []

    def counted(*_args: object, **_options: object) -> list[Measured]:
        calls.append(1)
        return [first]

    monkeypatch.setattr(resources, "measure", counted)
    assert planned(work(), Resources(), {"recipe": 1}, None) == first
    assert calls == []
    planned(work(), Resources(), {"recipe": 2}, None)
    planned(work(), Resources(memory=GB), {"recipe": 1}, None)
    planned(work(runs={"original": 6, "retrained": 6}), Resources(), {"recipe": 1}, None)
    assert len(calls) == 3


def test_a_locked_plan_is_kept_to_and_a_wish_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock's plan is taken without measuring, unless the user asks for another: then opening
    the bundle refuses, as the two differ."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path))
    locked = Plan(3, 1, "cpu")
    assert planned(work(), Resources(), {}, locked).plan == locked
    assert planned(work(), Resources(width=3, device="cpu"), {}, locked).plan == locked
    assert planned(work(), Resources(width=2), {}, locked).plan == Plan(2, 1, "cpu")
    assert planned(work(), Resources(width=4, threads=2), {}, None).plan == Plan(4, 2, "cpu")


def test_workers_are_as_many_as_work_cores_and_memory_are_there_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short work is done here; long work by a worker for each core, as far as stacks and memory
    go."""
    monkeypatch.setattr(planning, "cores", lambda: 8)
    short, long = measured(5, step=0.001), measured(1, step=10.0)
    assert cost(short, work(), Resources(), 30).jobs == 1
    assert cost(long, work(), Resources(), 30).jobs == 8
    assert cost(long, work(runs={"original": 3}), Resources(), 30).jobs == 3
    assert cost(long, work(), Resources(jobs=2), 30).jobs == 2
    assert cost(long, work(), Resources(memory=round(1.5 * GB)), 30).jobs == 2
    assert cost(long, work(), Resources(), 30).seconds == pytest.approx(2 * 10 * 9)


def test_what_does_not_fit_is_refused_with_all_reasons() -> None:
    """Memory and time that do not suffice are told together, each with what would do."""
    given = Resources(memory=100_000_000, seconds=30, jobs=1)
    found = refusals(cost(measured(1, step=10.0), work(), given, 30), given)
    assert found == [
        (
            "--memory must be at least 450 MB for 1 worker(s) on this claim, found 100 MB; raise it, lower "
            "training.batch_size, or ask for fewer --jobs"
        ),
        (
            "--time must be at least 15 min for training on this machine, found 30 s; raise it, lower"
            " runs.per_arm or training.epochs, or take more workers"
        ),
    ]
    enough = Resources(memory=GB, seconds=1000, jobs=1)
    assert refusals(cost(measured(1, step=10.0), work(), enough, 30), enough) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_told_at_once() -> None:
    """Asked for or locked, a missing GPU is a problem before anything is trained; so is a cluster's
    address without its kind."""
    assert problems(Resources(device="cuda"), None) == [
        "--device cuda needs a GPU that torch can see, found none; use another machine, or another --out"
    ]
    assert problems(Resources(), Plan(8, 1, "cuda")) == [
        (
            "the plan locked in this bundle needs a GPU that torch can see, found none; use another machine,"
            " or another --out"
        )
    ]
    assert problems(Resources(address="tcp://here:1"), None) == [
        "--address is of a cluster; name which with --backend dask or --backend ray"
    ]


def test_sizes_and_durations_are_told_as_people_write_them() -> None:
    """Two digits, and the unit that fits."""
    assert [size(n) for n in (5e6, 2.34e9)] == ["5 MB", "2.3 GB"]
    assert [duration(s) for s in (3, 600, 36000)] == ["3 s", "10 min", "10.0 h"]
