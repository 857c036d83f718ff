"""The evidence as a whole: every number of a finished audit in its place, and the files that hold
it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from auditkit.attacks import ATTACKS
from auditkit.core.environment import environment
from auditkit.engine.plan import Plan
from auditkit.evidence import attack_numbers as battery
from auditkit.evidence import memory_numbers as summary
from auditkit.evidence.exposure_numbers import record_exposure
from auditkit.evidence.run_record import arm_summary
from auditkit.evidence.schema import (
    Control,
    DataSummary,
    Evidence,
    Finding,
    InterfaceSummary,
    Look,
    NotChecked,
    PrivacySummary,
    Verdict,
)
from auditkit.evidence.scope import SCOPES, UNSAID, of_checkpoint
from auditkit.runs.collect import RunAnswers
from auditkit.runs.queries import QueryPlan
from auditkit.signals.measurements import COMPARED, SetIndices, build_arm
from auditkit.signals.signals import OverlayArray, Signals
from auditkit.statistics.agreement import Agreement as Found
from auditkit.statistics.arms import Arms, Scores
from auditkit.statistics.margins import Floats
from auditkit.study.study import SETS, Study, plain_claim

RELEASED = "the released model itself"
NOT_CHECKED = (
    NotChecked(
        "all that the weights hold",
        "a relearned model is a required test; probing and rescaling are reported, and no test depends on"
        " them",
    ),
    NotChecked(
        "per-record exposure, as a test",
        "the report counts the records that are still exposed and bounds the worst-off, but no required test"
        " depends on it",
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


def set_indices(study: Study, signals: Signals) -> SetIndices:
    """Where the records of each set stand in the signals, found by their ids."""
    return SetIndices(*(signals.positions(study.data.ids[getattr(study.sets, name)]) for name in SETS))


def signals_of(study: Study, asked: QueryPlan, collected: RunAnswers) -> Signals:
    """The answers of all runs as signals. An unlearned run, in whatever state, counts as trained on
    what its original was: it was."""
    records, arms = asked.records, np.array([arm for arm, _ in collected.rows])
    trained_on = {arm: study.members(_parent(arm)) for arm in set(arms)}
    member = np.stack(
        [_marked(trained_on[arm][run], len(study.data.y))[records] for arm, run in collected.rows]
    )
    nothing = np.broadcast_to(np.nan, member.shape)
    observed: dict[str, Any] = {
        name: OverlayArray(nothing, asked.beside, values) for name, values in collected.observed.items()
    }
    return Signals(
        logits=collected.logits,
        member=member,
        labels=study.data.y[records],
        ids=study.data.ids[records],
        arms=arms,
        seed=study.claim.seed,
        observed=observed,
        inputs=study.data.x[records].reshape(len(records), -1),
        candidates=_marked(asked.beside, len(records)),
    )


def _parent(arm: str) -> str:
    """The arm that the runs of an arm were trained in."""
    if arm == "swapped unlearned":
        return "swapped original"
    return "original" if arm.startswith("unlearned") else arm


def _marked(positions: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.bool_]:
    """(n,): True at these positions."""
    marks = np.zeros(n, dtype=bool)
    marks[positions] = True
    return marks


def assemble(
    study: Study,
    asked: QueryPlan,
    plan: Plan,
    signals: Signals,
    arms: Arms,
    scores: Mapping[str, Mapping[str, Scores]],
    near: Mapping[str, Mapping[str, Mapping[str, Floats]]],
    found: Mapping[str, Found],
    privacy: PrivacySummary | None,
    decision: tuple[list[Finding], list[Control], Verdict],
    looks: Sequence[Look],
    lock_sha256: str,
    key: bytes,
) -> Evidence:
    """Everything the audit found, as the value that evidence.json holds. The runs of the procedure
    in another state than the claimed one are the arm "unlearned, <state>". near: see
    `attacks.battery.near_aucs`; found: `battery.finders`. looks: those that were made; intervals
    are of the level of the last."""
    findings, controls, verdict = decision
    criteria = study.claim.criteria.model_copy(update={"alpha": looks[-1].level})
    places = set_indices(study, signals)
    other = {state: build_arm(signals, _arm_in(study, state), {}, places, {}) for state in study.states}
    labels = signals.labels[places.forget]
    return Evidence(
        schema=1,
        lock_sha256=lock_sha256,
        claim=plain_claim(study.claim, key),
        scope=of_checkpoint(study.released.sha256) if study.released else SCOPES["procedure"],
        data=_data_summary(study, asked),
        interface=InterfaceSummary(asked.interface.words) if asked.interface.words else None,
        environment={**environment(), **{f"plan {name}": str(value) for name, value in asdict(plan).items()}},
        looks=tuple(looks),
        arms=tuple(arm_summary(name, signals, places, criteria.alpha, study.claim.kind) for name in COMPARED),
        controls=tuple(controls),
        residual_memory=summary.residual_memory(arms, labels, criteria.alpha),
        exposure=record_exposure(arms, criteria.alpha),
        states=summary.states(arms, other, study.state, len(places.test), criteria.alpha) if other else (),
        findings=tuple(findings),
        attacks=battery.attack_summaries(scores, near, criteria.alpha),
        agreement=battery.agreement(found),
        # A released model was made of none of these originals.
        before_after=None if study.released else battery.both_versions(signals, places, criteria.alpha),
        swap=battery.swap_lines(
            signals,
            criteria.all_attacks,
            places.forget,
            signals.positions(study.data.ids[study.stand_ins]) if study.claim.runs.swap else places.forget,
            criteria.alpha,
        ),
        privacy=privacy,
        utility=summary.utility(arms, len(places.test), criteria.alpha),
        drift=summary.drift(arms, criteria.alpha),
        not_checked=(
            *([UNSAID] if asked.interface.words else []),
            *_not_mounted(study, arms),
            *(item for item in NOT_CHECKED if _left_out(study, item)),
        ),
        warnings=tuple(study.warnings),
        verdict=verdict,
    )


def _left_out(study: Study, item: NotChecked) -> bool:
    """Whether this kind of claim leaves it unchecked: a released model is the one thing that an
    endpoint claim checks."""
    return not (study.released and item.what == RELEASED)


def _not_mounted(study: Study, arms: Arms) -> list[NotChecked]:
    """What was to be reported, held against nobody, and could not be had."""
    criteria = study.claim.criteria
    attacks = [name for name in criteria.reported if name in arms.skipped]
    recoveries = [name for name in criteria.recoveries if name not in (*arms.original.margins, "relearned")]
    return [
        *(NotChecked(f"attack: {ATTACKS[name].title}", arms.skipped[name]) for name in attacks),
        *(
            NotChecked(
                f"residual memory, {name}",
                "not every compared model could be changed so, or gave finite answers when it was: its layers"
                " or its answers do not allow it",
            )
            for name in recoveries
        ),
    ]


def _arm_in(study: Study, state: str) -> str:
    """The arm of the procedure's models in one of their states."""
    return "unlearned" if state == study.state else f"unlearned, {state}"


def _data_summary(study: Study, asked: QueryPlan) -> DataSummary:
    return DataSummary(
        name=study.data.name,
        origin=study.data.origin,
        licence=study.data.licence,
        commitment=study.data.commitment(),
        sets={name: len(getattr(study.sets, name)) for name in SETS},
        near_duplicates=study.duplicates.count,
        exact_duplicates=study.duplicates.exact,
        jitter=dict(asked.radii),
    )
