"""Boundary attack: members lie further from the decision boundary.

Choquette-Choo, Tramer, Carlini & Papernot, "Label-Only Membership Inference Attacks" (ICML 2021),
section 4.3; Li & Zhang, "Membership Leakage in Label-Only Exposures" (CCS 2021). Nothing but
predicted labels is used.
"""

from auditkit.attacks.observed import observed
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats


def score(signals: Signals, target: int) -> Floats:
    """The L2 distance to the nearest input found that is labelled otherwise, 0 where the label is
    wrong; NaN for records that were not asked. NotApplicable where it was not measured."""
    return observed(signals, target, "boundary distance")
