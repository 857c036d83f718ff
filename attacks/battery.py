"""The battery: every attack on every run of the arms that are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auditkit.attacks import ATTACKS
from auditkit.attacks.errors import NotApplicable
from auditkit.core.ids import COMPARED, UNLEARNED, ArmKey, Query, reference_in
from auditkit.signals.measurements import AttackScores, Measured, SetIndices
from auditkit.signals.signals import Signals, asked_near
from auditkit.statistics.margins import Floats, Ints
from auditkit.statistics.scores import Scores

NearAucs = Mapping[str, Mapping[Query, Mapping[ArmKey, Floats]]]
"""attack -> query -> arm -> AUC (runs,)."""


@dataclass(frozen=True, eq=False)
class Battery:
    """What the attacks gave.

    Attributes:
        scores: attack -> arm -> scores. A record that the attacked runs were not asked about, as an
            attack needs it, has the score NaN.
        skipped: attack -> why it could not be mounted.
    """

    scores: AttackScores
    skipped: Mapping[str, str]


def near_aucs(measured: Measured, attacks: Sequence[str]) -> NearAucs:
    """The battery on inputs near the records: on the unlearned runs and what they are compared
    with.

    Args:
        measured: the answers of all models.
        attacks: names in ATTACKS. One that cannot be mounted there, as it needs a model in hand,
            has no line.

    Returns:
        attack -> jittered query -> arm -> AUC (runs,).
    """
    sets, arms = measured.sets, (UNLEARNED, reference_in(measured.compared))
    places = np.concatenate([sets.forget, sets.control])
    aucs: dict[str, dict[Query, dict[ArmKey, Floats]]] = {}
    for query, logits in measured.near_logits.items():
        near = asked_near(measured.signals, places, logits)
        for name, by_arm in run_battery(near, attacks, sets, arms).scores.items():
            aucs.setdefault(name, {})[query] = {arm: s.asked().auc() for arm, s in by_arm.items()}
    return aucs


def run_battery(
    signals: Signals, attacks: Sequence[str], sets: SetIndices, arms: Sequence[ArmKey] = COMPARED
) -> Battery:
    """Mount attacks on the runs of some arms.

    Args:
        signals: the answers of all runs.
        attacks: names in ATTACKS.
        sets: where forget and control records stand in the signals.
        arms: whose runs are attacked.
    """
    scores: dict[str, dict[ArmKey, Scores]] = {}
    skipped: dict[str, str] = {}
    for name in attacks:
        try:
            by_arm = {
                arm: score_arm(name, signals, signals.runs_of(arm), sets.forget, sets.control) for arm in arms
            }
        except NotApplicable as error:
            skipped[name] = error.reason
            continue
        if all(part.size for s in by_arm.values() for part in (s.asked().forget, s.asked().control)):
            scores[name] = by_arm
        else:
            skipped[name] = (
                "there are no forget or no control records of which every run was asked what it needs"
            )
    return Battery(scores, skipped)


def score_arm(name: str, signals: Signals, runs: Ints, forget: Ints, control: Ints) -> Scores:
    """One attack on some runs.

    Args:
        name: in ATTACKS.
        signals: the answers of all runs.
        runs: which are attacked.
        forget: where the forget records stand in the signals.
        control: where the control records stand.

    Returns:
        Of each run the scores of forget and control records.

    Raises:
        NotApplicable: where the attack cannot be mounted.
    """
    # Records outermost, as a choice of columns lies in memory: scores.npz holds the arrays as they
    # lie.
    scores = Scores(*(np.empty((len(runs), len(records)), order="F") for records in (forget, control)))
    for row, run in enumerate(runs):
        of_records = ATTACKS[name].score(signals, int(run))
        scores.forget[row], scores.control[row] = of_records[forget], of_records[control]
    return scores


def dependent_attacks(attacks: Sequence[str]) -> list[str]:
    """What is wrong where required attacks judge runs by each other, in words; [] if none does."""
    dependent = [name for name in attacks if name in ATTACKS and ATTACKS[name].judges_by_others]
    if not dependent:
        return []
    problem = (
        f"criteria.attacks must judge runs one by one, found {', '.join(dependent)}, which judges each run by"
        " the others, so that no test over runs holds its level; list it in criteria.reported"
    )
    return [problem]
