import numpy as np
import pytest
from numpy.typing import NDArray

from auditkit.core.errors import UsageError
from auditkit.data import duplicates as room
from auditkit.data import near_duplicates, nearest_distances


def naive(x: NDArray[np.floating]) -> list[float]:
    """The nearest other record, one pair at a time."""
    rows = [record.astype(np.float64).ravel() for record in x]
    return [
        min(float(np.sqrt(((a - b) ** 2).sum())) for j, b in enumerate(rows) if j != i)
        for i, a in enumerate(rows)
    ]


def cloud(n: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, 3, 4)).astype(np.float32)


@pytest.mark.parametrize("block", [1, 700, 1 << 24], ids=["row by row", "in blocks", "at once"])
def test_naive_twin(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """Nearest distances agree with a loop over all pairs, however many are held at once."""
    monkeypatch.setattr(room, "BLOCK", block)
    x = cloud(60)
    np.testing.assert_allclose(nearest_distances(x), naive(x), rtol=1e-12)


def test_closed_form() -> None:
    """On the line 0, 1, 3, 7 the nearest other records are at 1, 1, 2 and 4."""
    assert nearest_distances(np.array([[0.0], [1.0], [3.0], [7.0]])).tolist() == [1, 1, 2, 4]


def test_far_from_the_origin() -> None:
    """An offset a million times the distances does not blur them."""
    x = cloud(40).astype(np.float64) + 1e6
    np.testing.assert_allclose(nearest_distances(x), naive(x), rtol=1e-12)


def test_equal_records_are_at_distance_zero() -> None:
    """Equal records are at distance 0 exactly, even beside one that differs in the last bit, and 0
    equals -0."""
    x = (cloud(50) * 1000).reshape(50, 12)
    x[7] = x[30]
    x[8] = x[30]
    x[8, 0] = np.nextafter(x[30, 0], np.float32(np.inf))
    x[9], x[10] = 0.0, -0.0
    found = nearest_distances(x)
    assert np.flatnonzero(found == 0).tolist() == [7, 9, 10, 30]
    assert found[8] == pytest.approx(float(x[8, 0]) - float(x[30, 0]))


def test_near_duplicates_naive_twin() -> None:
    """Counts, pairs and threshold agree with a loop over all pairs."""
    retain, forget = cloud(80), cloud(30, seed=1)
    forget[4], forget[11] = retain[70], retain[5]
    forget[20] = retain[33] + np.float32(0.01)
    found = near_duplicates(forget, retain)
    assert found.median_distance == pytest.approx(float(np.median(naive(retain))))
    assert found.threshold == pytest.approx(found.median_distance / 10)
    assert (found.count, found.exact) == (3, 2)
    assert found.pairs[:2] == ((4, 70, 0.0), (11, 5, 0.0))
    assert found.pairs[2][:2] == (20, 33)
    assert found.pairs[2][2] == pytest.approx(0.01 * np.sqrt(12), rel=1e-4)


def test_share_moves_the_threshold() -> None:
    """With a larger share more records count as near, and at most 20 pairs are listed, closest
    first."""
    retain, forget = cloud(80), cloud(30, seed=1)
    found = near_duplicates(forget, retain, share=3.0)
    assert (found.count, found.exact, len(found.pairs)) == (30, 0, 20)
    distances = [pair[2] for pair in found.pairs]
    assert distances == sorted(distances)
    assert near_duplicates(forget, retain).count == 0


def test_usual_distance_is_estimated_from_a_sample() -> None:
    """The median over 500 of 2,000 retain records is that of all within a few hundredths, with no
    seed to choose."""
    retain = cloud(2000)
    found = near_duplicates(retain[:3] + np.float32(1), retain)
    assert found.median_distance == pytest.approx(float(np.median(nearest_distances(retain))), rel=0.03)
    assert found == near_duplicates(retain[:3] + np.float32(1), retain)


def test_retain_full_of_duplicates() -> None:
    """Where retain repeats itself the threshold is 0, and only equal records count."""
    retain = np.repeat(cloud(5), 4, axis=0)
    found = near_duplicates(np.concatenate([retain[:1], retain[:1] + np.float32(1e-6)]), retain)
    assert (found.threshold, found.count, found.exact) == (0.0, 1, 1)


def test_nothing_to_forget() -> None:
    """Without records to forget there are no near-duplicates."""
    assert near_duplicates(cloud(1)[:0], cloud(10)).count == 0


def test_one_record_has_no_neighbour() -> None:
    """Fewer than two records have no distances, and the error says how many there are."""
    with pytest.raises(UsageError, match="at least 2 of them, found 1"):
        nearest_distances(cloud(1))
    with pytest.raises(UsageError, match="at least 2 of them, found 1"):
        near_duplicates(cloud(3), cloud(1))
