"""Entropy attack: the predictions for members are more concentrated.

Shokri, Stronati, Song & Shmatikov, "Membership Inference Attacks Against Machine Learning Models"
(S&P 2017) observe it; Song & Mittal (USENIX Security 2021), section 3.1, make it the attack I_entr.
It does not look at the label.
"""

import numpy as np

from auditkit.signals.signals import Signals, log_softmax
from auditkit.statistics.margins import Floats


def score(signals: Signals, target: int) -> Floats:
    """The negative entropy, sum_i p_i log p_i, in nats."""
    log_p = log_softmax(signals.logits[target])
    return np.asarray((np.exp(log_p) * log_p).sum(axis=-1))
