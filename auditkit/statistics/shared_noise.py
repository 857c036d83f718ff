"""What a run's control margins tell of its forget margins.

A run that happens to be good at a kind of record is so on control records too: that part of a
forget margin is no memory of the record.
"""

import numpy as np

from auditkit.statistics.margins import Floats, Margins, variance


def shared_noise(O: Margins, R: Margins) -> tuple[Floats, Floats]:
    """What control records tell of a run's forget margins: (C, A), by which control margins c
    predict the forget margins c C^T A, up to a constant for each record.

    A = (C C^T + m I)^-1 F, ridge regression in its dual form (Hastie, Tibshirani & Friedman, The
    Elements of Statistical Learning, section 18.3.5) with m the mean eigenvalue of C C^T for the
    penalty: of so few runs only the directions in which they differ most can be learnt. A is 0
    where control margins do not vary.

    Args:
        O: calibrated margins of the original runs.
        R: calibrated margins of the retrained runs.

    Returns:
        C: (runs of both arms, control records), deviations from the mean of each arm. A: (runs of
        both arms, forget records), from F, which is the same as C for forget records.
    """
    C = np.concatenate([np.where(variance(arm.control) > 0, _deviations(arm.control), 0.0) for arm in (O, R)])
    F = np.concatenate([_deviations(arm.forget) for arm in (O, R)])
    K = C @ C.T
    penalty = np.trace(K) / len(K)
    return C, np.linalg.solve(K + penalty * np.eye(len(K)), F) if penalty > 0 else np.zeros_like(F)


def _deviations(x: Floats) -> Floats:
    return np.asarray(x - x.mean(axis=0))


def own_margins(arm: Margins, noise: tuple[Floats, Floats]) -> Floats:
    """The forget margins of an arm less what its control margins tell of them: (runs, forget
    records).

    Args:
        arm: calibrated margins.
        noise: of `shared_noise`.

    Examples:
        >>> luck = np.array([[-1.0], [1.0], [-2.0], [2.0]])  # of each run, on all records alike
        >>> arm = Margins(luck + [0.0, 3.0], luck * np.ones(5))
        >>> own_margins(arm, shared_noise(arm, arm)).std(axis=0).round(2).tolist()
        [0.18, 0.18]
    """
    C, A = noise
    return np.asarray(arm.forget - arm.control @ C.T @ A)
