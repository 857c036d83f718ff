"""Drift: how steeply an arm answers where nothing was to be forgotten, in units of retrained
runs."""

import numpy as np

from auditkit.statistics.margins import Floats, drift_line


def paired_slopes(arm: Floats, retrained: Floats) -> tuple[Floats, Floats]:
    """The slopes of run k of an arm, and of retrained run k, against the mean of the other
    retrained runs: each (runs,). arm, retrained: (runs, control records), as many runs of either.

    The mean of a few runs scatters about what they would be on average, and so every slope against
    it is too flat by one and the same factor (attenuation; Fuller 1987, section 1.1). It drops out
    of the ratio of the two.
    """
    n, total = len(retrained), retrained.sum(axis=0)
    pairs = [
        drift_line(np.stack([arm[k], retrained[k]]), (total - retrained[k]) / (n - 1))[1] for k in range(n)
    ]
    of_arm, of_retrained = np.array(pairs).T
    return of_arm, of_retrained
