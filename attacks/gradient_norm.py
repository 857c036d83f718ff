"""Gradient-norm attack: a member's own gradient is small, as training has made it so.

Nasr, Shokri & Houmansadr, "Comprehensive Privacy Analysis of Deep Learning" (S&P 2019), section
III; here the norm alone, over all parameters, in place of a classifier on gradients.
"""

from auditkit.attacks.observed import observed
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats


def score(signals: Signals, target: int) -> Floats:
    """Minus the L2 norm of the gradient of the record's cross-entropy. NotApplicable where it was
    not measured."""
    return -observed(signals, target, "gradient norm")
