"""Records to forget that have a twin in retain: no procedure can forget them, and no audit can
tell."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from auditkit.core.errors import UsageError

SAMPLE = 500  # retain records from which the usual distance is estimated
LISTED = 20  # pairs that are reported
BLOCK = 1 << 24  # distances held at once: 128 MB


@dataclass(frozen=True)
class NearDuplicates:
    """Records to forget whose closest retain record is suspiciously close.

    count            how many of them lie within `threshold`
    exact            how many of these are equal to a retain record in every input
    pairs            (position in forget, position in retain, distance) of the closest of them, at
                     most 20, closest first
    threshold        Euclidean distance, in the unit of the inputs
    median_distance  of retain records to their own nearest other retain record, in the same unit
    """

    count: int
    exact: int
    pairs: tuple[tuple[int, int, float], ...]
    threshold: float
    median_distance: float


def near_duplicates(
    x_forget: NDArray[np.floating], x_retain: NDArray[np.floating], *, share: float = 0.1
) -> NearDuplicates:
    """Find the records to forget that are within `share` of the usual distance of a retain record.
    The usual distance is the median, over at most 500 evenly spaced retain records, of the distance
    to their nearest other retain record.

    Args:
        x_forget: (records, *shape).
        x_retain: (records, *shape).
        share: of the usual distance.

    Raises:
        UsageError: retain has fewer than two records.
    """
    forget, retain = _rows(x_forget), _rows(x_retain)
    _need_two(len(retain))
    sample = np.unique(np.linspace(0, len(retain) - 1, SAMPLE).astype(np.int64))
    _, usual = _nearest(retain[sample], retain, own=sample)
    median = float(np.median(usual))
    threshold = share * median
    closest, distance = _nearest(forget, retain, own=None)
    near = np.flatnonzero(distance <= threshold)
    ranked = near[np.argsort(distance[near], kind="stable")]
    return NearDuplicates(
        count=len(near),
        exact=int(np.count_nonzero(distance == 0)),
        pairs=tuple((int(i), int(closest[i]), float(distance[i])) for i in ranked[:LISTED]),
        threshold=threshold,
        median_distance=median,
    )


def nearest_distances(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """The Euclidean distance of each record to its nearest other record: float64 (records,). Equal
    records are at distance 0 exactly.

    Args:
        x: (records, *shape).

    Raises:
        UsageError: there are fewer than two records.
    """
    rows = _rows(x)
    _need_two(len(rows))
    return _nearest(rows, rows, own=np.arange(len(rows)))[1]


def _need_two(n: int) -> None:
    """A nearest other record needs another record."""
    if n < 2:
        raise UsageError(f"distances between records need at least 2 of them, found {n}; give more records")


def _rows(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """One flat row per record; -0 becomes 0, so that equal rows have equal bytes."""
    return x.reshape(len(x), int(np.prod(x.shape[1:]))).astype(np.float64) + 0.0


def _nearest(
    queries: NDArray[np.float64], base: NDArray[np.float64], own: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Position in `base` of the row nearest to each query, and its distance; own[i] is query i
    itself, passed over.

    ‖a‖² + ‖b‖² − 2ab is fast and, for close rows, mostly rounding. So it only picks the candidate,
    from centred rows; the distance is then taken from the difference, and equal rows are found by
    their bytes.
    """
    centre = base.mean(axis=0)
    shifted = base - centre
    norms = np.einsum("ij,ij->i", shifted, shifted)
    closest = np.zeros(len(queries), dtype=np.int64)
    step = max(1, BLOCK // len(base))
    for start in range(0, len(queries), step):
        block = slice(start, start + step)
        squares = (
            norms - 2 * (queries[block] - centre) @ shifted.T
        )  # short of ‖query‖², the same for all of base
        if own is not None:
            squares[np.arange(len(squares)), own[block]] = np.inf
        closest[block] = squares.argmin(axis=1)
    for i, twin in _twins(queries, base, own).items():
        closest[i] = twin
    distance = np.array(
        [np.linalg.norm(query - base[j]) for query, j in zip(queries, closest, strict=True)], dtype=np.float64
    )
    return closest, distance


def _twins(
    queries: NDArray[np.float64], base: NDArray[np.float64], own: NDArray[np.int64] | None
) -> dict[int, int]:
    """For each query that equals a row of `base` other than itself: the first such row."""
    places: dict[bytes, list[int]] = {}
    for j, row in enumerate(base):
        places.setdefault(blake2b(row.tobytes(), digest_size=32).digest(), []).append(j)
    found = {}
    for i, row in enumerate(queries):
        same = places.get(blake2b(row.tobytes(), digest_size=32).digest(), [])
        others = (j for j in same[:2] if own is None or j != own[i])
        if (twin := next(others, None)) is not None:
            found[i] = twin
    return found
