"""Gap attack: a record is called a member if the model predicts its label.

Yeom, Giacomelli, Fredrikson & Jha, "Privacy Risk in Machine Learning: Analyzing the Connection to
Overfitting" (CSF 2018), Adversary 1; named by Choquette-Choo et al. 2021. Its balanced accuracy is
exactly 1/2 + (accuracy on members - accuracy on non-members) / 2.
"""

import numpy as np

from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats


def score(signals: Signals, target: int) -> Floats:
    """1 where the predicted class is the label, else 0."""
    return np.asarray(signals.logits[target].argmax(axis=-1) == signals.labels, dtype=np.float64)
