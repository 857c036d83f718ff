"""Whole audits of simulated arms, from answers to evidence."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from auditkit.attacks.battery import run_battery
from auditkit.claims.claim import Kind
from auditkit.claims.criteria import ONE_RUN_MARGINS, WITHOUT_STRESS, Criteria
from auditkit.core.ids import BESIDE as BESIDE_THEM
from auditkit.core.ids import COMPARED, EXACT, PLACEBO, RELEARNED, ArmKey, Query, Recovered
from auditkit.evidence.assemble import Account, Attacked, assemble, build_attacked
from auditkit.evidence.memory_numbers import procedure_states
from auditkit.evidence.schema import DataSummary, Evidence, State
from auditkit.evidence.scope import SCOPES
from auditkit.evidence.version_numbers import both_versions
from auditkit.signals.arms import Arm, Arms, combined
from auditkit.signals.interface import Interface
from auditkit.signals.measurements import Measured, SetIndices, group_records
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats, Ints
from auditkit.verdict import decide, decide_single_model, record_look
from tests.statistics.simulated_arms import NEAR

CLASSES, RETAIN, TEST = 3, 30, 100
BESIDE: tuple[Query, ...] = (NEAR, RELEARNED, Recovered("probe"))
"""The queries beside the exact one: the last is reported, and no required test."""
CRITERIA = Criteria(
    attacks=("loss", "gap"),
    reported=("entropy", "u-lira"),
    jitter=(NEAR.radius,),
    recoveries=("relearned", "probe"),
)
ONE_RUN_CRITERIA = CRITERIA.model_copy(update={**ONE_RUN_MARGINS, **WITHOUT_STRESS})


def measured_of(arms: Arms) -> Measured:
    """Answers whose hinge margins are those of simulated arms on forget and control records; on
    retain records most are positive, on test records as many as the accuracy of the run says."""
    rng = np.random.default_rng(0)
    exact = arms.original.margins[EXACT]
    ends = np.cumsum([0, RETAIN, exact.forget.shape[1], exact.control.shape[1], TEST, 0])
    sets = SetIndices(*(np.arange(a, b) for a, b in pairwise(ends)))
    labels = rng.integers(0, CLASSES, ends[-1])
    there = {key: getattr(arms, key.kind) for key in (*COMPARED, *BESIDE_THEM)}
    compared: Mapping[ArmKey, Arm] = {key: arm for key, arm in there.items() if arm is not None}
    names = [key for key, arm in compared.items() for _ in arm.accuracy]
    signals = Signals(
        logits=_logits(np.concatenate([_margins(rng, arm) for arm in compared.values()]), labels),
        member=np.array([np.arange(ends[-1]) < ends[2 if key in COMPARED[:2] else 1] for key in names]),
        labels=labels,
        ids=np.array([f"r{i}" for i in range(ends[-1])]),
        arms=np.array([str(key) for key in names]),
        seed=0,
    )
    near = np.concatenate([_both(arm, NEAR) for arm in compared.values()])
    return Measured(
        signals=signals,
        sets=sets,
        other_margins={key: _beside(rng, arm) for key, arm in compared.items()},
        near_logits={NEAR: _logits(near, labels[RETAIN : ends[3]])},
        parts=group_records(labels[sets.forget]),
        interface=Interface(),
        stand_ins=sets.test[: 10 if PLACEBO in compared else 0],
    )


def _both(arm: Arm, query: Query) -> Floats:
    """(runs, forget then control records)."""
    return np.hstack([arm.margins[query].forget, arm.margins[query].control])


def _margins(rng: np.random.Generator, arm: Arm) -> Floats:
    """(runs, all records)."""
    runs = len(arm.accuracy)
    retain = rng.normal(1, 1, (runs, RETAIN))
    test = np.where(rng.random((runs, TEST)) < arm.accuracy[:, None], 1.0, -1.0)
    return np.hstack([retain, _both(arm, EXACT), test])


def _beside(rng: np.random.Generator, arm: Arm) -> dict[Query, Floats]:
    """Margins near the records, and of models that were changed: those near them, moved a little in
    each run."""
    near = _both(arm, NEAR)
    return {query: near + moved * rng.normal(size=(len(near), 1)) for moved, query in enumerate(BESIDE)}


def _logits(margins: Floats, labels: Ints) -> npt.NDArray[np.float32]:
    """float32 (runs, records, classes): that of the label is the margin, the others are 0."""
    right = labels[:, None] == np.arange(CLASSES)
    return np.where(right, margins[..., None], 0.0).astype(np.float32)


def attacked_of(arms: Arms, criteria: Criteria = CRITERIA) -> Attacked:
    """The answers of simulated arms, and every attack on them."""
    measured = measured_of(arms)
    battery = run_battery(measured.signals, criteria.all_attacks, measured.sets, measured.compared)
    return build_attacked(measured, battery)


def audit_of(arms: Arms, *, one_model: bool = False) -> Evidence:
    """The evidence of an audit of simulated arms. one_model: the unlearned arm is a single run."""
    criteria = ONE_RUN_CRITERIA if one_model else CRITERIA
    found = attacked_of(arms, criteria)
    judge = decide_single_model if one_model else decide
    decision = judge(found.arms, criteria, TEST, 0)
    look = record_look(decision, len(arms.original.accuracy), criteria.alpha)
    kind: Kind = "endpoint" if one_model else "procedure"
    measured = found.measured
    account = Account(
        kind=kind,
        lock_sha256="1" * 64,
        claim={"name": "made up"},
        scope=SCOPES[kind],
        data=DataSummary("made up", "nobody", "none", "0" * 64, {}, 0, 0, {NEAR: 0.5}),
        environment={},
        not_checked=(),
        warnings=(),
        states=() if one_model else _states(found.arms, criteria.alpha),
        before_after=None if one_model else both_versions(measured.signals, measured.sets, criteria.alpha),
    )
    return assemble(account, found, decision, [look], criteria)


def _states(arms: Arms, alpha: float) -> tuple[State, ...]:
    """Two states of a procedure: one half-way to the original, and that which is claimed."""
    half = combined(lambda u, o: (u + o) / 2, arms.unlearned, arms.original)
    return procedure_states(arms, {"half-way": half, "folded": arms.unlearned}, "folded", TEST, alpha)
