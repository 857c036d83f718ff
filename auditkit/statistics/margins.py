"""Hinge margins, and what makes them comparable between runs.

Every question about memory is asked of the hinge margin h = z_y - max_{k != y} z_k. Two models that
differ only in temperature or in general drift have different margins on every record, so each run
is first put on the scale of the retrained runs by a line fitted on control records, which no run
has seen. What then still differs on forget records is memory of them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Margins:
    """The hinge margins of one arm under one kind of query (exact or jittered inputs).

    forget: float64 (runs, forget records); control: float64 (runs, control records).
    """

    forget: Floats
    control: Floats

    def take(self, runs: Ints) -> "Margins":
        """The margins of some of the runs, in the order asked for."""
        return Margins(self.forget[runs], self.control[runs])

    @property
    def runs(self) -> int:
        """The number of runs."""
        return len(self.forget)


def stacked(*arms: Margins) -> Margins:
    """The runs of several arms, one after the other."""
    return Margins(np.concatenate([a.forget for a in arms]), np.concatenate([a.control for a in arms]))


def variance(x: Floats) -> Floats:
    """The sample variance over runs (axis 0, ddof 1); exactly 0 where all that differs is rounding.

    Args:
        x: (runs, ...).

    Examples:
        >>> variance(np.array([[0.1, 1.0], [0.1, 3.0]])).tolist()
        [0.0, 2.0]
    """
    found = x.var(axis=0, ddof=1)
    rounding = (16 * np.finfo(np.float64).eps * np.abs(x).max(axis=0)) ** 2
    return np.where(found > rounding, found, 0.0)


def mean_variance(U: Floats, R: Floats) -> Floats:
    """The variance of the difference of two arms' means, record by record: (records,).

    An arm of one run is taken to vary as the other does, whose variances are shrunk half-way to
    their mean over records: what is a tiny one by luck would decide by itself.

    Args:
        U: (runs, records).
        R: (runs, records); at least 2 runs.

    Examples:
        >>> mean_variance(np.array([[1.0], [3.0]]), np.array([[0.0], [2.0]])).tolist()
        [2.0]
    """
    if len(U) == 1:
        within = variance(R)
        return np.asarray((within + within.mean()) / 2 * (1 + 1 / len(R)))
    return np.asarray(variance(U) / len(U) + variance(R) / len(R))


def usual_size(reference: Floats) -> float:
    """L, the median of |reference|: far beyond it a margin says how confident a run is, not what it
    remembers.

    Args:
        reference: (control records,), the mean margin of the retrained runs.

    Examples:
        >>> usual_size(np.array([-4.0, 1.0, 2.0]))
        2.0
    """
    return float(np.median(np.abs(reference)))


def drift_line(control: Floats, reference: Floats, size: float | None = None) -> tuple[Floats, Floats]:
    """The weighted least-squares line control = a + b * reference of each run.

    Records weigh 1 / (1 + (reference / L)^2) with L the `usual_size`: the line has to be right near
    the decision boundary, where margins tell what is remembered.

    Args:
        control: (runs, records), a run's margins on control records.
        reference: (records,), the mean of the retrained runs there.
        size: L, where it is known already.

    Returns:
        (a, b), each (runs,). (0, 1) means no drift; b is 0 where the reference does not vary.

    Examples:
        >>> reference = np.array([-1.0, 0.0, 2.0])
        >>> a, b = drift_line(np.array([1 + 2 * reference]), reference)
        >>> a.round(6).tolist(), b.round(6).tolist()
        ([1.0], [2.0])
    """
    size = usual_size(reference) if size is None else size
    near = 1 / (1 + (reference / size) ** 2) if size > 0 else np.ones(len(reference))
    near = near / near.sum()
    centre = float(near @ reference)
    centred = near * (reference - centre)
    scale = centred @ (reference - centre)
    slope = control @ centred / scale if scale > 0 else np.zeros(len(control))
    return control @ near - slope * centre, slope


def calibrated(arm: Margins, reference: Floats) -> Margins:
    """The margins of an arm on the scale of the retrained runs, then squashed.

    Inverts each run's own `drift_line`, h -> (h - a) / b, and bends what it gives to within +-L,
    the `usual_size`: h -> h / sqrt(1 + (h / L)^2), which is h itself near the decision boundary. A
    run whose slope is not positive has no scale in common with the retrained runs: its margins come
    back as zeros, as all do if L is 0.

    Args:
        arm: margins of any number of runs.
        reference: (control records,), the mean margin of the retrained runs.

    Examples:
        >>> reference = np.array([-1.0, 0.0, 1.0])
        >>> arm = Margins(np.array([[0.02, 60.0]]), np.array([2 * reference]))
        >>> calibrated(arm, reference).forget.round(3).tolist()
        [[0.01, 0.999]]
    """
    intercept, slope = (line[:, None] for line in drift_line(arm.control, reference))
    size = usual_size(reference)
    usable = (slope > 0) & (size > 0)
    scale = np.where(usable, slope, 1.0)

    def invert(margins: Floats) -> Floats:
        # hypot and not a square root of squares: margins of 1e200 must not overflow
        straight = (margins - intercept) / scale
        return np.where(usable, straight / np.hypot(1.0, straight / (size or 1.0)), 0.0)

    return Margins(invert(arm.forget), invert(arm.control))


def comparability(arm: Margins, retrained: Margins) -> float:
    """How far an arm ranks control records as the retrained runs do, relative to how far those
    agree among themselves: 1 = as well as a retrained run, 0 = not at all.

    It is the mean correlation of the arm's runs with the mean retrained run on control records,
    divided by the same mean for each retrained run against the others; 0 where those do not agree.

    Examples:
        >>> control = np.array([[1.0, 2.0, 4.0], [1.0, 2.0, 5.0]])
        >>> arm = Margins(np.zeros((2, 1)), control)
        >>> round(comparability(arm, arm), 3)
        1.003
    """
    mean = retrained.control.mean(axis=0)
    n = retrained.runs
    own = [_correlation(run, (mean * n - run) / (n - 1)) for run in retrained.control]
    agreement = float(np.mean(own))
    return (
        float(np.mean([_correlation(run, mean) for run in arm.control])) / agreement if agreement > 0 else 0.0
    )


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0
