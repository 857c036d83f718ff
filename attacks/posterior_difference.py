"""Posterior difference: what the two published versions of a model, before and after, give away
together.

Chen, Zhang, Wang, Backes, Humbert & Zhang, "When Machine Unlearning Jeopardizes Privacy" (CCS
2021): the answers of the original and of the unlearned model differ most on the records that were
removed. Run k of an arm is paired with run k of the arm "original", of which run k of "unlearned"
was made. Of the paper's features those that are a score by themselves are here: the drop of the
record's own margin, the largest that the label allows, and the Euclidean distance of the posteriors
(EucDist), which needs no label. The others (differences and concatenations, direct or sorted) are
input to a classifier.

What it says is another thing than the battery does: it measures publishing both versions. A run
retrained from scratch is a perfect answer to a request to forget, and yet, beside the original, it
shows what was forgotten. A procedure that does nothing shows nothing: 1/2. So it is reported apart,
retrained beside unlearned, and is never a reason for or against a claim.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auditkit.attacks.errors import NotApplicable
from auditkit.core.ids import ORIGINAL, RETRAINED, UNLEARNED, ArmKey
from auditkit.signals.signals import Signals, log_softmax, phi
from auditkit.statistics.margins import Floats, Ints
from auditkit.statistics.roc import auc

Logits = npt.NDArray[np.floating]
Compare = Callable[[Logits, Logits, Ints], Floats]
"""(logits before (records, classes), after, labels (records,)) -> (records,), higher = more likely
removed."""


def margin_drop(before: Logits, after: Logits, labels: Ints) -> Floats:
    """phi before minus phi after: how much less the later version is sure of the label, in nats."""
    return phi(before, labels) - phi(after, labels)


def posterior_distance(before: Logits, after: Logits, labels: Ints) -> Floats:
    """The Euclidean distance of the two softmax posteriors, in [0, sqrt 2]; the label is not
    used."""
    del labels
    return np.asarray(np.linalg.norm(np.exp(log_softmax(before)) - np.exp(log_softmax(after)), axis=-1))


def paired(compare: Compare) -> Callable[[Signals, int], Floats]:
    """The attack that compares the target with the original of its own number. An original is its
    own pair: all its scores are the same.

    Args:
        compare: answers before and after -> scores.

    Returns:
        (signals, target run) -> float64 (records,), higher = more likely removed. It raises
        NotApplicable where there is no original of the target's number.
    """

    def score_paired(signals: Signals, target: int) -> Floats:
        before = original_of(signals, target)
        return compare(signals.logits[before], signals.logits[target], signals.labels)

    return score_paired


score = paired(margin_drop)


def original_of(signals: Signals, target: int) -> int:
    """The run of the arm "original" that has the target's number within its own arm."""
    arm = signals.arms[target]
    number = int(np.searchsorted(np.flatnonzero(signals.arms == arm), target))
    originals = signals.runs_of(ORIGINAL)
    if number >= len(originals):
        raise NotApplicable(
            f"the attack pairs each run with the original of its number; there is none for run {number} of"
            f" the arm {arm}, with {len(originals)} originals"
        )
    return int(originals[number])


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """The AUC of forget against control records in each pair of an original with a later version.

    unlearned, retrained: (runs,), by the version that follows. retrained is what publishing both
    versions of a model gives away where nothing at all is left of the forget records.
    """

    unlearned: Floats
    retrained: Floats


def before_after(
    signals: Signals, forget: Ints, control: Ints, compare: Compare = margin_drop
) -> BeforeAfter:
    """What pairs of versions give away.

    Args:
        signals: of all runs.
        forget: where the forget records stand in the signals.
        control: where the control records stand.
        compare: answers before and after -> scores.

    Raises:
        NotApplicable: a run has no original of its number.
    """
    attack = paired(compare)

    def of(arm: ArmKey) -> Floats:
        found = (attack(signals, int(run)) for run in signals.runs_of(arm))
        return np.array([auc(s[forget], s[control]) for s in found])

    return BeforeAfter(of(UNLEARNED), of(RETRAINED))
