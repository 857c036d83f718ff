"""The work of an audit, stack by stack, and what the results of each are stored under."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from auditkit.claims.claim import ProcedureClaim
from auditkit.core.canonical import digest
from auditkit.core.environment import answering_environment, training_environment
from auditkit.core.ids import (
    HONEST,
    ORIGINAL,
    PLACEBO,
    PROXY,
    SWAPPED_ORIGINAL,
    SWAPPED_UNLEARNED,
    UNLEARNED,
    VARIANT,
    ArmKey,
    placebo,
    unlearned,
)
from auditkit.engine.plan import stacks
from auditkit.runs.queries import QueryPlan
from auditkit.runs.session import TrainingSession
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

    Attributes:
        arm: whose runs.
        runs: which of the arm.
        seeds: of each run.
        weights: what its trained weights are stored under; of an unlearned stack those of the
            originals it is made from, which begin with run `weights_from`.
        answers: what its answers are stored under.
        procedure: by which it is made, None if it is trained from scratch or released.
        state: for an arm that shows the procedure's models in a state the claim is not about.
        proxies: what the weights of the claimant's own models are stored under, which begin with
            run `weights_from` too; None if it is given none.
    """

    arm: ArmKey
    runs: range
    seeds: Sequence[int]
    weights: Identity
    weights_from: int
    answers: Identity
    procedure: ProcedureClaim | None = None
    state: str | None = None
    proxies: Identity | None = None

    @property
    def claimed(self) -> bool:
        """Whether the claim is about its models, and not about them in another state or in the
        swapped world."""
        return not self.arm.trained and self.arm.world == "plain" and self.state is None


def plan_stacks(
    session: TrainingSession, queries: QueryPlan, gallery: Mapping[str, UnlearnedArm] | None = None
) -> list[RunStack]:
    """Every stack of an audit, arm by arm, the unlearned ones after the originals.

    Args:
        session: what they are made with.
        queries: what their models are asked.
        gallery: arms that are made from the originals in place of the claim's own, by name.
    """
    study, base = session.study, base_identity(session)
    by_arm = {arm: list(trained_stacks(session, arm, queries, base)) for arm in study.trained}
    planned = [stack for stacks_of_arm in by_arm.values() for stack in stacks_of_arm]
    if SWAPPED_ORIGINAL in by_arm:
        made = MadeArm(SWAPPED_UNLEARNED, study.claim.procedure)
        planned += unlearned_stacks(study, made, by_arm[SWAPPED_ORIGINAL], queries)
    if gallery is None:
        return planned + list(_claimed(study, queries, by_arm))
    for_proxies = any(case.proxies for case in gallery.values())
    proxies = list(trained_stacks(session, PROXY, queries, base)) if for_proxies else []
    planned += proxies
    for name, case in gallery.items():
        for arm, parents in ((unlearned(name), ORIGINAL), (placebo(name), HONEST)):
            made = MadeArm(arm, case.procedure, proxies=proxies if case.proxies else ())
            planned += unlearned_stacks(study, made, by_arm[parents], queries)
    return planned


def base_identity(session: TrainingSession) -> Identity:
    """All that the weights of any run depend on."""
    study = session.study
    base: Identity = {
        "environment": training_environment(),
        "plan": asdict(session.plan),
        "data": study.data.commitment(),
        "model": study.claim.model.model_dump(),
        "recipe": study.claim.training.model_dump(),
    }
    return base | ({"own_code": study.own_code, "lock": session.reuse_key} if study.own_code else {})


def _claimed(
    study: Study, queries: QueryPlan, by_arm: Mapping[ArmKey, Sequence[RunStack]]
) -> Iterator[RunStack]:
    """What the claim is about: the procedure's models in every state, or the released model; and
    the placebo, where the procedure is at hand."""
    procedure, originals = study.claim.made_by, by_arm[ORIGINAL]
    if study.released:
        yield _released(study, queries)
    elif procedure:
        yield from unlearned_stacks(study, MadeArm(UNLEARNED, procedure), originals, queries)
        for state in study.states:
            if state != study.state:
                made = MadeArm(unlearned(state), procedure, state)
                yield from unlearned_stacks(study, made, originals, queries)
    if procedure:
        yield from unlearned_stacks(study, MadeArm(PLACEBO, procedure), by_arm[HONEST], queries)


def trained_stacks(
    session: TrainingSession, arm: ArmKey, queries: QueryPlan, base: Identity
) -> Iterator[RunStack]:
    """The stacks of an arm that is trained from scratch. base: of `base_identity`."""
    study, asked = session.study, queries.of(arm).commitment()
    members, seeds = study.members(arm), run_seeds(study.claim, arm)
    if arm == VARIANT:
        base = base | {"recipe": {**study.claim.training.model_dump(), "epochs": study.recipe_of(arm).epochs}}
    for runs in _stacked(study, arm, session.plan.width):
        of_runs = [seeds[k] for k in runs]
        weights: Identity = {
            **base,
            "what": f"{describe(study, arm, runs)}, weights",
            "members": hashlib.sha256(members[runs.start : runs.stop].tobytes()).hexdigest(),
            "seeds": [str(seed) for seed in of_runs],
        }
        answers: Identity = {
            "what": f"{describe(study, arm, runs)}, answers",
            "environment": answering_environment(),
            "weights": digest(weights),
            "asked": asked,
        }
        yield RunStack(arm, runs, of_runs, weights, runs.start, answers)


def _stacked(study: Study, arm: ArmKey, width: int) -> Iterator[range]:
    """The runs of each stack of an arm. No stack reaches from one look into the next, so that
    nothing is trained that no look asks for."""
    for new in between_looks(study.claim, arm):
        for runs in stacks(len(new), width):
            yield range(new.start + runs.start, new.start + runs.stop)


@dataclass(frozen=True, eq=False)
class MadeArm:
    """How an unlearned arm is made of originals, or a placebo of honest runs; see `RunStack`.
    proxies: its stacks of them."""

    arm: ArmKey
    procedure: ProcedureClaim
    state: str | None = None
    proxies: Sequence[RunStack] = ()


def unlearned_stacks(
    study: Study, made: MadeArm, parents: Sequence[RunStack], queries: QueryPlan
) -> Iterator[RunStack]:
    """The stacks of an arm that a procedure makes from the runs of these."""
    arm, procedure, state = made.arm, made.procedure, made.state
    seeds = run_seeds(study.claim, UNLEARNED if state else arm)
    asked = queries.of(arm).commitment()
    sets = [digest(part.tolist()) for part in (study.sets.retain, study.forgotten(arm))]
    for k, stack in enumerate(parents):
        proxies = made.proxies[k].weights if made.proxies else None
        # A user's own procedure is called for one run after the other: each is a task of its own.
        built_in = is_built_in(procedure.name)
        parts = [stack.runs] if built_in else [range(run, run + 1) for run in stack.runs]
        for runs in parts:
            of_runs = [seeds[run] for run in runs]
            answers: Identity = {
                "what": f"{describe(study, arm, runs)}, answers",
                "environment": answering_environment(),
                "weights": [digest(stack.weights), *([digest(proxies)] if proxies else [])],
                "asked": asked,
                "procedure": procedure.model_dump(),
                "state": state,
                "runs": list(runs),
                "seeds": [str(seed) for seed in of_runs],
                "sets": sets,
            }
            start = stack.runs.start
            yield RunStack(arm, runs, of_runs, stack.weights, start, answers, procedure, state, proxies)


def _released(study: Study, queries: QueryPlan) -> RunStack:
    """The released model as a stack of one run, which is only asked."""
    assert study.released is not None
    what = f"{study.data.name}, released model"
    weights: Identity = {"what": f"{what}, weights", "sha256": study.released.sha256}
    answers: Identity = {
        "what": f"{what}, answers",
        "environment": answering_environment(),
        "data": study.data.commitment(),
        "model": study.claim.model.model_dump(),
        "own_code": study.own_code,
        "recipe": study.claim.training.model_dump(),  # by which recoveries are trained
        "weights": digest(weights),
        "asked": queries.commitment(),
    }
    seed = run_seed(study.claim.seed, str(UNLEARNED), 0)
    return RunStack(UNLEARNED, range(1), [seed], weights, 0, answers)


def describe(study: Study, arm: ArmKey, runs: range) -> str:
    """The runs in words, as progress, errors and `auditkit cache` name them."""
    which = f"run {runs[0]}" if len(runs) == 1 else f"runs {runs[0]} to {runs[-1]}"
    return f"{study.data.name}, {arm} {which}"
