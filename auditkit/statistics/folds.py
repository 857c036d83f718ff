"""What each fold of the cross-fit learns from all original and retrained runs but its own."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from auditkit.statistics.margins import Floats, Margins, calibrated, variance
from auditkit.statistics.shared_noise import own_margins, shared_noise


@dataclass(frozen=True, eq=False)
class Fold:
    """What one fold learns from all original and retrained runs but its own, and what it makes of
    those two.

    reference: (control records,), the scale; noise: see `shared_noise`; v: (forget records,),
    weights; o, r: (forget records,), the own margins of the two runs left out.
    """

    reference: Floats
    noise: tuple[Floats, Floats]
    v: Floats
    o: Floats
    r: Floats


@lru_cache(
    maxsize=32
)  # a claim and its controls are judged by the same folds, and so are claims that share runs
def folds(original: Margins, retrained: Margins) -> tuple[Fold, ...]:
    """A fold for each pair of runs."""
    n, found = retrained.runs, []
    for k in range(n):
        others = np.delete(np.arange(n), k)
        reference = retrained.control[others].mean(axis=0)
        O, R = (calibrated(arm, reference) for arm in (original, retrained))
        noise = shared_noise(O.take(others), R.take(others))
        o, r = (own_margins(arm, noise)[others] for arm in (O, R))
        left_out = (of_run(k, arm, reference, noise) for arm in (original, retrained))
        found.append(Fold(reference, noise, weights(o, r), *left_out))
    return tuple(found)


def of_run(k: int, arm: Margins, reference: Floats, noise: tuple[Floats, Floats]) -> Floats:
    """The own margins of one run, (forget records,): computed by itself, so that a no-op leaves 1
    to the last bit."""
    return np.asarray(own_margins(calibrated(arm.take(np.array([k])), reference), noise)[0])


def weights(O: Floats, R: Floats) -> Floats:
    """v = w / s^2 for each forget record: (records,).

    s^2 is the variance within the two arms, shrunk half-way to its mean over records: with few runs
    a variance near zero is luck, not precision.

    Args:
        O: (runs, records).
        R: (runs, records).

    Examples:
        >>> O, R = np.array([[3.0, 1.0], [5.0, 1.0]]), np.array([[0.0, 1.0], [2.0, 1.0]])
        >>> weights(O, R).tolist()
        [2.0, 0.0]
    """
    return weigh(O.mean(axis=0) - R.mean(axis=0), (variance(O) + variance(R)) / 2)


def weigh(gap: Floats, within: Floats) -> Floats:
    """`weights`, of records with this mean gap and this variance within arms: both (records,)."""
    shrunk = (within + within.mean()) / 2
    return np.asarray(np.divide(gap, shrunk, out=np.zeros_like(gap), where=shrunk > 0))
