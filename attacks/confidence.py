"""Confidence attack: members are given a higher probability of their own label.

Song & Mittal, "Systematic Evaluation of Privacy Risks of Machine Learning Models" (USENIX Security
2021), section 3.1, I_conf. With one threshold for all records it ranks them exactly as the loss
does (p_y = exp(-l)); with thresholds per class the two differ.
"""

import numpy as np

from auditkit.attacks import loss
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats


def score(signals: Signals, target: int) -> Floats:
    """p_y, the softmax probability of the label."""
    return np.asarray(np.exp(loss.score(signals, target)))
