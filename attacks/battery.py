"""The battery: every attack on every run of the arms that are compared."""

from collections.abc import Mapping, Sequence

import numpy as np

from auditkit.attacks import ATTACKS
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
                arm: _stack(
                    [attack.score(signals, int(run)) for run in signals.runs_of(arm)], forget, control
                )
                for arm in ARMS
            }
        except NotApplicable as error:
            skipped[name] = error.reason
    return scores, skipped


def _stack(scores: list[np.ndarray[tuple[int], np.dtype[np.float64]]], forget: Ints, control: Ints) -> Scores:
    stacked = np.stack(scores)
    return Scores(stacked[:, forget], stacked[:, control])
