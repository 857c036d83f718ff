"""Records in the place of others: what a placebo is asked to forget, and labels that must be learnt
by heart."""

import numpy as np

from auditkit.data.stratified import Indices, draw_by_class, largest_remainder


def draw_stand_ins(y: Indices, forget: Indices, pool: Indices, seed: int) -> Indices:
    """Records that stand in for the forget records: as many of each class as are to be forgotten,
    or as there are. Of another class only where there are none of these.

    Args:
        y: int64 (records of the data set,), the labels.
        forget: positions of the records to forget.
        pool: positions of records that no run ever sees, at least one.
        seed: of the draw.

    Returns:
        Positions, ascending; at most as many as `forget`.
    """
    classes = int(y.max()) + 1
    wanted, room = (np.bincount(y[part], minlength=classes) for part in (forget, pool))
    counts = np.minimum(wanted, room)
    if not counts.any():
        counts = largest_remainder(min(len(forget), len(pool)), room, room)
    return np.sort(draw_by_class(y, pool, counts, np.random.default_rng(seed)))


def wrong_labels(y: Indices, named: Indices, classes: int, seed: int) -> Indices:
    """The labels, but that each of the named records has a wrong one, drawn among the other
    classes.

    Args:
        y: int64 (records,).
        named: positions, each once.
        classes: how many there are.
        seed: of the draw.

    Examples:
        >>> wrong_labels(np.array([0, 1, 0, 1]), np.array([1, 2]), classes=2, seed=0).tolist()
        [0, 0, 1, 1]
    """
    labels, rng = y.copy(), np.random.default_rng(seed)
    labels[named] = (y[named] + rng.integers(1, classes, len(named))) % classes
    return labels
