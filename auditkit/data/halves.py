"""What shadow models are trained on: random halves of the same records."""

from collections.abc import Sequence

import numpy as np

from auditkit.data.sets import Sets
from auditkit.data.stratified import Indices


def shadow_halves(sets: Sets, seeds: Sequence[int]) -> Indices:
    """What each shadow run is trained on: one random half or the other of the same records, two
    runs a division, so that every record is in as many runs as it is out of. Those are the
    candidates (forget and control), all of them, then the attacker's own, then retain, until a half
    is as large as the training set: models trained on less would show margins of another size.

    Args:
        sets: which record plays which part.
        seeds: one a run; that of the first of two runs decides how the records are divided.

    Returns:
        int64 (runs, records of a half), positions in the data set.
    """
    train = len(sets.retain) + len(sets.forget)
    candidates = np.concatenate([sets.forget, sets.control])
    others = np.concatenate([sets.population, sets.retain])
    pool = np.concatenate([candidates, others[: max(0, 2 * train - len(candidates))]])
    half = len(pool) // 2
    divided = [np.random.default_rng(seed).permutation(pool) for seed in seeds[::2]]
    both = [part for order in divided for part in (order[:half], order[half : 2 * half])]
    return np.array(both[: len(seeds)], dtype=np.int64).reshape(-1, half)
