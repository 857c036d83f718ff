"""The answers of an audit that trains: from a locked study to everything that was measured, and
what is said of it."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from auditkit.attacks import ATTACKS
from auditkit.claims.criteria import Criteria
from auditkit.core.environment import environment
from auditkit.core.ids import RELEARNED, STRESS, UNLEARNED, Recovered, World, residual_memory, unlearned
from auditkit.core.progress import Reporter
from auditkit.engine.queue import WorkerConfig
from auditkit.engine.resources import Resources
from auditkit.evidence.assemble import Account, Attacked
from auditkit.evidence.memory_numbers import procedure_states
from auditkit.evidence.schema import DataSummary, NotChecked, State
from auditkit.evidence.scope import NO_PLACEBO, SCOPES, of_checkpoint
from auditkit.evidence.version_numbers import both_versions, swap_lines
from auditkit.runs.collect import collect_through_common_interface, train_and_query
from auditkit.runs.dp_stage import run_dp_audit
from auditkit.runs.gather import RunAnswers
from auditkit.runs.queries import QueryPlan, build_queries
from auditkit.runs.session import TrainingSession
from auditkit.signals.arms import Arms
from auditkit.signals.interface import Interface
from auditkit.signals.measurements import Measured, SetIndices, build_arm, group_records
from auditkit.signals.signals import OverlayArray, Signals
from auditkit.statistics.sequential import schedule
from auditkit.study.lock import LockedAudit, plain_claim
from auditkit.study.source import Source
from auditkit.study.study import SETS, Study

RELEASED, EXPOSURE = "the released model itself", "per-record exposure, as a test"
NOT_CHECKED = (
    NotChecked(
        "all that the weights hold",
        "a relearned model is a required test; probing and rescaling are reported, and no test depends on"
        " them",
    ),
    NotChecked(
        EXPOSURE,
        "the report says of each record whether it is exposed, how much of it can be left, or that this"
        " cannot be judged; no required test depends on it",
    ),
    NotChecked(
        RELEASED,
        "the claim is about the procedure, as the auditor ran it here; whether a given released model was"
        " made by it cannot be seen from these runs",
    ),
    NotChecked(
        "copies elsewhere", "source data, backups, derived data sets and other models are out of sight"
    ),
)
"""What this version of the audit does not look at. Said in every report."""
ONE_MODEL = NotChecked(
    "single records", "the noise of one model hides them, so that no record has an answer of its own"
)
"""What stands in the place of exposure, where one model was released."""


def trained_source(locked: LockedAudit, given: Resources, tell: Reporter) -> Source:
    """The source of an audit that trains its models here.

    Args:
        locked: the study, its plan, and the lock.
        given: what may be used of the machine.
        tell: how progress is reported.
    """
    study, plan = locked.study, locked.plan
    workers = WorkerConfig(locked.jobs, plan.threads, given.backend, given.address)
    session = TrainingSession(study, plan, workers, locked.lock_sha256, tell)
    whole, swap = build_queries(study), study.claim.runs.swap

    def measure(per_arm: int) -> Measured:
        return measured_in(study, *collect_through_common_interface(session, whole, per_arm))

    def measure_stress(per_arm: int, interface: Interface) -> Measured:
        queries = whole.through(interface)
        answers = train_and_query(session, queries, per_arm, world=STRESS)
        return measured_in(study, queries, answers, STRESS)

    def account(attacked: Attacked, alpha: float) -> Account:
        measured, arms = attacked.measured, attacked.arms
        criteria = study.claim.criteria
        plan_lines = {f"plan {name}": str(value) for name, value in asdict(plan).items()}
        forget = measured.sets.forget
        swapped_in = measured.signals.positions(study.data.ids[study.swapped_in]) if swap else forget
        return Account(
            kind=study.claim.kind,
            lock_sha256=locked.lock_sha256,
            claim=plain_claim(study.claim, locked.key),
            scope=of_checkpoint(study.released.sha256) if study.released else SCOPES["procedure"],
            data=_data_summary(study, whole),
            environment={**environment(), **plan_lines},
            not_checked=(*_not_mounted(criteria, arms), *_not_checked(study)),
            warnings=tuple(study.warnings),
            states=_states(study, attacked, alpha),
            # A released model was made of none of these originals.
            before_after=None if study.released else both_versions(measured.signals, measured.sets, alpha),
            swap=swap_lines(measured.signals, criteria.all_attacks, forget, swapped_in, alpha),
        )

    return Source(
        claim=study.claim,
        key=locked.key,
        lock_sha256=locked.lock_sha256,
        looks=schedule(study.claim.runs.looks, study.claim.runs.per_arm),
        measure=measure,
        measure_stress=measure_stress if study.stressed else None,
        account=account,
        one_model=study.released is not None,
        audit_privacy=partial(run_dp_audit, study, plan, tell) if study.claim.privacy else None,
    )


def measured_in(study: Study, queries: QueryPlan, answers: RunAnswers, world: World = "plain") -> Measured:
    """The answers of all runs of a world, with what is known of the records."""
    signals = signals_of(study, queries, answers, world)
    forget = study.sets.forget
    stand_ins = study.data.ids[study.stand_ins] if study.placebo else study.data.ids[:0]
    return Measured(
        signals=signals,
        sets=set_indices(study, signals),
        other_margins=answers.other_margins,
        near_logits=answers.near_logits,
        parts=group_records(study.data.y[forget], study.data.groups[forget]),
        interface=queries.interface,
        diverged=answers.diverged,
        stand_ins=signals.positions(stand_ins),
    )


def set_indices(study: Study, signals: Signals) -> SetIndices:
    """Where the records of each set stand in the signals, found by their ids."""
    return SetIndices(*(signals.positions(study.data.ids[getattr(study.sets, name)]) for name in SETS))


def signals_of(study: Study, queries: QueryPlan, answers: RunAnswers, world: World = "plain") -> Signals:
    """The answers of all runs of a world as signals. An unlearned run, in whatever state, counts as
    trained on what its original was: it was."""
    records = queries.records
    trained_on = {arm: study.members(arm.parent) for arm in dict.fromkeys(arm for arm, _ in answers.rows)}
    member = np.stack(
        [_marked(trained_on[arm][run], len(study.data.y))[records] for arm, run in answers.rows]
    )
    nothing = np.broadcast_to(np.nan, member.shape)
    observed: dict[str, Any] = {
        name: OverlayArray(nothing, queries.beside, values) for name, values in answers.observed.items()
    }
    return Signals(
        logits=answers.logits,
        member=member,
        labels=study.labels(world)[records],
        ids=study.data.ids[records],
        arms=np.array([str(arm) for arm, _ in answers.rows]),
        seed=study.claim.seed,
        observed=observed,
        inputs=study.data.x[records].reshape(len(records), -1),
        candidates=_marked(queries.beside, len(records)),
    )


def _marked(positions: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.bool_]:
    """(n,): True at these positions."""
    marks = np.zeros(n, dtype=bool)
    marks[positions] = True
    return marks


def _states(study: Study, attacked: Attacked, alpha: float) -> tuple[State, ...]:
    """The procedure's models in each of their states."""
    measured = attacked.measured
    arms = {state: UNLEARNED if state == study.state else unlearned(state) for state in study.states}
    other = {state: build_arm(measured, arm, {}, {}) for state, arm in arms.items()}
    claimed = study.state if other else ""
    return procedure_states(attacked.arms, other, claimed, len(measured.sets.test), alpha)


def _not_checked(study: Study) -> Iterator[NotChecked]:
    """What this kind of claim leaves unchecked: a released model is the one thing that an endpoint
    claim checks, and says nothing of single records."""
    for item in NOT_CHECKED:
        if not study.released:
            yield item
        elif item.what == EXPOSURE:
            yield ONE_MODEL
        elif item.what != RELEASED:
            yield item
    if not study.placebo:
        yield NO_PLACEBO


def _not_mounted(criteria: Criteria, arms: Arms) -> Iterator[NotChecked]:
    """What was to be reported, held against nobody, and could not be had."""
    for name in criteria.reported:
        if name in arms.skipped:
            yield NotChecked(f"attack: {ATTACKS[name].title}", arms.skipped[name])
    for query in map(Recovered, criteria.recoveries):
        if query != RELEARNED and query not in arms.original.margins:
            yield NotChecked(
                str(residual_memory(query)),
                "not every compared model could be changed so, or gave finite answers when it was: its"
                " layers or its answers do not allow it",
            )


def _data_summary(study: Study, queries: QueryPlan) -> DataSummary:
    return DataSummary(
        name=study.data.name,
        origin=study.data.origin,
        licence=study.data.licence,
        commitment=study.data.commitment(),
        sets={name: len(getattr(study.sets, name)) for name in SETS},
        near_duplicates=study.duplicates.count,
        exact_duplicates=study.duplicates.exact,
        jitter=dict(queries.radii),
    )
