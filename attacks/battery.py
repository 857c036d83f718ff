"""The battery: every attack on every run of the arms that are compared."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from auditkit.attacks import ATTACKS
from auditkit.attacks.errors import NotApplicable
from auditkit.signals.signals import Signals, asked_near
from auditkit.statistics.arms import Scores
from auditkit.statistics.margins import Floats, Ints

ARMS = ("original", "unlearned", "retrained", "honest")


def near_aucs(
    signals: Signals,
    attacks: Sequence[str],
    forget: Ints,
    control: Ints,
    near_logits: Mapping[str, npt.NDArray[np.float32]],
) -> Mapping[str, Mapping[str, Mapping[str, Floats]]]:
    """The AUCs of the battery on inputs near the records.

    Args:
        signals: of the runs at the records themselves.
        attacks: names in ATTACKS.
        forget: where the forget records stand in the signals.
        control: where the control records stand.
        near_logits: jittered query -> (runs, forget then control records, classes).

    Returns:
        attack -> jittered query -> arm -> AUC (runs,). An attack that cannot be mounted there, as
        it needs a model in hand, has no line.
    """
    found: dict[str, dict[str, dict[str, Floats]]] = {}
    for query, logits in near_logits.items():
        near = asked_near(signals, np.concatenate([forget, control]), logits)
        scores, _ = run_battery(near, attacks, forget, control)
        for name, by_arm in scores.items():
            found.setdefault(name, {})[query] = {arm: s.asked().auc() for arm, s in by_arm.items()}
    return found


def run_battery(
    signals: Signals, attacks: Sequence[str], forget: Ints, control: Ints, arms: Sequence[str] = ARMS
) -> tuple[Mapping[str, Mapping[str, Scores]], Mapping[str, str]]:
    """Mount attacks on the runs of these arms.

    Args:
        signals: of all runs.
        attacks: names in ATTACKS.
        forget: where the forget records stand in the signals.
        control: where the control records stand.
        arms: whose runs are attacked.

    Returns:
        attack -> arm -> scores, and for each attack that could not be mounted the reason. A record
        that the attacked runs were not asked about, as an attack needs it, has the score NaN.
    """
    scores: dict[str, dict[str, Scores]] = {}
    skipped: dict[str, str] = {}
    for name in attacks:
        try:
            found = {arm: score_arm(name, signals, signals.runs_of(arm), forget, control) for arm in arms}
        except NotApplicable as error:
            skipped[name] = error.reason
            continue
        if all(part.size for s in found.values() for part in (s.asked().forget, s.asked().control)):
            scores[name] = found
        else:
            skipped[name] = (
                "there are no forget or no control records of which every run was asked what it needs"
            )
    return scores, skipped


def score_arm(name: str, signals: Signals, runs: Ints, forget: Ints, control: Ints) -> Scores:
    """One attack on these runs. Of each run only the scores of forget and control records are kept.

    Raises:
        NotApplicable: the attack cannot be mounted.
    """
    # Records outermost, as a choice of columns lies in memory: scores.npz holds the arrays as they
    # lie.
    scores = Scores(*(np.empty((len(runs), len(records)), order="F") for records in (forget, control)))
    for row, run in enumerate(runs):
        found = ATTACKS[name].score(signals, int(run))
        scores.forget[row], scores.control[row] = found[forget], found[control]
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
