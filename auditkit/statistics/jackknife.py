"""The delete-one jackknife of residual memory: the whole estimator again without each run.

All folds of the cross-fit share most of their runs, and with these the noise of weights,
calibration and mean retrained run. It moves every D_k alike wherever what is left is not in
proportion to what there was, and the spread of the D_k does not show it. Leaving a run out of
everything does (Quenouille 1956, Tukey 1958; Efron & Stein 1981: on average no smaller than the
variance it estimates).

Without run j the estimator has the folds k != j, and fold k is fitted to all runs but j and k. One
fit serves both j without k and k without j, so that n runs need n (n - 1) / 2 fits. Their weights
are brought to the same length: how long v is says nothing, and cancels in rho, but with few runs it
scatters more than all else, and would hide that there is a gap at all. Fits are those of
`auditkit.statistics.folds`, written for speed: the deviations of a run's own margins from the mean
of its arm are F - K (K + m I)^-1 F = m A, with K = C C^T.
"""

from functools import lru_cache
from itertools import combinations

import numpy as np

from auditkit.statistics.folds import weigh
from auditkit.statistics.margins import Floats, Ints, Margins, drift_line, usual_size

LEAST_RUNS = 4
"""Runs that a jackknife needs: a fit is to two less, and has to see how runs vary."""
LARGEST = 1e150
"""A square of it is still a number; bent to within +-L, anything so large is L."""


@lru_cache(maxsize=32)  # the verdict and the evidence ask for the same memory
def deleted(
    original: Margins, unlearned: Margins, retrained: Margins, placebo: Margins
) -> tuple[Floats, Floats]:
    """Mean memory without each run.

    Args:
        original: margins of at least LEAST_RUNS runs.
        unlearned: of as many, or of one run, which is then in every estimate.
        retrained: of as many as `original`.
        placebo: of as many.

    Returns:
        left and gap, each (runs, forget records): row j is the mean over folds k != j of the
        estimator that has never seen run j of any arm, over the mean length of its weights.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> control = np.linspace(-2, 2, 20) + rng.normal(0, 0.1, (2, 5, 20))
        >>> original = Margins(rng.normal(1, 0.1, (5, 3)), control[0])
        >>> retrained = Margins(rng.normal(0, 0.1, (5, 3)), control[1])
        >>> left, gap = deleted(original, original, retrained, retrained)  # nothing was forgotten
        >>> gap.shape, bool((left == gap).all()), bool((gap > 0).all())
        ((5, 3), True, True)
    """
    arms = original, unlearned, retrained, placebo
    runs, first = _together(arms)
    n, records = retrained.forget.shape
    left, gap, length = np.zeros((n, records)), np.zeros((n, records)), np.zeros((n, 1))
    # Arms that are one and the same are asked about once, and have the same margins to the bit.
    place = np.array([[2 * list(first).index(arm), 2 * list(first).index(arm) + 1] for arm in arms])
    every = np.stack([start + np.arange(n) * (arm.runs > 1) for arm, start in first.items()])
    for j, k in combinations(range(n), 2):
        others = np.delete(np.arange(n), [j, k])
        rows = [first[original] + others, first[retrained] + others, every[:, [j, k]].ravel()]
        v, own = _judged(_calibrated(runs, rows, records), n - 2, records)
        o, u, r, p = own[place]
        left[[k, j]] += v * (u - p)
        gap[[k, j]] += v * (o - r)
        length[[k, j]] += np.linalg.norm(v)
    length[length == 0] = 1.0
    return left / length, gap / length


def pseudo_values(folds: Floats, without: Floats) -> Floats:
    """Pseudo-values n T - (n - 1) T_j of a mean over folds, shifted to have that very mean: the
    jackknife judges the spread of the estimate, and is not to correct its bias.

    Args:
        folds: (runs, records).
        without: row j is the mean without run j.

    Examples:
        >>> folds = np.array([[1.0], [2.0], [6.0]])
        >>> pseudo_values(folds, np.array([[4.0], [3.5], [1.5]])).ravel().tolist()  # of a mean
        [1.0, 2.0, 6.0]
    """
    return np.asarray(folds.mean(axis=0) + (len(folds) - 1) * (without.mean(axis=0) - without))


def _together(arms: tuple[Margins, ...]) -> tuple[Floats, dict[Margins, int]]:
    """The runs of all arms, each arm once: (runs, forget and control records); and the row at which
    each arm begins."""
    first: dict[Margins, int] = {}
    for arm in arms:
        first.setdefault(arm, sum(known.runs for known in first))
    return np.concatenate([np.concatenate([arm.forget, arm.control], axis=1) for arm in first]), first


def _judged(runs: Floats, n: int, records: int) -> tuple[Floats, Floats]:
    """v, and the own margins of some runs. runs: calibrated margins of n original runs, n retrained
    ones, which v and `shared_noise` are learnt from, and those that are asked about; changed in
    place. records: to be forgotten.
    """
    means = np.stack([runs[:n].mean(axis=0), runs[n : 2 * n].mean(axis=0)])
    runs[:n] -= means[0]
    runs[n : 2 * n] -= means[1]
    F, C = runs[: 2 * n, :records], runs[: 2 * n, records:]
    for arm, mean in ((C[:n], means[0, records:]), (C[n:], means[1, records:])):
        arm[:, _variance(arm, mean) == 0] = 0.0
    K = C @ C.T
    penalty = np.trace(K) / len(K)
    A = np.linalg.inv(K + penalty * np.eye(len(K))) @ F if penalty > 0 else np.zeros_like(F)
    rest = penalty * A if penalty > 0 else F
    asked = np.concatenate([means, runs[2 * n :]])
    own = asked[:, :records] - asked[:, records:] @ C.T @ A
    within = (_variance(rest[:n], own[0]) + _variance(rest[n:], own[1])) / 2
    return weigh(own[0] - own[1], within), own[2:]


def _variance(deviations: Floats, mean: Floats) -> Floats:
    """`auditkit.statistics.margins.variance` of runs of which the mean is already subtracted."""
    found = np.einsum("ij,ij->j", deviations, deviations) / (len(deviations) - 1)
    return np.where(found > (16 * np.finfo(np.float64).eps * mean) ** 2, found, 0.0)


def _calibrated(runs: Floats, rows: list[Ints], records: int) -> Floats:
    """`auditkit.statistics.margins.calibrated` of rows of runs, the second of which are the
    retrained runs that make the scale; without hypot, which is slow."""
    reference = runs[rows[1], records:].mean(axis=0)
    bent = runs[np.concatenate(rows)]
    size = usual_size(reference)
    intercept, slope = drift_line(bent[:, records:], reference, size)
    usable = (slope > 0) & (size > 0)
    bent -= np.where(usable, intercept, 0.0)[:, None]
    bent /= np.where(usable, slope * size, np.inf)[:, None]
    np.clip(bent, -LARGEST, LARGEST, out=bent)
    root = bent * bent
    root += 1
    np.sqrt(root, out=root)
    bent /= root
    bent *= size
    return bent
