"""The plan of an audit: chosen once, told with what it costs, refused if that is too much."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from auditkit.engine.plan import Plan, Work, most_workers
from auditkit.engine.resources import Cost, Resources, cost, duration, planned, problems, refusals, size
from auditkit.errors import UsageError
from auditkit.progress import Teller
from auditkit.study import Study, asked_records, run_seeds

PROBED = 2048
"""Records on which training steps are tried out."""


def locked_plan(out: Path) -> Plan | None:
    """The plan locked in the bundle at `out` by an earlier, perhaps interrupted audit; None where there is
    none to be read."""
    try:
        return Plan(**json.loads((out / "lock.json").read_bytes())["plan"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # opening the bundle says what is wrong with it


def work_of(study: Study) -> Work:
    """What training all arms means to the engine."""
    training = np.concatenate([study.sets.retain, study.sets.forget])
    tried = training[:PROBED]
    return Work(
        build=study.build,
        x=torch.from_numpy(study.data.x[tried]),
        y=torch.from_numpy(study.data.y[tried]),
        recipe=study.recipe,
        records=len(training),
        runs={arm: len(run_seeds(study.claim, arm)) for arm in study.trained},
        data_bytes=asked_records(study).size * study.data.x[0].nbytes,
    )


def plan_for(study: Study, given: Resources, before: Plan | None, tell: Teller) -> tuple[Plan, int]:
    """The plan of the audit and its number of workers, told with what it costs. before: the plan that is
    locked already. UsageError, before anything is trained, where it does not fit into what was given."""
    if found := problems(given, before):
        raise UsageError(*found)
    for warning in study.warnings:
        tell.say(f"warning: {warning}")
    work = work_of(study)
    if study.claim.training.train:  # whose steps cannot be seen
        plan = Plan(1, given.threads or 1, "cuda" if given.device == "cuda" else "cpu")
        jobs = given.jobs or most_workers(plan)
        tell.say(
            f"{sum(work.runs.values())} runs by {study.claim.training.train}, one a process, {jobs} at a time"
        )
        return plan, jobs
    identity = {
        "model": study.claim.model.model_dump(),
        "recipe": asdict(study.recipe),
        "shape": study.data.x.shape[1:],
    }
    measured = planned(work, given, {**identity, "own": study.own_code}, before)
    answers = len(asked_records(study)) * study.data.n_classes
    expected = cost(measured, work, given, answers)
    for line in _told(study, measured.plan, expected):
        tell.say(line)
    if found := refusals(expected, given):
        raise UsageError(*found)
    return measured.plan, expected.jobs


def _told(study: Study, plan: Plan, expected: Cost) -> list[str]:
    runs = study.claim.runs
    stacked = f"in stacks of up to {plan.width}" if plan.width > 1 else "each by itself"
    what = (
        f"{expected.runs + (1 + runs.swap) * runs.per_arm} runs: {runs.per_arm} each of original, retrained, honest control and "
        f"unlearned ({study.claim.procedure.name}), {runs.shadow} shadow"
        + (f", {2 * runs.per_arm} of the swapped world" if runs.swap else "")
    )
    if study.released:
        what = (
            f"{expected.runs} runs: {runs.per_arm} each of original, retrained and honest control, {runs.shadow} shadow; "
            "beside them the released model"
        )
    how = (
        f"plan: {stacked}, {plan.threads} thread(s) a stack on {plan.device}: {expected.stacks} stacks to train, "
        f"{expected.flops / 1e12:.2g} TFLOP, about {duration(expected.seconds)} on {expected.jobs} worker(s), "
        f"{size(expected.memory)} of memory, {size(expected.disk)} of disk, less what is in the store; then "
        "unlearning, attacks and report"
    )
    return [what, how]
