"""The work of an audit, stack by stack: what each is stored under, and the task that makes it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from auditkit.engine.environment import environment
from auditkit.engine.plan import Plan, stacks
from auditkit.engine.tasks import Task, Tensors, Train, Trained, Unlearn
from auditkit.evidence.canonical import digest
from auditkit.questions import Questions
from auditkit.study import TRAINED, Study, run_seeds
from auditkit.training import run_seed
from auditkit.unlearning import UNLEARNERS

Identity = dict[str, object]
"""All that a stored result depends on."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Some runs of one arm, done as one task.

    runs: which of the arm. state: for an arm that shows the procedure's models in a state the claim is not
    about. weights: what its trained weights are stored under, for an unlearned stack those of the originals it
    is made from, which begin with run `weights_from`. answers: what its answers are stored under.
    """

    arm: str
    runs: range
    seeds: Sequence[int]
    state: str | None
    weights: Identity
    weights_from: int
    answers: Identity

    @property
    def trained(self) -> bool:
        """Whether its runs are trained from scratch, and not made from others."""
        return self.arm in TRAINED


def worklist(study: Study, asked: Questions, plan: Plan, lock_sha256: str) -> list[Stack]:
    """Every stack of the audit, arm by arm, the unlearned ones after the originals."""
    common: Identity = {
        "environment": environment(),
        "plan": asdict(plan),
        "data": study.data.commitment(),
        "model": study.claim.model.model_dump(),
        "recipe": study.claim.training.model_dump(),
    }
    if study.own_code:
        # What a user's own code reads cannot be known: its runs are used again within this audit alone.
        common |= {"own_code": study.own_code, "lock": lock_sha256}
    found: list[Stack] = []
    for arm in study.trained:
        stacks_of_arm = list(_trained(study, arm, asked.of(arm).commitment(), plan, common))
        found += stacks_of_arm
        if arm == "original" and study.released:
            found.append(_released(study, asked.commitment()))
        elif arm == "original":
            others = (state for state in study.states if state != study.state)
            for state in (None, *others):
                name = "unlearned" if state is None else f"unlearned, {state}"
                found += _unlearned(study, name, stacks_of_arm, state, asked.commitment())
        if arm == "swapped original":
            swapped = "swapped unlearned"
            found += _unlearned(study, swapped, stacks_of_arm, None, asked.of(swapped).commitment())
    return found


def _trained(study: Study, arm: str, asked: str, plan: Plan, common: Identity) -> Iterator[Stack]:
    members, seeds = study.members(arm), run_seeds(study.claim, arm)
    for runs in stacks(len(seeds), plan.width):
        own = [seeds[k] for k in runs]
        weights: Identity = {
            **common,
            "what": f"{_what(study, arm, runs)}, weights",
            "members": hashlib.sha256(members[runs.start : runs.stop].tobytes()).hexdigest(),
            "seeds": [str(seed) for seed in own],
        }
        answers: Identity = {
            "what": f"{_what(study, arm, runs)}, answers",
            "weights": digest(weights),
            "asked": asked,
        }
        yield Stack(arm, runs, own, None, weights, runs.start, answers)


def _unlearned(
    study: Study, arm: str, originals: Sequence[Stack], state: str | None, asked: str
) -> Iterator[Stack]:
    named = study.claim.procedure
    seeds = run_seeds(study.claim, "unlearned" if state else arm)
    for stack in originals:
        # A user's own procedure is called for one run after the other: each is a task of its own.
        parts = [stack.runs] if named.name in UNLEARNERS else [range(k, k + 1) for k in stack.runs]
        for runs in parts:
            own = [seeds[k] for k in runs]
            answers: Identity = {
                "what": f"{_what(study, arm, runs)}, answers",
                "weights": digest(stack.weights),
                "asked": asked,
                "procedure": named.model_dump(),
                "state": state,
                "runs": list(runs),
                "seeds": [str(seed) for seed in own],
                "sets": [digest(part.tolist()) for part in (study.sets.retain, study.forgotten(arm))],
            }
            yield Stack(arm, runs, own, state, stack.weights, stack.runs.start, answers)


def _released(study: Study, asked: str) -> Stack:
    """The released model as a stack of one run, which is only asked."""
    assert study.released is not None
    what = f"{study.data.name}, released model"
    weights: Identity = {"what": f"{what}, weights", "sha256": study.released.sha256}
    answers: Identity = {
        "what": f"{what}, answers",
        "environment": environment(),
        "data": study.data.commitment(),
        "model": study.claim.model.model_dump(),
        "own_code": study.own_code,
        "recipe": study.claim.training.model_dump(),  # by which recoveries are trained
        "weights": digest(weights),
        "asked": asked,
    }
    return Stack(
        "unlearned", range(1), [run_seed(study.claim.seed, "unlearned", 0)], None, weights, 0, answers
    )


def _what(study: Study, arm: str, runs: range) -> str:
    which = f"run {runs[0]}" if len(runs) == 1 else f"runs {runs[0]} to {runs[-1]}"
    return f"{study.data.name}, {arm} {which}"


@dataclass(frozen=True, eq=False)
class Shared:
    """What all tasks of an audit are given alike, made once.

    x: float32 (records, *shape), y: int64 (records,): every record of the audit. near_labels: of the records
    that the jittered inputs lie near. here: position in the data set -> position in x.
    """

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    near_labels: npt.NDArray[np.int64]
    here: npt.NDArray[np.int64]


def shared(study: Study, asked: Questions) -> Shared:
    """What all tasks of this study are given."""
    here = np.full(len(study.data.y), -1, dtype=np.int64)
    here[asked.records] = np.arange(len(asked.records))
    near_labels = study.data.y[np.concatenate([study.sets.forget, study.sets.control])]
    return Shared(study.data.x[asked.records], study.data.y[asked.records], near_labels, here)


def task_of(
    study: Study, asked: Questions, plan: Plan, given: Shared, stack: Stack, weights: Tensors | None
) -> Task:
    """The task that makes a stack's answers. weights: those stored under `stack.weights`, if any are."""
    return Task(
        what=_what(study, stack.arm, stack.runs),
        seeds=stack.seeds,
        sent_from=environment(),
        plan=plan,
        build=study.build,
        make=_make(study, stack, given.here, weights),
        x=given.x,
        y=given.y,
        near=asked.near,
        near_labels=given.near_labels,
        inspect=asked.of(stack.arm).inspect if stack.state is None else None,
    )


def _make(
    study: Study, stack: Stack, here: npt.NDArray[np.int64], weights: Tensors | None
) -> Train | Trained | Unlearn:
    own = study.claim.training.train
    if weights is None:
        members = here[study.members(stack.arm)[stack.runs.start : stack.runs.stop]]
        return Train(members, study.recipe, None if own is None else (own, study.folder.resolve()))
    if stack.trained or study.released:
        return Trained(weights)
    named = study.claim.procedure
    return Unlearn(
        weights={name: rows[[k - stack.weights_from for k in stack.runs]] for name, rows in weights.items()},
        retain=here[study.sets.retain],
        forget=here[study.forgotten(stack.arm)],
        procedure=named.name,
        folder=study.folder.resolve(),
        options=named.options if stack.state is None else {**named.options, "state": stack.state},
        recipe=study.recipe,
    )
