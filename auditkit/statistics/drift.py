"""Drift: how steeply an arm answers where nothing was to be forgotten, in units of retrained
runs."""

import numpy as np

from auditkit.statistics.margins import Floats, drift_line


def paired_slopes(arm: Floats, retrained: Floats) -> tuple[Floats, Floats]:
    """How steeply run k of an arm, and retrained run k, answer against the mean of the other
    retrained runs.

    The mean of a few runs scatters about what they would be on average, and so every slope against
    it is too flat by one and the same factor (attenuation; Fuller 1987, section 1.1). It drops out
    of the ratio of the two.

    Args:
        arm: margins (runs, control records).
        retrained: of the same shape.

    Returns:
        The slopes of the arm and those of the retrained runs, each (runs,).

    Examples:
        >>> retrained = np.array([[-1.0, 0.0, 2.0], [-1.0, 0.0, 2.0], [-1.0, 0.0, 2.0]])
        >>> [slopes.round(6).tolist() for slopes in paired_slopes(2 * retrained, retrained)]
        [[2.0, 2.0, 2.0], [1.0, 1.0, 1.0]]
    """
    n, total = len(retrained), retrained.sum(axis=0)
    pairs = [
        drift_line(np.stack([arm[k], retrained[k]]), (total - retrained[k]) / (n - 1))[1] for k in range(n)
    ]
    of_arm, of_retrained = np.array(pairs).T
    return of_arm, of_retrained
