"""What a placebo is made of, and the variant, and what either is stored under."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from auditkit.claims.claim import ProcedureClaim
from auditkit.core.canonical import digest
from auditkit.core.ids import (
    HONEST,
    ORIGINAL,
    PLACEBO,
    PROXY,
    RETRAINED,
    UNLEARNED,
    VARIANT,
    ArmKey,
    placebo,
    unlearned,
)
from auditkit.core.progress import NullReporter
from auditkit.engine.queue import WorkerConfig
from auditkit.runs.queries import build_queries
from auditkit.runs.session import TrainingSession
from auditkit.runs.specs import Train, Unlearn
from auditkit.runs.stacks import RunStack, UnlearnedArm, plan_stacks
from auditkit.runs.task_inputs import build_task, task_inputs
from auditkit.study.study import Study, run_seeds
from tests.runs.test_stacks import PLAN, stacks_of, study_of


def of_arm(stacks: list[RunStack], arm: ArmKey) -> list[RunStack]:
    """The stacks of an arm."""
    return [stack for stack in stacks if stack.arm == arm]


def test_a_placebo_is_made_of_honest_weights_by_the_procedure_of_the_claim() -> None:
    """Stack by stack from the weights of the honest runs, by the very procedure that makes the
    unlearned runs, with seeds of its own; the honest runs are not touched."""
    study = study_of()
    stacks = stacks_of(study)
    made, honest, claimed = (of_arm(stacks, arm) for arm in (PLACEBO, HONEST, UNLEARNED))
    assert len(made) == len(honest) == len(claimed) > 1
    for one, parent, other in zip(made, honest, claimed, strict=True):
        assert (one.weights, one.weights_from, one.runs) == (parent.weights, parent.runs.start, parent.runs)
        assert one.procedure == other.procedure == study.claim.procedure
        assert one.weights != other.weights
        assert one.answers != parent.answers
    seeds = [seed for stack in made for seed in stack.seeds]
    assert seeds == run_seeds(study.claim, PLACEBO)
    assert set(seeds).isdisjoint(seed for stack in stacks if stack.arm != PLACEBO for seed in stack.seeds)


def test_a_placebo_forgets_stand_ins_and_the_claim_forget_records() -> None:
    """Its task is asked to forget stand-ins, of the test set, and keeps the same retain records as
    the task of the unlearned runs; neither is given what the other forgets."""
    study = study_of()
    stacks, queries = stacks_of(study), build_queries(study)
    inputs = task_inputs(study, PLAN, queries)
    for arm, named in ((PLACEBO, study.stand_ins), (UNLEARNED, study.sets.forget)):
        task = build_task(inputs, of_arm(stacks, arm)[0], {})
        assert isinstance(task.make, Unlearn)
        asked, kept = (task.x[positions] for positions in (task.make.forget, task.make.retain))
        assert np.array_equal(asked, study.data.x[named])
        assert np.array_equal(kept, study.data.x[study.sets.retain])
        assert np.array_equal(task.y[task.make.forget], study.data.y[named])


def test_what_a_placebo_depends_on_is_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another procedure, other options, or other stand-ins make another placebo, of the same
    weights."""
    study = study_of()
    old = {digest(stack.answers) for stack in of_arm(stacks_of(study), PLACEBO)}
    for procedure in ({"name": "noop"}, {"name": "fnn", "options": {"t": 49.0}}):
        other = study_of(procedure=procedure)
        new = of_arm(stacks_of(other), PLACEBO)
        assert {digest(stack.answers) for stack in new}.isdisjoint(old)
        assert [stack.weights for stack in new] == [s.weights for s in of_arm(stacks_of(study), HONEST)]
    fewer = study.stand_ins[1:]
    monkeypatch.setattr(Study, "stand_ins", fewer)
    new = of_arm(stacks_of(study_of()), PLACEBO)
    assert {digest(stack.answers) for stack in new}.isdisjoint(old)


def test_a_procedure_of_the_users_own_makes_a_placebo_run_by_run(tmp_path: Path) -> None:
    """As it makes the unlearned runs: each in a task that can be resumed."""
    (tmp_path / "ours.py").write_text("def unlearn(model, retain, forget, *, seed):\n    return model\n")
    stacks = stacks_of(study_of(tmp_path, procedure={"name": "./ours.py:unlearn"}))
    for arm in (UNLEARNED, PLACEBO):
        assert [list(stack.runs) for stack in of_arm(stacks, arm)] == [[k] for k in range(12)]


def test_every_case_of_a_gallery_has_its_placebo() -> None:
    """Made of the honest runs by the same procedure, with the same proxies, if the case has any;
    the seeds of all cases are those of a claim."""
    study = study_of()
    session = TrainingSession(study, PLAN, WorkerConfig(1, 1), "one", NullReporter())
    cases = {
        "a": UnlearnedArm(ProcedureClaim(name="noop")),
        "b": UnlearnedArm(ProcedureClaim(name="retrain"), proxies=True),
    }
    stacks = plan_stacks(session, build_queries(study), cases)
    assert of_arm(stacks, UNLEARNED) == of_arm(stacks, PLACEBO) == []
    proxies = [stack.weights for stack in of_arm(stacks, PROXY)]
    assert len(proxies) == 3
    for name, case in cases.items():
        for arm, parent in ((unlearned(name), ORIGINAL), (placebo(name), HONEST)):
            made = of_arm(stacks, arm)
            assert [s.weights for s in made] == [s.weights for s in of_arm(stacks, parent)]
            assert [s.proxies for s in made] == (proxies if case.proxies else [None] * 3)
            assert all(s.procedure == case.procedure for s in made)
            assert all(stack.claimed for stack in made)
    assert len({digest(stack.answers) for stack in stacks}) == len(stacks)


def test_the_variant_is_retrained_for_half_the_epochs() -> None:
    """On retain records alone, with seeds of its own, by a recipe that differs in the epochs, of
    which its weights depend; a claim whose half is the same number shares them."""
    study = study_of()
    stacks = of_arm(stacks_of(study), VARIANT)
    task = build_task(task_inputs(study, PLAN, build_queries(study)), stacks[0], None)
    assert isinstance(task.make, Train)
    assert task.make.recipe == replace(study.recipe, epochs=2)
    members = task.x[task.make.members]
    assert np.array_equal(members, np.stack([study.data.x[study.sets.retain]] * len(stacks[0].runs)))
    others = {digest(stack.weights) for stack in of_arm(stacks_of(study), RETRAINED)}
    weights = {digest(stack.weights) for stack in stacks}
    assert weights.isdisjoint(others)
    for epochs, same in ((5, True), (6, False)):
        longer = of_arm(stacks_of(study_of(training={"epochs": epochs})), VARIANT)
        assert ({digest(stack.weights) for stack in longer} == weights) == same


def test_where_there_is_no_other_recipe_there_is_no_variant(tmp_path: Path) -> None:
    """One epoch cannot be halved, and of training of the user's own the auditor knows no other
    way."""
    (tmp_path / "ours.py").write_text("def train(model, data, seed):\n    return model\n")
    own = {"epochs": 4, "train": "./ours.py:train"}
    for training in ({"epochs": 1}, own):
        study = study_of(tmp_path, training=training)
        assert VARIANT not in study.trained
        assert of_arm(stacks_of(study), VARIANT) == []
        assert of_arm(stacks_of(study), PLACEBO)
