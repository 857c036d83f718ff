"""The plan of an audit: chosen once, told with what it costs, refused if that is too much."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from auditkit.core.errors import UsageError
from auditkit.core.ids import VARIANT
from auditkit.core.progress import Reporter
from auditkit.engine.cost import (
    Cost,
    cost,
    duration,
    planned,
    problems,
    refusals,
    size,
)
from auditkit.engine.plan import Plan, most_workers
from auditkit.engine.resources import Resources
from auditkit.engine.workload import TrainingWorkload
from auditkit.study.study import Study, asked_records, between_looks, run_seeds

PROBED = 2048
"""Records on which training steps are tried out."""


def locked_plan(out: Path) -> Plan | None:
    """The plan locked in the bundle at `out` by an earlier, perhaps interrupted audit; None where
    there is none to be read."""
    try:
        return plan_in((out / "lock.json").read_bytes())
    except OSError:
        return None


def plan_in(lock: bytes) -> Plan | None:
    """The plan in the bytes of a lock.json, None where there is none to be read."""
    try:
        return Plan(**json.loads(lock)["plan"])
    except (ValueError, KeyError, TypeError):
        return None  # opening the bundle says what is wrong with it


def work_of(study: Study) -> TrainingWorkload:
    """What training all arms means to the engine."""
    training = np.concatenate([study.sets.retain, study.sets.forget])
    tried = training[:PROBED]
    return TrainingWorkload(
        build=study.build,
        x=torch.from_numpy(study.data.x[tried]),
        y=torch.from_numpy(study.data.y[tried]),
        recipe=study.recipe,
        records=len(training),
        runs={
            f"{arm} from {part.start}": len(part)
            for arm in study.trained
            for part in between_looks(study.claim, arm)
        },
        data_bytes=asked_records(study).size * study.data.x[0].nbytes,
    )


@dataclass(frozen=True)
class PlanCost:
    """A plan and what training all arms by it takes; cost: None where the training is the user's
    own, whose steps cannot be seen."""

    plan: Plan
    jobs: int
    cost: Cost | None


def plan_for(study: Study, given: Resources, before: Plan | None, tell: Reporter) -> tuple[Plan, int]:
    """The plan of the audit and its number of workers, told with what it costs. before: the plan
    that is locked already. UsageError, before anything is trained, where it does not fit into what
    was given."""
    found = price_plan(study, given, before, tell)
    for line in describe_plan(study, found):
        tell.say(line)
    if found.cost and (too_much := refusals(found.cost, given)):
        raise UsageError(*too_much)
    return found.plan, found.jobs


def price_plan(study: Study, given: Resources, before: Plan | None, tell: Reporter) -> PlanCost:
    """The plan with its price; told is only what the reader must know of the data."""
    if found := problems(given, before):
        raise UsageError(*found)
    for warning in study.warnings:
        tell.say(f"warning: {warning}")
    if study.claim.training.train:
        plan = Plan(1, given.threads or 1, "cuda" if given.device == "cuda" else "cpu")
        return PlanCost(plan, given.jobs or most_workers(plan), None)
    work = work_of(study)
    identity = {
        "model": study.claim.model.model_dump(),
        "recipe": asdict(study.recipe),
        "shape": study.data.x.shape[1:],
    }
    measured = planned(work, given, {**identity, "own": study.own_code}, before)
    answers = len(asked_records(study)) * study.data.n_classes
    expected = cost(measured, work, given, answers)
    return PlanCost(measured.plan, expected.jobs, expected)


def describe_plan(study: Study, found: PlanCost) -> list[str]:
    """What will be done, and how, in two lines."""
    runs, plan, expected = study.claim.runs, found.plan, found.cost
    trained = sum(len(run_seeds(study.claim, arm)) for arm in study.trained)
    most, n = "at most " if runs.looks else "", runs.per_arm
    varied = f", {n} by another recipe" if VARIANT in study.trained else ""
    if study.released:
        placebo = f", {n} of a placebo ({study.claim.made_by.name})" if study.claim.made_by else ""
        what = (
            f"{trained} runs: {n} each of original, retrained and honest control{placebo}, {runs.shadow}"
            " shadow; beside them the released model"
        )
    else:
        what = (
            f"{trained + (2 + runs.swap) * n} runs: {most}{n} each of original, retrained, honest control,"
            f" unlearned ({study.claim.procedure.name}) and placebo{varied}, {runs.shadow} shadow"
            + (f", {2 * n} of the swapped world" if runs.swap else "")
            + (f"; {3 * n} more if too few records show any memory" if study.stressed else "")
        )
    if expected is None:
        return [
            what,
            f"{trained} runs by {study.claim.training.train}, one a process, {found.jobs} at a time",
        ]
    stacked = f"in stacks of up to {plan.width}" if plan.width > 1 else "each by itself"
    how = (
        f"plan: {stacked}, {plan.threads} thread(s) a stack on {plan.device}: {expected.stacks} stacks to"
        f" train, {expected.flops / 1e12:.2g} TFLOP, about {duration(expected.seconds)} on {expected.jobs}"
        f" worker(s), {size(expected.memory)} of memory, {size(expected.disk)} of disk, less what is in the"
        " store; then unlearning, attacks and report"
    )
    return [what, how]
