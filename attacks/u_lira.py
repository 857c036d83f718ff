"""U-LiRA: does the target answer like runs that unlearned the record, or like runs that never saw
it?

Hayes, Shumailov, Triantafillou, Khalifa & Papernot, "Inexact Unlearning Needs More Careful
Evaluations to Avoid a False Sense of Privacy" (2024), the likelihood-ratio attack of Carlini et al.
(2022) between two worlds. Record by record, phi of the other runs of the arm "unlearned" (trained
on it, then made to forget it) is one Gaussian, phi of the runs of the arm "retrained" (trained
without it) the other:

    score = log N(phi; mu_U, sigma_U^2) - log N(phi; mu_R, sigma_R^2).

The target is left out of the arm that it belongs to. The variances are shrunk
(`auditkit.attacks.lira.shrunk`): with a dozen runs an arm, and not the paper's hundreds, a record's
own variance is mostly noise.

What it says: on forget records, "like a run that unlearned it". Unlearning also moves answers on
records that no run ever saw, and the attack sees any difference between the arms. Control records
get the same score by the same two arms, so it says there what mere drift gives: the AUC of forget
against control records asks how much *more* the forget records give away, and is 1/2 where both
moved alike. Where memory is left, an unlearned target reads above 1/2 and a retrained one below, as
its forget records are told for never seen. For a target of the arms "original" and "honest" the
score is the same, against all runs of both.
"""

import numpy as np

from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.lira import log_ratio, shrunk
from auditkit.attacks.references import Moments, summed
from auditkit.attacks.shadows import once
from auditkit.core.ids import RETRAINED, UNLEARNED, ArmKey
from auditkit.signals.signals import Signals, phi
from auditkit.statistics.margins import Floats

WORLDS = (UNLEARNED, RETRAINED)
FEWEST = 3
"""Runs an arm: one is left out, and the spread of the rest is wanted."""


def score(signals: Signals, target: int) -> Floats:
    """The log likelihood ratio of unlearned against never seen, in nats: (records,).

    NotApplicable where either arm has fewer than 3 runs.
    """
    counts = [len(signals.runs_of(arm)) for arm in WORLDS]
    if min(counts) < FEWEST:
        raise NotApplicable(
            f"the attack compares with {FEWEST} or more runs of each of the arms unlearned and retrained;"
            f" there are {counts[0]} and {counts[1]}"
        )
    x = phi(signals.logits[target], signals.labels)
    unlearned, retrained = (_others(signals, arm, target, x) for arm in WORLDS)
    return log_ratio(x, unlearned, retrained, shrunk)


def _others(signals: Signals, arm: ArmKey, target: int, x: Floats) -> Moments:
    """The moments of phi over the runs of an arm but the target, whose phi is x."""
    seen = arm_moments(signals, arm)
    return seen.without(x, np.ones(len(x), dtype=bool)) if signals.arms[target] == str(arm) else seen


@once
def arm_moments(signals: Signals, arm: ArmKey) -> Moments:
    """The moments of phi over all runs of an arm, summed up one run at a time."""
    every = np.ones(len(signals.labels), dtype=bool)
    margins = (phi(signals.logits[run], signals.labels) for run in signals.runs_of(arm))
    return summed(((x, every) for x in margins), every.shape)
