"""Thresholds per class: what is a high score differs from class to class.

Song & Mittal, "Systematic Evaluation of Privacy Risks of Machine Learning Models" (USENIX Security
2021), section 3.1: for each class the threshold that tells the members of the attacker's own shadow
models best from their non-members.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from auditkit.attacks.shadows import shadow_examples
from auditkit.signals import Signals
from auditkit.statistics.margins import Floats

Score = Callable[[Signals, int], Floats]


def per_class(score: Score) -> Score:
    """The attack that subtracts from `score` the threshold of the record's class, so that 0 is the
    border in every class and scores of different classes can be ranked together."""

    @lru_cache(maxsize=1)  # the thresholds are the same for every target run of the same signals
    def thresholds(signals: Signals) -> Floats:
        return class_thresholds(score, signals)

    def score_per_class(signals: Signals, target: int) -> Floats:
        return score(signals, target) - thresholds(signals)[signals.labels]

    return score_per_class


def class_thresholds(score: Score, signals: Signals) -> Floats:
    """The best threshold for each class, learnt on the shadow runs: (classes,).

    A class in which the shadow runs have no members or no non-members gets the threshold of all
    classes together. NotApplicable without shadow runs to learn from.
    """
    shadows, own, trained_on = shadow_examples(signals)
    values = np.concatenate([score(signals, int(run))[own] for run in shadows])
    member = trained_on.ravel()
    label = np.tile(signals.labels[own], len(shadows))
    overall = best_threshold(values[member], values[~member])
    result = np.full(signals.logits.shape[-1], overall)
    for c in np.unique(label):
        inside, outside = values[member & (label == c)], values[~member & (label == c)]
        if len(inside) and len(outside):
            result[c] = best_threshold(inside, outside)
    return result


def best_threshold(members: Floats, nonmembers: Floats) -> float:
    """The threshold at which "score > threshold" has the highest balanced accuracy: half-way between
    two neighbouring scores; the lowest such threshold where several are as good."""
    values = np.unique(np.concatenate([members, nonmembers]))
    if len(values) == 1:
        return float(values[0])
    cuts = (values[1:] + values[:-1]) / 2
    tpr = 1 - np.searchsorted(np.sort(members), cuts) / len(members)
    fpr = 1 - np.searchsorted(np.sort(nonmembers), cuts) / len(nonmembers)
    return float(cuts[np.argmax(tpr - fpr)])
