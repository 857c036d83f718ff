"""The work of an audit, stack by stack: what each is stored under, and the task that makes it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from auditkit.claims.claim import ProcedureClaim
from auditkit.core.canonical import digest
from auditkit.core.environment import environment
from auditkit.engine.plan import Plan, stacks
from auditkit.runs.queries import QueryPlan
from auditkit.runs.tasks import LoadedWeights, Task, Tensors, Train, Unlearn
from auditkit.study.study import Study, between_looks, run_seeds
from auditkit.training import run_seed
from auditkit.unlearning.binding import is_built_in

Identity = dict[str, object]
"""All that a stored result depends on."""


@dataclass(frozen=True)
class UnlearnedArm:
    """An arm made from the originals. procedure: by which. proxies: whether it is also given as
    many models of the claimant's own, retrained without the forget records."""

    procedure: ProcedureClaim
    proxies: bool = False


@dataclass(frozen=True, eq=False)
class RunStack:
    """Some runs of one arm, done as one task.

    runs: which of the arm. state: for an arm that shows the procedure's models in a state the claim
    is not about. weights: what its trained weights are stored under, for an unlearned stack those
    of the originals it is made from, which begin with run `weights_from`. answers: what its answers
    are stored under. procedure: by which it is made, None if it is trained from scratch or
    released. proxies: what the weights of the claimant's own models are stored under, which begin
    with run `weights_from` too; None if it is given none.
    """

    arm: str
    runs: range
    seeds: Sequence[int]
    state: str | None
    weights: Identity
    weights_from: int
    answers: Identity
    procedure: ProcedureClaim | None = None
    proxies: Identity | None = None

    @property
    def trained(self) -> bool:
        """Whether its runs are trained from scratch, and neither made from others nor handed
        over."""
        return "unlearned" not in self.arm

    @property
    def claimed(self) -> bool:
        """Whether the claim is about its models, and not about them in another state or in the
        swapped world."""
        return self.arm.startswith("unlearned") and self.state is None


def plan_stacks(
    study: Study,
    asked: QueryPlan,
    plan: Plan,
    lock_sha256: str,
    claimed: Mapping[str, UnlearnedArm] | None = None,
) -> list[RunStack]:
    """Every stack of the audit, arm by arm, the unlearned ones after the originals. claimed: arms
    that are made from the originals in place of the claim's own, each the arm "unlearned,
    <name>"."""
    common: Identity = {
        "environment": environment(),
        "plan": asdict(plan),
        "data": study.data.commitment(),
        "model": study.claim.model.model_dump(),
        "recipe": study.claim.training.model_dump(),
    }
    if study.own_code:
        # What a user's own code reads cannot be known: its runs are used again within this audit
        # alone.
        common |= {"own_code": study.own_code, "lock": lock_sha256}
    found: list[RunStack] = []
    for arm in study.trained:
        stacks_of_arm = list(_trained(study, arm, asked.of(arm).commitment(), plan, common))
        found += stacks_of_arm
        if arm == "original" and study.released:
            found.append(_released(study, asked.commitment()))
        elif arm == "original" and claimed is None:
            others = (state for state in study.states if state != study.state)
            for state in (None, *others):
                name = "unlearned" if state is None else f"unlearned, {state}"
                found += _unlearned(study, name, stacks_of_arm, state, asked.commitment())
        if arm == "swapped original":
            swapped = "swapped unlearned"
            found += _unlearned(study, swapped, stacks_of_arm, None, asked.of(swapped).commitment())
    return found + _claimed(study, asked, plan, common, claimed or {}, found)


def _claimed(
    study: Study,
    asked: QueryPlan,
    plan: Plan,
    common: Identity,
    claimed: Mapping[str, UnlearnedArm],
    before: Sequence[RunStack],
) -> list[RunStack]:
    """The arms in place of the claim's own, and before them the proxies that some of them are
    given."""
    originals = [stack for stack in before if stack.arm == "original"]
    proxies: list[RunStack] = []
    if any(arm.proxies for arm in claimed.values()):
        proxies = list(_trained(study, "proxy", asked.of("proxy").commitment(), plan, common))
    found = [*proxies]
    for name, arm in claimed.items():
        given = proxies if arm.proxies else None
        found += _unlearned(
            study, f"unlearned, {name}", originals, None, asked.commitment(), arm.procedure, given
        )
    return found


def _trained(study: Study, arm: str, asked: str, plan: Plan, common: Identity) -> Iterator[RunStack]:
    members, seeds = study.members(arm), run_seeds(study.claim, arm)
    for runs in _stacked(study, arm, plan):
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
        yield RunStack(arm, runs, own, None, weights, runs.start, answers)


def _stacked(study: Study, arm: str, plan: Plan) -> Iterator[range]:
    """The runs of each stack of an arm. No stack reaches from one look into the next, so that
    nothing is trained that no look asks for."""
    for new in between_looks(study.claim, arm):
        for runs in stacks(len(new), plan.width):
            yield range(new.start + runs.start, new.start + runs.stop)


def _unlearned(
    study: Study,
    arm: str,
    originals: Sequence[RunStack],
    state: str | None,
    asked: str,
    procedure: ProcedureClaim | None = None,
    proxies: Sequence[RunStack] | None = None,
) -> Iterator[RunStack]:
    named = procedure or study.claim.procedure
    seeds = run_seeds(study.claim, "unlearned" if state else arm)
    for k, stack in enumerate(originals):
        given = proxies[k].weights if proxies else None
        # A user's own procedure is called for one run after the other: each is a task of its own.
        parts = [stack.runs] if is_built_in(named.name) else [range(run, run + 1) for run in stack.runs]
        for runs in parts:
            own = [seeds[run] for run in runs]
            answers: Identity = {
                "what": f"{_what(study, arm, runs)}, answers",
                "weights": [digest(stack.weights), *([digest(given)] if given else [])],
                "asked": asked,
                "procedure": named.model_dump(),
                "state": state,
                "runs": list(runs),
                "seeds": [str(seed) for seed in own],
                "sets": [digest(part.tolist()) for part in (study.sets.retain, study.forgotten(arm))],
            }
            yield RunStack(arm, runs, own, state, stack.weights, stack.runs.start, answers, named, given)


def _released(study: Study, asked: str) -> RunStack:
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
    return RunStack(
        "unlearned", range(1), [run_seed(study.claim.seed, "unlearned", 0)], None, weights, 0, answers
    )


def _what(study: Study, arm: str, runs: range) -> str:
    which = f"run {runs[0]}" if len(runs) == 1 else f"runs {runs[0]} to {runs[-1]}"
    return f"{study.data.name}, {arm} {which}"


@dataclass(frozen=True, eq=False)
class TaskInputs:
    """What all tasks of an audit are given alike, made once.

    x: float32 (records, *shape), y: int64 (records,): every record of the audit. near_labels: of
    the records that the jittered inputs lie near. here: position in the data set -> position in x.
    """

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    near_labels: npt.NDArray[np.int64]
    here: npt.NDArray[np.int64]


def shared(study: Study, asked: QueryPlan) -> TaskInputs:
    """What all tasks of this study are given."""
    here = np.full(len(study.data.y), -1, dtype=np.int64)
    here[asked.records] = np.arange(len(asked.records))
    near_labels = study.data.y[np.concatenate([study.sets.forget, study.sets.control])]
    return TaskInputs(study.data.x[asked.records], study.data.y[asked.records], near_labels, here)


def build_task(
    study: Study,
    asked: QueryPlan,
    plan: Plan,
    given: TaskInputs,
    stack: RunStack,
    weights: Tensors | None,
    proxies: Tensors | None = None,
) -> Task:
    """The task that makes a stack's answers. weights: those stored under `stack.weights`, if any
    are; proxies: those under `stack.proxies`, if it is given any."""
    return Task(
        what=_what(study, stack.arm, stack.runs),
        seeds=stack.seeds,
        sent_from=environment(),
        plan=plan,
        build=study.build,
        make=_make(study, stack, given.here, weights, proxies),
        x=given.x,
        y=given.y,
        near=asked.near,
        near_labels=given.near_labels,
        inspect=asked.of(stack.arm).inspect if stack.state is None else None,
        interface=asked.interface,
    )


def _make(
    study: Study,
    stack: RunStack,
    here: npt.NDArray[np.int64],
    weights: Tensors | None,
    proxies: Tensors | None,
) -> Train | LoadedWeights | Unlearn:
    own = study.claim.training.train
    if weights is None:
        members = here[study.members(stack.arm)[stack.runs.start : stack.runs.stop]]
        return Train(members, study.recipe, None if own is None else (own, study.folder.resolve()))
    named = stack.procedure
    if named is None:  # trained before, or released
        return LoadedWeights(weights)
    rows = [k - stack.weights_from for k in stack.runs]
    return Unlearn(
        weights={name: values[rows] for name, values in weights.items()},
        retain=here[study.sets.retain],
        forget=here[study.forgotten(stack.arm)],
        procedure=named.name,
        folder=study.folder.resolve(),
        options=named.options if stack.state is None else {**named.options, "state": stack.state},
        recipe=study.recipe,
        proxies=proxies and {name: values[rows] for name, values in proxies.items()},
    )
