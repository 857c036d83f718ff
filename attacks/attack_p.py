"""Attack-P: is the loss small among those of records that are known not to be members?

Ye, Maddi, Murakonda, Bindschaedler & Shokri, "Enhanced Membership Inference Attacks against Machine
Learning Models" (CCS 2022): with one threshold for a target, the alpha-quantile of its losses on
population records. A record is a member at level alpha if loss(target, x) <= q_alpha. The smallest
such alpha is a p-value, and means the same for every target and, learnt class by class, in every
class.
"""

import numpy as np

from auditkit.attacks import loss
from auditkit.attacks.references import outside
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats


def score(signals: Signals, target: int) -> Floats:
    """Minus the p-value among all population records, in (-1, 0]; it ranks exactly as the loss
    does.

    NotApplicable where there are no records outside every training set.
    """
    losses = -loss.score(signals, target)
    return -p_values(losses, losses[outside(signals)])


def score_per_class(signals: Signals, target: int) -> Floats:
    """Minus the p-value among the population records of the record's class, in (-1, 0]; among all
    of them for a class that has none.

    NotApplicable where there are no records outside every training set.
    """
    losses = -loss.score(signals, target)
    population = outside(signals)
    found = p_values(losses, losses[population])
    for label in np.unique(signals.labels[population]):
        own = signals.labels == label
        found[own] = p_values(losses[own], losses[population[signals.labels[population] == label]])
    return -found


def p_values(losses: Floats, population: Floats) -> Floats:
    """The share of the population with a smaller loss, ties counting half: (records,), in [0, 1).

    That share, the empirical distribution function at mid-ranks, moves in steps of 1/m, and none of
    the records below the whole population could be told from another. So it is joined up by
    straight lines between neighbouring losses of the population, from 0 at loss 0; above all of
    them it goes to 1 as 1/loss. Between two neighbours that differs from the share by half a step
    at most, is strictly increasing, and near 0, where it matters, has the resolution of a float.

    Args:
        losses: (records,), at least 0.
        population: losses (m,), m > 0, at least 0.
    """
    knots, counts = np.unique(population, return_counts=True)
    height = (np.cumsum(counts) - counts / 2) / len(population)
    last, gap = knots[-1], 1 - height[-1]
    if knots[0] > 0:
        knots, height = np.append(0.0, knots), np.append(0.0, height)
    found = np.interp(losses, knots, height)
    above = losses > last
    found[above] = 1 - gap * (1 + last) / (1 + losses[above])
    return np.asarray(found)
