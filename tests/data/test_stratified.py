"""Drawing by class."""

from typing import Any

import numpy as np

from auditkit.data.stratified import largest_remainder


def test_allot_closed_forms() -> None:
    """Shares are rounded by the largest remainder, stop at the room there is, and add up."""

    def split(total: int, weights: list[int], room: list[int]) -> Any:
        return largest_remainder(total, np.array(weights), np.array(room)).tolist()

    assert split(10, [1, 1, 1], [9, 9, 9]) == [4, 3, 3]
    assert split(7, [5, 3, 2], [9, 9, 9]) == [4, 2, 1]
    assert split(10, [0, 1, 0], [3, 2, 6]) == [3, 2, 5]
    assert split(5, [1, 0], [0, 5]) == [0, 5]
    rng = np.random.default_rng(0)
    for _ in range(300):
        room = rng.integers(0, 9, 5)
        weights = rng.integers(0, 9, 5) + np.array([1, 0, 0, 0, 0])
        counts = largest_remainder(int(rng.integers(0, room.sum() + 1)), weights, room)
        assert (counts <= room).all()
        assert (counts >= 0).all()
