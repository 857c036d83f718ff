"""On which forget records several attacks agree."""

from collections.abc import Mapping

from auditkit.core.ids import RETRAINED, ArmKey
from auditkit.evidence.attack_numbers import SHOWN_ARMS
from auditkit.evidence.schema import AgreedBy, Agreement
from auditkit.signals.measurements import AttackScores
from auditkit.statistics.agreement import Agreement as Found
from auditkit.statistics.agreement import agreement as find
from auditkit.statistics.roc import lowest_quotable_fpr

AGREED_FPR = 0.05
"""The false-positive rate at which a record counts as found by an attack."""


def attack_agreement(scores: AttackScores) -> Mapping[ArmKey, Found]:
    """Which forget records how many attacks find, in each arm: counted are attacks that scored
    every forget record, and control records enough to say at AGREED_FPR who is found. Empty with no
    such attack."""
    counted = {
        name: by_arm
        for name, by_arm in scores.items()
        if lowest_quotable_fpr(max(1, by_arm[RETRAINED].asked().control.shape[1])) <= AGREED_FPR
        and by_arm[RETRAINED].asked().forget.shape == by_arm[RETRAINED].forget.shape
    }
    if not counted:
        return {}
    there = [arm for arm in SHOWN_ARMS if all(arm in by_arm for by_arm in counted.values())]
    return {arm: find({name: by_arm[arm] for name, by_arm in counted.items()}, AGREED_FPR) for arm in there}


def agreement(found: Mapping[ArmKey, Found]) -> Agreement | None:
    """On how many forget records the attacks agree; found: of `attack_agreement`."""
    if not found:
        return None
    n, records = found[RETRAINED].attacks, len(found[RETRAINED].found)
    levels = sorted({1, *(max(1, round(share * n)) for share in (0.25, 0.5, 0.75)), n})
    return Agreement(
        fpr=AGREED_FPR,
        attacks=n,
        records=records,
        at_least=tuple(
            AgreedBy(level, {arm: int(f.by_at_least()[level - 1]) for arm, f in found.items()})
            for level in levels
        ),
    )
