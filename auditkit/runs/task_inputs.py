"""From a stack that is planned to the task that makes its answers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auditkit.core.environment import answering_environment
from auditkit.core.ids import World
from auditkit.engine.plan import Plan
from auditkit.runs.answers import Tensors
from auditkit.runs.queries import QueryPlan
from auditkit.runs.specs import LoadedWeights, Train, Unlearn
from auditkit.runs.stacks import RunStack, describe
from auditkit.runs.tasks import Task
from auditkit.study.study import Study


@dataclass(frozen=True, eq=False)
class TaskInputs:
    """What all tasks of an audit are given alike, made once.

    Attributes:
        study, plan, queries: what they belong to.
        x: float32 (records, *shape), every record of the audit.
        y: int64 (records,), in the world of the task.
        near_labels: int64 (near records,), of the records that the jittered inputs lie near.
        positions: position in the data set -> position in x.
    """

    study: Study
    plan: Plan
    queries: QueryPlan
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    near_labels: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]


def task_inputs(study: Study, plan: Plan, queries: QueryPlan, world: World = "plain") -> TaskInputs:
    """What all tasks of this study are given in a world."""
    labels = study.labels(world)
    positions = np.full(len(study.data.y), -1, dtype=np.int64)
    positions[queries.records] = np.arange(len(queries.records))
    near_labels = labels[np.concatenate([study.sets.forget, study.sets.control])]
    x, y = study.data.x[queries.records], labels[queries.records]
    return TaskInputs(study, plan, queries, x, y, near_labels, positions)


def build_task(
    inputs: TaskInputs, stack: RunStack, weights: Tensors | None, proxies: Tensors | None = None
) -> Task:
    """The task that makes a stack's answers.

    Args:
        inputs: what all tasks are given.
        stack: which runs.
        weights: those stored under `stack.weights`, if any are.
        proxies: those stored under `stack.proxies`, if the stack is given any.
    """
    study, queries = inputs.study, inputs.queries
    return Task(
        what=describe(study, stack.arm, stack.runs),
        seeds=stack.seeds,
        sent_from=answering_environment(),
        plan=inputs.plan,
        build=study.build,
        make=_make(inputs, stack, weights, proxies),
        x=inputs.x,
        y=inputs.y,
        near=queries.near,
        near_labels=inputs.near_labels,
        inspect=queries.of(stack.arm).inspect if stack.state is None else None,
        interface=queries.interface,
    )


def _make(
    inputs: TaskInputs, stack: RunStack, weights: Tensors | None, proxies: Tensors | None
) -> Train | LoadedWeights | Unlearn:
    study, positions = inputs.study, inputs.positions
    train = study.claim.training.train
    if weights is None:
        members = positions[study.members(stack.arm)[stack.runs.start : stack.runs.stop]]
        return Train(
            members, study.recipe_of(stack.arm), None if train is None else (train, study.folder.resolve())
        )
    procedure = stack.procedure
    if procedure is None:  # trained before, or released
        return LoadedWeights(weights)
    rows = [k - stack.weights_from for k in stack.runs]
    options = procedure.options if stack.state is None else {**procedure.options, "state": stack.state}
    return Unlearn(
        weights=_rows(weights, rows),
        retain=positions[study.sets.retain],
        forget=positions[study.forgotten(stack.arm)],
        procedure=procedure.name,
        folder=study.folder.resolve(),
        options=options,
        recipe=study.recipe,
        proxies=proxies and _rows(proxies, rows),
    )


def _rows(tensors: Tensors, rows: list[int]) -> Tensors:
    return {name: values[rows] for name, values in tensors.items()}
