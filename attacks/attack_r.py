"""Attack-R: is the loss small among those that models without this record have on it?

Ye, Maddi, Murakonda, Bindschaedler & Shokri, "Enhanced Membership Inference Attacks against Machine
Learning Models" (CCS 2022): with a threshold that depends on the record, the alpha-quantile of its
loss over reference models that were not trained on it. A record is a member at level alpha if

    loss(target, x) <= q_alpha of loss(out reference, x).

The quantiles of n losses take n + 1 values: with 16 references, 8 of them without the record, no
false-positive rate below 1/9 can be told apart, and records tie by the hundred. So the losses are
smoothed by a normal distribution, Phi((mean_out - l) / sigma_out) >= 1 - alpha, and the score is
the argument of Phi: it ranks as Phi does, and does not run into 1. What is left to choose is the
variance, see `steadied`.
"""

import numpy as np

from auditkit.attacks.difficulty_calibration import negative_loss, reference_losses
from auditkit.attacks.lira import LEAST_VARIANCE, Variance
from auditkit.attacks.per_class import Score
from auditkit.attacks.references import Moments, require
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats

PRIOR = 2.0
"""The degrees of freedom that the variance common to all records counts as."""


def steadied(out: Moments) -> Floats:
    """The predictive variance (1 + 1/n) (d0 s0^2 + d s^2) / (d0 + d): the record's own sample
    variance s^2 on d = n - 1 degrees of freedom, and as d0 = 2 further ones the variance s0^2
    pooled over records.

    With a record's own variance alone the attack accuses by accident: losses are skewed, and a few
    of them happen to lie close together on some records, which then have the largest scores. A
    prior learnt from the logarithms of the variances, as LiRA has it for phi, does not help, as it
    settles on the many records whose loss is always 0. 1/n is there for the mean, which is an
    estimate too. NaN where n = 0.
    """
    d = np.maximum(out.n - 1, 0)
    pooled = np.sort(out.m2).sum() / d.sum()  # sorted: the order of records must not show in the last bit
    with np.errstate(divide="ignore"):
        found = (1 + 1 / out.n) * (PRIOR * pooled + out.m2) / (PRIOR + d)
    return np.asarray(np.maximum(found, LEAST_VARIANCE))


def with_variance(variance: Variance) -> Score:
    """The attack with a variance rule, such as those of `lira`; lira.per_example is the paper's.

    NaN for a record that every reference run was trained on. The attack raises NotApplicable where
    no record was left out by two.
    """

    def score(signals: Signals, target: int) -> Floats:
        _, out = reference_losses(signals, target)
        require(signals, target, 2, out=out)
        found = negative_loss(signals.logits[target], signals.labels) - out.mean
        return np.asarray(found / np.sqrt(variance(out)))

    return score


score = with_variance(steadied)
"""By how many standard deviations the target's loss is below its mean over runs without the record:
(records,).
"""
