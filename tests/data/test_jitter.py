import numpy as np
import pytest
from sklearn.datasets import load_digits

from auditkit.data.jitter import domain, perturb

RNG = np.random.default_rng(0)
DIGITS = (load_digits().data / 16).astype(np.float32)


def test_moved_digits_could_be_digits() -> None:
    """Every value is one that scans have, none is out of its pixel's range, and pixels that are
    always blank stay so."""
    within = domain(DIGITS)
    assert within.grid is not None
    assert len(within.grid) == 17
    for radius in (0.4, 1.2, 5.0):
        found = perturb(DIGITS[:50], RNG.standard_normal((50, 64)), radius, within)
        assert np.isin(found, DIGITS).all()
        assert (found >= DIGITS.min(axis=0)).all()
        assert (found <= DIGITS.max(axis=0)).all()


@pytest.mark.parametrize("radius", [0.4, 1.2, 2.4])
def test_the_distance_is_the_radius(radius: float) -> None:
    """On a grid it is the radius but for rounding; without one it is the radius."""
    direction = np.random.default_rng(1).standard_normal((50, 64))
    rounded = np.linalg.norm(perturb(DIGITS[:50], direction, radius, domain(DIGITS)) - DIGITS[:50], axis=1)
    assert rounded == pytest.approx(radius, rel=0.15)
    fine = DIGITS + 1e-3 * RNG.random(DIGITS.shape, dtype=np.float32)
    exact = np.linalg.norm(perturb(fine[:50], direction, radius, domain(fine)) - fine[:50], axis=1)
    assert exact == pytest.approx(radius, rel=1e-4)


def test_bounds_leave_less_room_than_asked_for() -> None:
    """Where no point of the domain is so far, the point is in a corner."""
    x = np.array([[0.0, 0.0], [1.0, 1.0]], dtype=np.float32)
    found = perturb(x, np.array([[1.0, 2.0], [1.0, 2.0]]), 9.0, domain(x))
    assert found.tolist() == [[1, 1], [1, 1]]


def test_without_bounds_in_the_way_it_is_a_step_along_the_direction() -> None:
    """In the middle of a wide domain the input moves straight, by the radius."""
    x = np.array([[0.0, 0.0], [-99.3, -98.1], [97.2, 99.9]], dtype=np.float32)
    wide = domain(np.concatenate([x, RNG.uniform(-100, 100, (2000, 2)).astype(np.float32)]))
    assert wide.grid is None
    found = perturb(x[:1], np.array([[3.0, 4.0]]), 5.0, wide)
    np.testing.assert_allclose(found, [[3, 4]], rtol=1e-5)


def test_values_that_are_not_evenly_spaced_have_no_grid() -> None:
    """A grid is evenly spaced values, to within rounding; anything else is taken as it is."""
    assert domain(np.array([[0.0], [0.1], [0.25]], dtype=np.float32)).grid is None
    assert domain(np.array([[0.5], [0.5]], dtype=np.float32)).grid is None
    third = (np.arange(4)[:, None] / 3).astype(np.float32)
    grid = domain(third).grid
    assert grid is not None
    assert np.array_equal(grid, third[:, 0])
