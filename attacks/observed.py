"""What was measured with the models in hand, as an attack needs it."""

import numpy as np

from auditkit.attacks.errors import NotApplicable
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats


def observed(signals: Signals, target: int, name: str) -> Floats:
    """What `auditkit.probes` found for the target: (records,), NaN where it was not asked.
    NotApplicable where it was asked about no record."""
    if name not in signals.observed:
        raise NotApplicable(
            f"the attack needs the {name}, which takes the model in hand; it was not measured"
        )
    values = np.asarray(signals.observed[name][target], dtype=np.float64)
    if np.isnan(values).all():
        raise NotApplicable(f"the attack needs the {name}, which was not measured on this model")
    return values
