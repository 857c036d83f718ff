"""The evidence as a whole: every number of a finished audit in its place. The one constructor of
`Evidence`, whatever the claim is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from auditkit.attacks.battery import Battery, near_aucs
from auditkit.claims.claim import Kind
from auditkit.claims.criteria import Criteria
from auditkit.core.ids import (
    COMPARED,
    HONEST,
    ORIGINAL,
    PLACEBO,
    RETRAINED,
    STRESS,
    UNLEARNED,
    VARIANT,
    ArmKey,
)
from auditkit.evidence import memory_numbers
from auditkit.evidence.agreement_numbers import agreement, attack_agreement
from auditkit.evidence.attack_numbers import attack_summaries
from auditkit.evidence.exposure_numbers import exposure_arrays, record_exposure
from auditkit.evidence.numbers import accuracy_number
from auditkit.evidence.run_record import salted_ids
from auditkit.evidence.schema import (
    ArmSummary,
    BeforeAfter,
    DataSummary,
    Decision,
    Evidence,
    InterfaceSummary,
    Look,
    NotChecked,
    PrivacySummary,
    Scope,
    State,
    SwapLine,
)
from auditkit.evidence.scope import UNLEARNED_MEANING, UNSAID
from auditkit.signals.arm_arrays import arm_arrays
from auditkit.signals.arms import Arm, Arms
from auditkit.signals.measurements import Measured, accuracy, build_arms

MEANINGS: Mapping[ArmKey, str] = {
    ORIGINAL: "trained on retain and forget records",
    RETRAINED: "trained from scratch on the retain records only",
    HONEST: "retrained once more, independently: the honest control",
    PLACEBO: "honest runs after the same procedure, with records in the request that they never saw",
    VARIANT: "retrained for half the epochs: the control for drift",
}
"""What an arm is; what the unlearned one is, the kind of claim says."""


@dataclass(frozen=True)
class Account:
    """What an audit says beside its decision, by what the claim is about. What a kind of claim
    lacks has its default.

    Attributes:
        kind: what the claim is about.
        lock_sha256: of what was locked.
        claim: the claim as it may leave the audit.
        scope, data, environment, warnings: see `Evidence`.
        not_checked: what was not looked at, but for what the models withhold.
        states, before_after, swap: see `Evidence`.
    """

    kind: Kind
    lock_sha256: str
    claim: dict[str, object]
    scope: Scope
    data: DataSummary
    environment: dict[str, str]
    not_checked: tuple[NotChecked, ...]
    warnings: tuple[str, ...]
    states: tuple[State, ...] = ()
    before_after: BeforeAfter | None = None
    swap: tuple[SwapLine, ...] = ()


@dataclass(frozen=True, eq=False)
class Attacked:
    """Everything that was measured, and what the attacks made of it."""

    measured: Measured
    battery: Battery
    arms: Arms


def build_attacked(measured: Measured, battery: Battery) -> Attacked:
    """What was measured, with the attacks on it and the arms that follow."""
    return Attacked(measured, battery, build_arms(measured, battery.scores, battery.skipped))


def with_stress(attacked: Attacked, stress: Measured) -> Attacked:
    """What was measured and attacked, with what was measured in the stress world beside it, where
    nothing is attacked."""
    return replace(attacked, arms=replace(attacked.arms, stress=build_arms(stress, {}, {}, STRESS)))


def assemble(
    account: Account,
    attacked: Attacked,
    decision: Decision,
    looks: Sequence[Look],
    criteria: Criteria,
    privacy: PrivacySummary | None = None,
) -> Evidence:
    """Everything the audit found, as the value that evidence.json holds.

    Args:
        account: what is said beside the decision.
        attacked: what all models answered, and the attacks on it.
        decision: of the last look.
        looks: those that were made.
        criteria: what was asked; its intervals are of the level of the last look.
        privacy: what was found of a claim of differential privacy.
    """
    measured, arms, battery = attacked.measured, attacked.arms, attacked.battery
    alpha, required = looks[-1].level, frozenset(decision.findings)
    labels = measured.signals.labels[measured.sets.forget]
    withheld = measured.interface.words
    near = near_aucs(measured, criteria.all_attacks)
    return Evidence(
        schema=2,
        lock_sha256=account.lock_sha256,
        claim=account.claim,
        scope=account.scope,
        data=account.data,
        interface=InterfaceSummary(withheld) if withheld else None,
        environment=account.environment,
        looks=tuple(looks),
        arms=tuple(arm_summary(arm, measured, alpha, account.kind) for arm in measured.compared),
        controls=decision.controls,
        residual_memory=memory_numbers.residual_memory(arms, labels, required, alpha),
        exposure=record_exposure(arms, alpha),
        states=account.states,
        findings=tuple(decision.findings.values()),
        attacks=attack_summaries(battery.scores, near, required, alpha),
        agreement=agreement(attack_agreement(battery.scores)),
        before_after=account.before_after,
        swap=account.swap,
        privacy=privacy,
        drift=memory_numbers.drift(arms, alpha),
        not_checked=(*([UNSAID] if withheld else []), *account.not_checked),
        warnings=account.warnings,
        verdict=decision.verdict,
    )


def arm_summary(arm: ArmKey, measured: Measured, alpha: float, kind: Kind) -> ArmSummary:
    """One arm's accuracies, and what it is in a claim of this kind."""
    signals, sets = measured.signals, measured.sets

    def on(name: str) -> tuple[npt.NDArray[np.float64], int]:
        records = measured.test_of(arm) if name == "test" else getattr(sets, name)
        return accuracy(signals, arm, records), len(records)

    retain, forget, test = (
        accuracy_number(*on(name), alpha, f"accuracy on {name}") for name in ("retain", "forget", "test")
    )
    meaning = UNLEARNED_MEANING[kind] if arm == UNLEARNED else MEANINGS[arm]
    return ArmSummary(arm, meaning, len(signals.runs_of(arm)), retain, forget, test)


def bundle_arrays(attacked: Attacked, key: bytes, alpha: float) -> dict[str, npt.NDArray[np.generic]]:
    """All that the verdict is computed from, for scores/: margins and scores of every compared run;
    how many attacks find each forget record; which records are exposed. Never inputs, never logits.

    Args:
        attacked: what all models answered, and the attacks on it.
        key: salts the ids of the records.
        alpha: the level of the bounds of what single records have left.
    """
    measured, scores = attacked.measured, attacked.battery.scores
    ids = salted_ids(measured.signals, key)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "forget_ids": ids[measured.sets.forget],
        "control_ids": ids[measured.sets.control],
    }
    by_arm = attack_agreement(scores)
    for arm in measured.compared:
        compared: Arm = getattr(attacked.arms, arm.kind)
        # Also of records that were not asked about: NaN there.
        every = {attack: of_arms[arm] for attack, of_arms in scores.items()}
        arrays |= arm_arrays(str(arm), replace(compared, scores=every))
        if arm in by_arm:
            arrays[f"{arm}/found by/forget"] = by_arm[arm].found
    return arrays | _stress_arrays(attacked.arms.stress) | exposure_arrays(attacked.arms, alpha)


def _stress_arrays(arms: Arms | None) -> dict[str, npt.NDArray[np.generic]]:
    """The margins of the stress world, where it was gone into."""
    if arms is None:
        return {}
    keys = [arm.within(STRESS) for arm in (*COMPARED, PLACEBO)]
    parts = (arm_arrays(str(key), getattr(arms, key.kind)) for key in keys)
    return {name: values for part in parts for name, values in part.items()}
