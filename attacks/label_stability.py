"""Label-stability attacks: the label of a member stays right when the input is changed a little.

Choquette-Choo, Tramer, Carlini & Papernot, "Label-Only Membership Inference Attacks" (ICML 2021),
section 4: with noise, for any record, and with shifts, for images. Nothing but predicted labels is
used.
"""

from auditkit.attacks.observed import observed
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats


def score_noise(signals: Signals, target: int) -> Floats:
    """The share of noisy copies with the right label, in [0, 1]. NotApplicable where it was not
    measured."""
    return observed(signals, target, "label stability, noise")


def score_shifts(signals: Signals, target: int) -> Floats:
    """The share of shifted copies with the right label, in [0, 1]. NotApplicable where it was not
    measured."""
    return observed(signals, target, "label stability, shifts")
