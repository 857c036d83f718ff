"""The hinge margin, of which every question about memory is asked. Workers compute it, so that it
needs nothing but arrays."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def hinge(logits: npt.NDArray[np.floating], labels: Ints) -> Floats:
    """The margin z_y - max_{k != y} z_k: float64 (..., records), > 0 where the label is predicted.

    logits: (..., records, classes); labels: (records,).
    """
    z = np.asarray(logits, dtype=np.float64)
    own = np.arange(z.shape[-2]), labels
    others = z.copy()
    others[..., *own] = -np.inf
    return np.asarray(z[..., *own] - others.max(axis=-1))


def jittered_margins(logits: npt.NDArray[np.float32], labels: Ints) -> Floats:
    """(runs, records): the hinge margin of each record, its mean over the jittered copies.

    Args:
        logits: (runs, draws, records, classes).
        labels: (records,).
    """
    margins = np.empty((len(logits), len(labels)))
    for row, answers in zip(margins, logits, strict=True):
        row[:] = hinge(answers, labels).mean(axis=0)
    return margins
