"""Canaries: records with wrong labels, put into training or left out by the toss of a coin.

A record with a wrong label can only be learnt by heart, and one that was never seen is never given
that label by chance: of all records that real data offer, these are found out most easily. The
coins are fair and independent, as the theorem behind `auditkit.statistics.one_run` demands: half of
the canaries drawn at random would be close to that, and not covered.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auditkit.signals.signals import phi
from auditkit.statistics.margins import Floats, Ints
from auditkit.statistics.roc import Mask


@dataclass(frozen=True, eq=False)
class Canaries:
    """rows: int64 (m,), which records they are; labels: int64 (m,), the wrong ones; included: bool
    (m,), whether they are trained on."""

    rows: Ints
    labels: Ints
    included: Mask


def draw_canaries(y: Ints, classes: int, m: int, seed: int) -> Canaries:
    """Draw canaries: distinct records, uniformly; the label of each uniform over the wrong ones;
    and a fair coin each.

    Args:
        y: int64 (records,), their true labels, in 0..classes - 1.
        classes: Two at least.
        m: How many canaries, at most as many as there are records.
        seed: Of all that is drawn.

    Raises:
        ValueError: For fewer than m records or two classes.
    """
    if m > len(y) or classes < 2:
        raise ValueError(f"{m} canaries need as many records and two classes, got {len(y)} and {classes}")
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(y), m, replace=False)
    labels = (y[rows] + rng.integers(1, classes, m)) % classes
    return Canaries(rows, labels, rng.random(m) < 0.5)


def canary_scores(logits: npt.NDArray[np.floating], canaries: Canaries) -> Floats:
    """The log odds of each canary's wrong label, higher = more likely trained on.

    Args:
        logits: (m, classes), the model's answers on the canaries.
        canaries: As they were drawn.

    Returns:
        float64 (m,), in nats.
    """
    return phi(logits, canaries.labels)
