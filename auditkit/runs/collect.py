"""The runs of an audit: trained, unlearned and asked by the engine, as far as the store does not
have them. What leaves here are arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from auditkit.core.ids import PLACEBO, SHADOW, UNLEARNED, World
from auditkit.engine import store
from auditkit.engine.queue import results
from auditkit.runs.answers import Tensors, of_kind, parsed
from auditkit.runs.gather import RunAnswers, gather, runs_gone
from auditkit.runs.queries import QueryPlan
from auditkit.runs.session import TrainingSession
from auditkit.runs.stacks import RunStack, UnlearnedArm, plan_stacks
from auditkit.runs.stress_stacks import plan_stress_stacks
from auditkit.runs.task_inputs import build_task, task_inputs
from auditkit.runs.tasks import Task
from auditkit.signals.interface import merge_interfaces

PLANS: Mapping[World, Callable[..., list[RunStack]]] = {
    "plain": plan_stacks,
    "stress": plan_stress_stacks,
}
"""How the stacks of a world are planned; those of the swapped world are planned with the plain
one."""


def train_and_query(
    session: TrainingSession,
    queries: QueryPlan,
    per_arm: int | None = None,
    gallery: Mapping[str, UnlearnedArm] | None = None,
    world: World = "plain",
) -> RunAnswers:
    """Train every arm, unlearn, and ask.

    Args:
        session: what every stack is made with.
        queries: what every model is asked.
        per_arm: the first so many runs of each arm, by default all; of shadow runs always all.
        gallery: see `plan_stacks`.
        world: whose arms. Those of the stress world come after those of the plain one.
    """
    study = session.study
    last = study.claim.runs.per_arm if per_arm is None else per_arm
    planned = PLANS[world](session, queries, gallery)
    stacks = [stack for stack in planned if stack.arm == SHADOW or stack.runs.stop <= last]
    trained = [stack for stack in stacks if stack.arm.trained]
    made = [stack for stack in stacks if not stack.arm.trained]
    _complete(session, queries, trained, "training" if world == "plain" else f"training ({world} world)")
    verb = f"unlearning ({f'{len(gallery)} ways' if gallery else study.claim.procedure.name})"
    if study.released:
        verb = "asking the released model"
        [stack] = [stack for stack in made if stack.procedure is None]
        store.save(stack.weights, study.released.stacked())
    _complete(session, queries, made, verb)
    return gather(stacks)


def collect_through_common_interface(
    session: TrainingSession, whole: QueryPlan, per_arm: int
) -> tuple[QueryPlan, RunAnswers]:
    """Train, unlearn and ask; and if the unlearned models withhold something, ask every arm again
    through the same interface.

    Args:
        session: what every stack is made with.
        whole: queries through no interface, as only from plain answers can be seen what the models
            do not say.
        per_arm: how many runs of each arm.

    Returns:
        What was asked in the end, and the answers.
    """
    answers = train_and_query(session, whole, per_arm)
    interface = merge_interfaces(
        [answers.withheld[arm] for arm in (UNLEARNED, PLACEBO) if arm in answers.withheld]
    )
    if not interface.words:
        return whole, answers
    session.tell.say(
        f"the unlearned models withhold something: {'; '.join(interface.words)}; asking every model alike ..."
    )
    queries = whole.through(interface)
    return queries, train_and_query(session, queries, per_arm)


def _complete(session: TrainingSession, queries: QueryPlan, stage: Sequence[RunStack], verb: str) -> None:
    """Have the stacks done that the store does not have; each result is kept as soon as it is
    there."""
    tell = session.tell
    missing = [stack for stack in stage if store.load(stack.answers, tell.say) is None]
    if not missing:
        return
    inputs = task_inputs(session.study, session.plan, queries, stage[0].arm.world)

    @lru_cache(maxsize=1)
    def make(k: int) -> Task:
        return build_task(inputs, missing[k], _weights(missing[k], tell.say), _proxies(missing[k], tell.say))

    tasks = _Tasks(make, len(missing))
    with tell.stage(verb, sum(len(stack.runs) for stack in missing)) as advance:
        for k, result in results(tasks, session.workers):
            if weights := of_kind("weights", result):
                store.save(missing[k].weights, weights)
            answers = {name: t for name, t in result.items() if parsed(name)[0] != "weights"}
            store.save(missing[k].answers, answers)
            advance(len(missing[k].runs))


@dataclass(frozen=True, eq=False)
class _Tasks(Sequence[Task]):
    """Tasks made when their turn has come, so that the weights of all stacks are never in memory at
    once."""

    make: Callable[[int], Task]
    n: int

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, k: Any) -> Any:
        if k >= self.n:
            raise IndexError(k)
        return self.make(k)


def _weights(stack: RunStack, say: Callable[[str], None]) -> Tensors | None:
    weights = store.load(stack.weights, say)
    if weights is None and not stack.arm.trained:
        raise runs_gone()
    return weights


def _proxies(stack: RunStack, say: Callable[[str], None]) -> Tensors | None:
    if stack.proxies is None:
        return None
    if (weights := store.load(stack.proxies, say)) is None:
        raise runs_gone()
    return weights
