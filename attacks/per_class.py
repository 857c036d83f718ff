"""Thresholds per class: what is a high score differs from class to class.

Song & Mittal, "Systematic Evaluation of Privacy Risks of Machine Learning Models" (USENIX Security
2021), section 3.1: for each class the threshold that tells the members of the attacker's own shadow
models best from their non-members.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from auditkit.attacks.shadows import once, shadow_examples
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import best_threshold

Score = Callable[[Signals, int], Floats]


def per_class(score: Score) -> Score:
    """The attack that subtracts from `score` the threshold of the record's class, so that 0 is the
    border in every class and scores of different classes can be ranked together.

    Args:
        score: (signals, target run) -> float64 (records,), higher = more likely a member.
    """

    @once
    def thresholds(signals: Signals) -> Floats:
        return class_thresholds(score, signals)

    def score_per_class(signals: Signals, target: int) -> Floats:
        return score(signals, target) - thresholds(signals)[signals.labels]

    return score_per_class


def class_thresholds(score: Score, signals: Signals) -> Floats:
    """The best threshold for each class, learnt on the shadow runs: (classes,). A class in which
    the shadow runs have no members or no non-members gets the threshold of all classes together.

    Raises:
        NotApplicable: there are no shadow runs to learn from.
    """
    shadows, own, member = shadow_examples(signals)
    values = np.empty(member.shape)
    for row, run in zip(values, shadows, strict=True):
        row[:] = score(signals, int(run))[own]

    def threshold(records: npt.NDArray[np.bool_]) -> float | None:
        seen = member[:, records]
        if seen.all() or not seen.any():
            return None
        return best_threshold(values[:, records][seen], values[:, records][~seen])

    label = signals.labels[own]
    found = [threshold(label == c) for c in range(signals.logits.shape[-1])]
    # Sorting the scores of all classes together takes the most memory: only where a class needs it.
    overall = best_threshold(values[member], values[~member]) if None in found else np.nan
    return np.array([overall if t is None else t for t in found])
