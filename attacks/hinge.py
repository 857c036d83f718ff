"""Hinge attack: members lie further on the right side of the border between classes.

Carlini, Chien, Nasr, Song, Terzis & Tramer, "Membership Inference Attacks From First Principles"
(IEEE S&P 2022), compare this statistic, z_y - max_{k != y} z_k, with the others. One threshold for
all records makes an attack of it.
"""

from auditkit.signals.hinge_margin import Floats, hinge
from auditkit.signals.signals import Signals


def score(signals: Signals, target: int) -> Floats:
    """The margin z_y - max_{k != y} z_k, in nats: (records,), > 0 where the label is predicted."""
    return hinge(signals.logits[target], signals.labels)
