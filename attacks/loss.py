"""Loss attack: members have a smaller loss.

Yeom, Giacomelli, Fredrikson & Jha, "Privacy Risk in Machine Learning: Analyzing the Connection to
Overfitting" (CSF 2018), Adversary 2, with the cross-entropy l = -log p_y.
"""

import numpy as np

from auditkit.signals import Signals, log_softmax
from auditkit.statistics.margins import Floats


def score(signals: Signals, target: int) -> Floats:
    """The negative cross-entropy, log p_y, from logits."""
    return log_softmax(signals.logits[target])[np.arange(len(signals.labels)), signals.labels]
