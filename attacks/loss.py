"""Loss attack: members have a smaller loss.

Yeom, Giacomelli, Fredrikson & Jha, "Privacy Risk in Machine Learning: Analyzing the Connection to
Overfitting" (CSF 2018), Adversary 2, with the cross-entropy l = -log p_y.
"""

import numpy as np

from auditkit.signals.signals import Signals, phi
from auditkit.statistics.margins import Floats


def score(signals: Signals, target: int) -> Floats:
    """The negative cross-entropy: log p_y = -log(1 + exp(-phi)), which tells apart records however
    sure the model is of them."""
    return np.asarray(-np.logaddexp(0.0, -phi(signals.logits[target], signals.labels)))
