"""One task: a stack of runs on the plan that it carries."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from auditkit.core.environment import answering_environment
from auditkit.core.errors import AuditError
from auditkit.engine.plan import Plan
from auditkit.models.architectures import cnn, mlp
from auditkit.runs.specs import Train
from auditkit.runs.tasks import Task, perform
from auditkit.training import Recipe

RECIPE = Recipe(epochs=3, batch_size=16, learning_rate=0.01)


def task(build: object, **changes: object) -> Task:
    rng = np.random.default_rng(0)
    plain = Task(
        what="digits, original runs 0 to 3",
        seeds=[1, 2, 3, 4],
        sent_from=answering_environment(),
        plan=Plan(4, 1, "cpu"),
        build=build,  # type: ignore[arg-type]
        make=Train(np.tile(np.arange(20), (4, 1)), RECIPE),
        x=rng.normal(size=(30, 36)).astype(np.float32),
        y=rng.integers(0, 3, 30),
        near={},
        near_labels=np.zeros(0, dtype=np.int64),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def out_of_memory() -> torch.nn.Module:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore")


def test_a_stack_that_does_not_fit_the_device_asks_for_a_narrower_plan() -> None:
    """Out of memory names the runs and the plan to ask for; nothing is retried under another
    plan."""
    with pytest.raises(AuditError) as told:
        perform(task(out_of_memory))
    assert (
        str(told.value)
        == "digits, original runs 0 to 3: 4 run(s) in one stack must fit into the device's memory, found:"
        " CUDA out of memory. Tried to allocate 2 GiB.; a narrower plan is another plan, with last bits of"
        " its own: run again with --width 2 and another --out"
    )


def test_a_worker_of_another_version_refuses() -> None:
    """A worker whose environment is not the sender's would get other numbers, and says so."""
    other = {**answering_environment(), "torch": "1.0"}
    with pytest.raises(AuditError, match=r"found that torch is '2\.\S+' there and '1\.0' here"):
        perform(task(partial(mlp, (36,), 3), sent_from=other))


@pytest.mark.parametrize("build", [partial(mlp, (36,), 3, hidden=(8,)), partial(cnn, (36,), 3)])
def test_a_task_answers_and_repeats_itself_to_the_last_bit(build: object) -> None:
    """The same task gives the same bytes again, dropout included, whatever was drawn in between."""
    one = perform(task(build))
    torch.rand(3)
    two = perform(task(build))
    assert one["logits/"].shape == (4, 30, 3)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
