"""Difficulty calibration: how much smaller the loss is than it usually is on this record.

Watson, Guo, Cormode & Sablayrolles, "On the Importance of Difficulty Calibration in Membership
Inference Attacks" (ICLR 2022), with their score s = -loss: s under the target, less its mean under
reference models that were not trained on the record, s_cal(x) = s(target, x) - mean s(out
reference, x).
"""

import numpy as np
import numpy.typing as npt

from auditkit.attacks.references import moments, require
from auditkit.signals.signals import Signals, phi
from auditkit.statistics.margins import Floats, Ints


def negative_loss(logits: npt.NDArray[np.floating], labels: Ints) -> Floats:
    """log p_y, as the loss attack has it: (records,), in nats."""
    return np.asarray(-np.logaddexp(0.0, -phi(logits, labels)))


reference_losses = moments(negative_loss)
"""The moments of the negative loss over the reference runs (in, out)."""


def score(signals: Signals, target: int) -> Floats:
    """The mean loss of reference runs without the record, less the target's: (records,), in nats.

    NaN for a record that every reference run was trained on. NotApplicable where that is every
    record.
    """
    _, out = reference_losses(signals, target)
    require(signals, target, 1, out=out)
    return negative_loss(signals.logits[target], signals.labels) - out.mean
