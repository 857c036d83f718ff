"""The work of the stress world, in which the forget records carry wrong labels: stack by stack."""

from collections.abc import Mapping
from dataclasses import replace

from auditkit.core.canonical import digest
from auditkit.core.ids import HONEST, ORIGINAL, PROXY, RETRAINED, STRESS, ArmKey, ArmKind
from auditkit.runs.queries import QueryPlan
from auditkit.runs.session import TrainingSession
from auditkit.runs.stacks import (
    Identity,
    MadeArm,
    RunStack,
    UnlearnedArm,
    base_identity,
    describe,
    trained_stacks,
    unlearned_stacks,
)
from auditkit.study.study import Study


def plan_stress_stacks(
    session: TrainingSession, queries: QueryPlan, gallery: Mapping[str, UnlearnedArm] | None = None
) -> list[RunStack]:
    """Every stack of the stress world: originals that learnt wrong labels of the forget records,
    what is made of them, and the retrained runs of the plain world, asked about those labels.

    Args:
        session, queries, gallery: as for `plan_stacks`; the stacks planned there must be done.
    """
    study, base = session.study, base_identity(session)
    wrong: Identity = {"labels": digest(study.labels(STRESS).tolist())}
    originals = list(trained_stacks(session, ORIGINAL.within(STRESS), queries, base | wrong))
    parents = list(trained_stacks(session, HONEST, queries, base))
    retrained = [*trained_stacks(session, RETRAINED, queries, base), *parents]
    planned = [*originals, *(_asked_again(study, stack, wrong) for stack in retrained)]
    claimed: list[tuple[str | None, UnlearnedArm]] = [(None, UnlearnedArm(study.claim.procedure))]
    for name, case in claimed if gallery is None else gallery.items():
        proxies = list(trained_stacks(session, PROXY, queries, base)) if case.proxies else []
        made_of: dict[ArmKind, list[RunStack]] = {"unlearned": originals, "placebo": parents}
        for kind, of in made_of.items():
            how = MadeArm(ArmKey(kind, name, STRESS), case.procedure, proxies=proxies)
            made = unlearned_stacks(study, how, of, queries)
            planned += [replace(stack, answers=stack.answers | wrong) for stack in made]
    return planned


def _asked_again(study: Study, stack: RunStack, wrong: Identity) -> RunStack:
    """A trained stack of the plain world, asked about the labels of the stress world."""
    arm = stack.arm.within(STRESS)
    answers = stack.answers | wrong | {"what": f"{describe(study, arm, stack.runs)}, answers"}
    return replace(stack, arm=arm, answers=answers)
