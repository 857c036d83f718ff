"""The battery: every attack on every run of the arms that are compared."""

from collections.abc import Mapping, Sequence

import numpy as np

from auditkit.attacks import ATTACKS, Attack
from auditkit.attacks.errors import NotApplicable
from auditkit.signals import Signals
from auditkit.statistics.arms import Scores
from auditkit.statistics.margins import Ints

ARMS = ("original", "unlearned", "retrained", "honest")


def run_battery(
    signals: Signals, attacks: Sequence[str], forget: Ints, control: Ints
) -> tuple[Mapping[str, Mapping[str, Scores]], Mapping[str, str]]:
    """Mount the named attacks of ATTACKS.

    forget, control: where those records stand in the signals. Returns attack -> arm -> scores, and for
    each attack that could not be mounted the reason.
    """
    scores: dict[str, dict[str, Scores]] = {}
    skipped: dict[str, str] = {}
    for name in attacks:
        attack = ATTACKS[name]
        try:
            scores[name] = {
                arm: _mount(attack, signals, signals.runs_of(arm), forget, control) for arm in ARMS
            }
        except NotApplicable as error:
            skipped[name] = error.reason
    return scores, skipped


def _mount(attack: Attack, signals: Signals, runs: Ints, forget: Ints, control: Ints) -> Scores:
    """One attack on these runs. Of each run only the scores of forget and control records are kept."""
    # Records outermost, as a choice of columns lies in memory: scores.npz holds the arrays as they lie.
    scores = Scores(*(np.empty((len(runs), len(records)), order="F") for records in (forget, control)))
    for row, run in enumerate(runs):
        found = attack.score(signals, int(run))
        scores.forget[row], scores.control[row] = found[forget], found[control]
    return scores
