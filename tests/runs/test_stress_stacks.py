"""The stress world: what is trained there, what is shared, and what real runs make of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from auditkit.claims.claim import ProcedureClaim
from auditkit.core.canonical import digest
from auditkit.core.errors import AuditError
from auditkit.core.ids import (
    HONEST,
    ORIGINAL,
    PLACEBO,
    RETRAINED,
    STRESS,
    UNLEARNED,
    ArmKey,
    placebo,
    unlearned,
)
from auditkit.core.progress import NullReporter
from auditkit.engine import store
from auditkit.engine.queue import WorkerConfig
from auditkit.runs.collect import train_and_query
from auditkit.runs.gather import gather
from auditkit.runs.queries import build_queries
from auditkit.runs.session import TrainingSession
from auditkit.runs.specs import Train, Unlearn
from auditkit.runs.stacks import RunStack, UnlearnedArm, plan_stacks
from auditkit.runs.stress_stacks import plan_stress_stacks
from auditkit.runs.task_inputs import build_task, task_inputs
from auditkit.runs.trained_source import measured_in
from auditkit.signals.measurements import accuracy, build_arms
from auditkit.study.study import Study
from auditkit.verdict.memory_tests import visible
from tests.runs.test_placebo_stacks import of_arm
from tests.runs.test_stacks import PLAN, study_of

TINY: dict[str, Any] = {
    "data": {"train": 300, "control": 100, "test": 100, "population": 50},
    "model": {"options": {"hidden": [48]}},
    "training": {"epochs": 150, "learning_rate": 0.005},
    "runs": {"per_arm": 4, "shadow": 0},
    "criteria": {
        "attacks": ["loss"],
        "reported": [],
        "recoveries": [],
        "jitter": [0.3],
        "planning_sd": 0.04,
    },
    "procedure": {"name": "retrain"},
}


def session_of(study: Study) -> TrainingSession:
    """A session that works in this process."""
    return TrainingSession(study, PLAN, WorkerConfig(1, 1), "one", NullReporter())


def both_worlds(study: Study) -> tuple[list[RunStack], list[RunStack]]:
    """The stacks of the plain world, and of the stress world."""
    session, queries = session_of(study), build_queries(study)
    return plan_stacks(session, queries), plan_stress_stacks(session, queries)


def test_nothing_is_retrained_for_the_stress_world() -> None:
    """Its retrained and honest runs are those of the plain world, asked again; its originals alone
    are trained, with seeds of their own, and its placebo is made of the honest runs."""
    plain, stress = both_worlds(study_of())
    assert [arm.kind for arm in dict.fromkeys(stack.arm for stack in stress)] == [
        "original",
        "retrained",
        "honest",
        "unlearned",
        "placebo",
    ]
    assert {stack.arm.world for stack in stress} == {STRESS}
    weights = {digest(stack.weights) for stack in plain}
    new = [stack for stack in stress if digest(stack.weights) not in weights]
    assert {stack.arm for stack in new} == {ORIGINAL.within(STRESS), UNLEARNED.within(STRESS)}
    for arm, of in (
        (RETRAINED.within(STRESS), RETRAINED),
        (HONEST.within(STRESS), HONEST),
        (PLACEBO.within(STRESS), HONEST),
    ):
        assert [s.weights for s in of_arm(stress, arm)] == [s.weights for s in of_arm(plain, of)]
    originals = of_arm(stress, ORIGINAL.within(STRESS))
    assert [s.weights for s in of_arm(stress, UNLEARNED.within(STRESS))] == [s.weights for s in originals]
    seeds = {seed for stack in plain for seed in stack.seeds}
    assert seeds.isdisjoint(seed for stack in originals for seed in stack.seeds)


def test_answers_of_the_two_worlds_are_kept_apart() -> None:
    """The same runs asked about other labels have other answers; with other wrong labels, all of
    the stress world is made anew and nothing of the plain one."""
    study = study_of()
    plain, stress = both_worlds(study)
    kept = [{digest(stack.answers) for stack in stacks} for stacks in (plain, stress)]
    assert kept[0].isdisjoint(kept[1])
    assert len(kept[1]) == len(stress)
    other = study_of()
    other.__dict__["_wrong_labels"] = np.roll(study.labels(STRESS), 1)
    again, anew = both_worlds(other)
    assert {digest(stack.answers) for stack in again} == kept[0]
    assert {digest(stack.answers) for stack in anew}.isdisjoint(kept[1])
    trained = [{digest(s.weights) for s in of_arm(w, ORIGINAL.within(STRESS))} for w in (stress, anew)]
    assert trained[0].isdisjoint(trained[1])


def test_tasks_of_the_stress_world_carry_its_labels() -> None:
    """Originals are trained on the wrong labels; procedures are asked to forget records that carry
    them, the forget records or, of the placebo, the stand-ins."""
    study = study_of()
    stress = both_worlds(study)[1]
    inputs = task_inputs(study, PLAN, build_queries(study), STRESS)
    wrong, forget = study.labels(STRESS), study.sets.forget
    trained = build_task(inputs, of_arm(stress, ORIGINAL.within(STRESS))[0], None)
    assert isinstance(trained.make, Train)
    members = np.concatenate([study.sets.retain, forget])
    assert np.array_equal(trained.y[trained.make.members[0]], wrong[members])
    for arm, named in ((UNLEARNED, forget), (PLACEBO, study.stand_ins)):
        task = build_task(inputs, of_arm(stress, arm.within(STRESS))[0], {})
        assert isinstance(task.make, Unlearn)
        assert np.array_equal(task.x[task.make.forget], study.data.x[named])
        assert np.array_equal(task.y[task.make.forget], wrong[named])
    assert np.array_equal(task.near_labels, wrong[np.concatenate([forget, study.sets.control])])


def test_a_gallery_is_in_the_stress_world_too() -> None:
    """Every case is made there of the wrongly taught originals, and its placebo of honest runs."""
    study = study_of()
    cases = {"a": UnlearnedArm(ProcedureClaim(name="noop"))}
    stacks = plan_stress_stacks(session_of(study), build_queries(study), cases)
    made = [stack.arm for stack in stacks if not stack.arm.trained]
    assert dict.fromkeys(made).keys() == {unlearned("a").within(STRESS), placebo("a").within(STRESS)}
    assert not any(stack.claimed for stack in stacks)


@pytest.mark.parametrize("diverged", [{1}, {1, 2}])
def test_what_diverges_in_the_stress_world_is_left_out_there(
    diverged: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number whose answers are not finite in one arm of the stress world is left out of all of
    its arms and named with its world and seed; fewer than three numbers left are too few."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path))
    study = study_of(**TINY)
    stress, rng = both_worlds(study)[1], np.random.default_rng(0)
    made: dict[tuple[ArmKey, int], np.ndarray[Any, Any]] = {}
    for stack in stress:
        logits = rng.normal(size=(len(stack.runs), 20, 3)).astype(np.float32)
        if stack.arm.kind == "unlearned":
            logits[[k for k, run in enumerate(stack.runs) if run in diverged], 5, 1] = np.nan
        made |= {(stack.arm, run): z for run, z in zip(stack.runs, logits, strict=True)}
        near = torch.zeros(len(stack.runs), 8, dtype=torch.float64)
        answers = {"logits/": torch.from_numpy(logits), "near/jitter 0.3": near}
        store.save(stack.answers, answers)
    if len(diverged) > 1:
        with pytest.raises(AuditError, match="at least 3 runs an arm must answer with finite numbers"):
            gather(stress)
        return
    found = gather(stress)
    [seed] = [s.seeds[s.runs.index(1)] for s in of_arm(stress, UNLEARNED.within(STRESS))]
    assert found.diverged == (f"stress unlearned run 1 (seed {seed})",)
    arms = dict.fromkeys(stack.arm for stack in stress)
    assert found.rows == [(arm, run) for arm in arms for run in (0, 2, 3)]
    for row, (arm, run) in enumerate(found.rows):
        assert np.array_equal(found.logits[row], made[arm, run])
    assert {len(values) for near in found.other_margins.values() for values in near.values()} == {3}
    assert found.withheld == {}


@pytest.fixture(scope="module")
def _store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDITKIT_CACHE", str(tmp_path_factory.mktemp("store")))
        yield


@pytest.mark.usefixtures("_store")
def test_real_runs_learn_wrong_labels_by_heart() -> None:
    """Original runs of the stress world answer as they were taught and retrained ones by what is
    true, so that of nearly every forget record a memory is visible; retrained models are the same
    in both worlds."""
    study = study_of(**TINY)
    session, queries = session_of(study), build_queries(study)
    train_and_query(session, queries)
    plain, stress = both_worlds(study)
    before = {digest(stack.weights) for stack in plain}
    answers = train_and_query(session, queries, world=STRESS)
    measured = measured_in(study, queries, answers, STRESS)
    signals, forget = measured.signals, measured.sets.forget
    learnt = {arm: accuracy(signals, arm.within(STRESS), forget).mean() for arm in (ORIGINAL, RETRAINED)}
    assert learnt[ORIGINAL] > 0.9
    assert learnt[RETRAINED] < 0.1
    arms = build_arms(measured, {}, {}, STRESS)
    assert visible(arms) > 0.9 * len(forget)
    assert arms.placebo is not None
    for key in (RETRAINED, HONEST):
        for one, other in zip(of_arm(plain, key), of_arm(stress, key.within(STRESS)), strict=True):
            left, right = store.load(one.answers), store.load(other.answers)
            assert left is not None
            assert right is not None
            assert torch.equal(left["logits/"], right["logits/"])
            assert not any(name.startswith("weights/") for name in right)
    assert {digest(s.weights) for s in of_arm(stress, RETRAINED.within(STRESS))} <= before
