"""Never twice, and never the wrong one: what the runs of an audit are stored under."""

from pathlib import Path
from typing import Any

import pytest
import torch

from auditkit.claims.read import parse_claim
from auditkit.core.canonical import digest
from auditkit.core.environment import answering_environment, training_environment
from auditkit.core.ids import (
    HONEST,
    ORIGINAL,
    PLACEBO,
    RETRAINED,
    SHADOW,
    SWAPPED_ORIGINAL,
    SWAPPED_UNLEARNED,
    UNLEARNED,
    VARIANT,
    unlearned,
)
from auditkit.core.progress import NullReporter
from auditkit.engine.plan import Plan
from auditkit.engine.queue import WorkerConfig
from auditkit.runs import stacks as stacks_module
from auditkit.runs.queries import QueryPlan, build_queries
from auditkit.runs.session import TrainingSession
from auditkit.runs.stacks import RunStack, plan_stacks
from auditkit.runs.task_inputs import build_task, task_inputs
from auditkit.signals.interface import NOTHING, Interface
from auditkit.study.study import Study, prepare

SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"train": 400, "control": 120, "test": 150, "population": 200},
    "forget": {"fraction": 0.2},
    "training": {"epochs": 4},
    "runs": {"per_arm": 12, "shadow": 4},
}
PLAN = Plan(5, 1, "cpu")


def study_of(folder: Path = Path(), **changes: Any) -> Study:
    claim, problems = parse_claim(SMALL | changes)
    assert problems == []
    return prepare(claim, folder, [], NullReporter())


def stacks_of(
    study: Study, queries: QueryPlan | None = None, plan: Plan = PLAN, lock: str = "one"
) -> list[RunStack]:
    """The stacks of a study under a plan, in the bundle with this lock."""
    session = TrainingSession(study, plan, WorkerConfig(1, plan.threads), lock, NullReporter())
    return plan_stacks(session, queries or build_queries(study))


def stored_under(study: Study, plan: Plan = PLAN, lock: str = "one") -> tuple[set[str], set[str]]:
    """The names of the files of all trained weights, and of all answers."""
    stacks = stacks_of(study, plan=plan, lock=lock)
    return {digest(s.weights) for s in stacks}, {digest(s.answers) for s in stacks}


def test_every_run_of_every_arm_is_in_one_stack() -> None:
    """The stacks of an arm hold its runs once each, none wider than the plan; the procedure's other
    states are arms of their own, made from the same originals."""
    study = study_of()
    stacks = stacks_of(study)
    runs = {
        arm: [k for s in stacks if s.arm == arm for k in s.runs]
        for arm in dict.fromkeys(s.arm for s in stacks)
    }
    twelve = list(range(12))
    assert runs == {
        ORIGINAL: twelve,
        UNLEARNED: twelve,
        unlearned("gate on"): twelve,
        unlearned("gate off"): twelve,
        RETRAINED: twelve,
        HONEST: twelve,
        PLACEBO: twelve,
        VARIANT: twelve,
        SHADOW: [0, 1, 2, 3],
    }
    assert max(len(s.runs) for s in stacks) <= 5
    seeds = [seed for s in stacks if s.state is None for seed in s.seeds]
    assert len(set(seeds)) == len(seeds)


def test_no_stack_reaches_over_a_look() -> None:
    """With looks the runs are the same, in stacks that end at each look; those of a first look at
    five runs are the very runs of an audit of five, and shadow runs are as ever."""
    sizes, lax = {"per_arm": 12, "shadow": 4}, {"residual_memory": 0.9}
    plain = study_of(runs=sizes, criteria=lax)
    looking = study_of(runs=sizes | {"looks": [5, 8]}, criteria=lax)
    stacks = stacks_of(looking)
    assert [s.runs for s in stacks if s.arm == HONEST] == [range(5), range(5, 8), range(8, 12)]
    seeds = {(s.arm, k): seed for s in stacks for k, seed in zip(s.runs, s.seeds, strict=True)}
    for s in stacks_of(plain):
        assert [seeds[s.arm, k] for k in s.runs] == list(s.seeds)
    first = {digest(s.answers) for s in stacks if s.runs.stop <= 5}
    five = study_of(runs={"per_arm": 5, "shadow": 4}, criteria=lax)
    assert stored_under(five)[1] == first


def test_the_swapped_world_is_made_only_if_asked_for() -> None:
    """The SWAP test adds originals trained on retain and stand-ins, which are control records, and
    as many runs unlearned from those; nothing else changes."""
    plain, study = study_of(), study_of(runs={"per_arm": 12, "shadow": 4, "swap": True})
    stacks = stacks_of(study)
    added = [s for s in stacks if s.arm.world == "swapped"]
    assert [k for s in added if s.arm == SWAPPED_ORIGINAL for k in s.runs] == list(range(12))
    assert [k for s in added if s.arm == SWAPPED_UNLEARNED for k in s.runs] == list(range(12))
    others = {digest(s.answers) for s in stacks if s.arm.world == "plain"}
    assert others == stored_under(plain)[1]
    trained = study.members(SWAPPED_ORIGINAL)
    assert set(study.swapped_in) <= set(study.sets.control)
    assert len(study.swapped_in) == len(study.sets.forget)
    assert all(set(row) == {*study.sets.retain, *study.swapped_in} for row in trained)


def test_the_same_audit_finds_its_runs_again() -> None:
    """Two audits of one claim under one plan store under the same names, all different."""
    weights, answers = stored_under(study_of())
    assert (weights, answers) == stored_under(study_of(), lock="two")
    assert (len(weights), len(answers)) == (4 * 3 + 1, 8 * 3 + 1)


CHANGES: dict[str, dict[str, Any]] = {
    "epochs": {"training": {"epochs": 6}},
    "learning rate": {"training": {"epochs": 4, "learning_rate": 0.0031}},
    "batch size": {"training": {"epochs": 4, "batch_size": 31}},
    "optimiser": {"training": {"epochs": 4, "optimiser": "adamw"}},
    "momentum": {"training": {"epochs": 4, "momentum": 0.8}},
    "schedule": {"training": {"epochs": 4, "schedule": "cosine"}},
    "augmentation": {"training": {"epochs": 4, "augment": ["shift"]}},
    "weight decay": {"training": {"epochs": 4, "weight_decay": 1e-6}},
    "architecture": {"model": {"name": "cnn"}},
    "width of a layer": {"model": {"options": {"hidden": [129]}}},
    "audit seed": {"seed": 1},
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_the_claim_uses_no_old_run(what: str) -> None:
    """Whatever training depends on is in the name: nothing is shared after a change."""
    old, new = stored_under(study_of()), stored_under(study_of(**CHANGES[what]))
    assert old[0].isdisjoint(new[0])
    assert old[1].isdisjoint(new[1])


def test_other_data_another_plan_or_another_library_use_no_old_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """One input changed in its last bit, another plan, and another version of any library or of our
    own code: nothing is shared."""
    study = study_of()
    old = stored_under(study)
    for plan in (Plan(4, 1, "cpu"), Plan(5, 2, "cpu"), Plan(5, 1, "cuda")):
        new = stored_under(study, plan)
        assert old[0].isdisjoint(new[0])
        assert old[1].isdisjoint(new[1])
    for name in training_environment():
        changed = {**training_environment(), name: "other"}
        with monkeypatch.context() as patch:
            patch.setattr(stacks_module, "training_environment", lambda changed=changed: changed)
            new = stored_under(study)
        assert old[0].isdisjoint(new[0])
        assert old[1].isdisjoint(new[1])
    study.data.x[0, 0] += 1e-6
    new = stored_under(study)
    assert old[0].isdisjoint(new[0])


def test_other_code_that_asks_uses_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only what is done to trained models has changed, nothing is trained anew, and every run
    is asked again."""
    study = study_of()
    old = stored_under(study)
    changed = {**answering_environment(), "code_sha256": "other"}
    monkeypatch.setattr(stacks_module, "answering_environment", lambda: changed)
    new = stored_under(study)
    assert old[0] == new[0]
    assert old[1].isdisjoint(new[1])


def test_other_questions_are_asked_of_the_same_runs() -> None:
    """Another radius of jitter trains nothing anew, and every run is asked again."""
    old, new = stored_under(study_of()), stored_under(study_of(criteria={"jitter": [0.2]}))
    assert old[0] == new[0]
    assert old[1].isdisjoint(new[1])


def test_another_interface_is_other_questions() -> None:
    """What is withheld is part of what was asked: answers through one interface are not those
    through another, nor those to a model that says all, and the tasks carry it."""
    study = study_of()
    asked = build_queries(study)
    behind = [asked.through(i) for i in (NOTHING, Interface(labels=True), Interface(step=0.1))]
    assert len({q.commitment() for q in behind}) == 3
    assert behind[0].commitment() == asked.commitment()
    inputs = task_inputs(study, PLAN, behind[1])
    for stack in stacks_of(study, behind[1]):
        weights: dict[str, torch.Tensor] | None = None if stack.arm.trained else {}
        assert build_task(inputs, stack, weights).interface == Interface(labels=True)


def test_models_in_hand_are_those_that_are_compared() -> None:
    """Another recovery, or another attack that takes the model in hand, trains nothing anew; shadow
    runs, which nobody looks into, are not asked again."""
    old = stored_under(study_of())
    changes: list[dict[str, list[str]]] = [
        {"recoveries": ["probe"]},
        {"reported": ["boundary"]},
        {"reported": [], "recoveries": []},
    ]
    for criteria in changes:
        new = stored_under(study_of(criteria=criteria))
        assert old[0] == new[0]
        assert len(old[1] & new[1]) == 1


def test_another_procedure_is_tried_on_the_same_runs() -> None:
    """Only the unlearned runs and their placebo are made anew; so are they for other options."""
    old = stored_under(study_of())
    for procedure in ({"name": "noop"}, {"name": "fnn", "options": {"t": 49.0}}):
        new = stored_under(study_of(procedure=procedure))
        assert old[0] == new[0]
        assert len(old[1] & new[1]) == 4 * 3 + 1


def test_runs_of_own_code_are_used_by_the_same_bundle_and_the_same_code_alone(tmp_path: Path) -> None:
    """What a user's own function reads cannot be seen: another bundle trains anew, and so does the
    same one after any Python file beside it has changed."""
    (tmp_path / "ours.py").write_text("def unlearn(model, retain, forget, *, seed):\n    return model\n")
    own = {"procedure": {"name": "./ours.py:unlearn"}}
    old = stored_under(study_of(tmp_path, **own))
    assert stored_under(study_of(tmp_path, **own)) == old
    assert stored_under(study_of(tmp_path, **own), lock="two")[1].isdisjoint(old[1])
    (tmp_path / "helpers.py").write_text("x = 1\n")
    assert stored_under(study_of(tmp_path, **own))[1].isdisjoint(old[1])


def test_own_procedures_are_a_task_a_run(tmp_path: Path) -> None:
    """A user's own procedure is called for one run after the other, each in a task that can be
    resumed."""
    (tmp_path / "ours.py").write_text("def unlearn(model, retain, forget, *, seed):\n    return model\n")
    study = study_of(tmp_path, procedure={"name": "./ours.py:unlearn"})
    stacks = stacks_of(study)
    assert [list(s.runs) for s in stacks if s.arm == UNLEARNED] == [[k] for k in range(12)]
