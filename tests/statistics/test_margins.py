import numpy as np
import pytest

from auditkit.statistics.margins import (
    Floats,
    Margins,
    calibrated,
    comparability,
    drift_line,
    stacked,
    usual_size,
)
from tests.statistics.simulated_arms import put_right


def example(seed: int = 0, runs: int = 4) -> tuple[Margins, Floats]:
    """An arm, and the mean of other runs on its control records."""
    rng = np.random.default_rng(seed)
    control = rng.normal(1, 3, 30)
    slope, shift = rng.uniform(0.5, 2, (runs, 1)), rng.normal(size=(runs, 1))
    noisy = control + rng.normal(size=(runs, 30))
    return Margins(rng.normal(1, 3, (runs, 12)), shift + slope * noisy), control


def test_drift_line_is_weighted_least_squares() -> None:
    """Each run's line is the one np.polyfit draws, records weighing less the further the retrained
    margin is from 0."""
    arm, reference = example()
    a, b = drift_line(arm.control, reference)
    root = [1 / np.sqrt(1 + (m / np.median(np.abs(reference))) ** 2) for m in reference]
    for k, run in enumerate(arm.control):
        assert (b[k], a[k]) == pytest.approx(tuple(np.polyfit(reference, run, 1, w=root)))


def test_calibrated_inverts_each_runs_own_line_and_then_squashes() -> None:
    """Calibrated margins equal np.polyfit inverted run by run, then bent to within the median of
    |reference|."""
    arm, reference = example(1)
    ours = calibrated(arm, reference)
    assert ours.forget == pytest.approx(put_right(arm.forget, arm.control, reference))
    assert ours.control == pytest.approx(put_right(arm.control, arm.control, reference))
    assert np.abs(ours.forget).max() < np.median(np.abs(reference))


def test_squashing_leaves_small_margins_and_stops_large_ones() -> None:
    """Without drift a margin well below the usual size is kept, and one far beyond it becomes that
    size."""
    _, reference = example()
    size = usual_size(reference)
    arm = Margins(size * np.array([[0.01, -0.01, 1, 1e6, -1e200]]), reference[None])
    assert calibrated(arm, reference).forget[0] / size == pytest.approx(
        [0.01, -0.01, 0.5**0.5, 1, -1], rel=1e-4
    )


def test_margins_without_any_size_come_back_as_zeros() -> None:
    """Where most retrained margins are exactly 0 there is no scale, and nothing warns."""
    arm, _ = example()
    reference = np.zeros(30)
    reference[0] = 1
    assert not calibrated(arm, reference).forget.any()
    assert not calibrated(arm, np.zeros(30)).forget.any()


@pytest.mark.parametrize("c", [0.1, 3.0, 1e6])
def test_temperature_and_shift_drop_out(c: float) -> None:
    """Logits times c > 0, and margins plus a constant, leave an arm's calibrated margins as they
    were."""
    arm, reference = example(2)
    ours = calibrated(arm, reference)
    hot = calibrated(Margins(c * arm.forget + 5, c * arm.control + 5), reference)
    assert hot.forget == pytest.approx(ours.forget, abs=1e-8)
    assert hot.control == pytest.approx(ours.control, abs=1e-8)


def test_a_run_with_a_falling_line_has_no_scale() -> None:
    """A run that ranks control records the wrong way round comes back as zeros, and the others do
    not change."""
    arm, reference = example(3)
    turned = Margins(arm.forget, arm.control * np.array([[1], [-1], [1], [1]]))
    ours, whole = calibrated(turned, reference), calibrated(arm, reference)
    assert not ours.forget[1].any()
    assert not ours.control[1].any()
    assert np.array_equal(ours.forget[[0, 2, 3]], whole.forget[[0, 2, 3]])


def test_comparability_by_its_definition() -> None:
    """Comparability is the arm's mean correlation with the mean retrained run, over that of each
    retrained run with the others."""
    arm, _ = example(4)
    retrained, _ = example(4, runs=5)
    ours = np.mean([np.corrcoef(run, retrained.control.mean(axis=0))[0, 1] for run in arm.control])
    own = np.mean(
        [
            np.corrcoef(retrained.control[k], np.delete(retrained.control, k, axis=0).mean(axis=0))[0, 1]
            for k in range(5)
        ]
    )
    assert comparability(arm, retrained) == pytest.approx(ours / own)


def test_comparability_knows_like_from_unlike() -> None:
    """An arm like the retrained one scores about 1, an upside-down one about -1, a shapeless one
    0."""
    rng = np.random.default_rng(5)
    base = rng.normal(0, 3, 200)
    control = base + rng.normal(size=(8, 200))
    forget = np.zeros((8, 1))
    retrained = Margins(forget, control)
    assert comparability(Margins(forget, base + rng.normal(size=(8, 200))), retrained) == pytest.approx(
        1, abs=0.03
    )
    assert comparability(Margins(forget, -control), retrained) == pytest.approx(-1, abs=0.05)
    assert comparability(Margins(forget, np.ones((8, 200))), retrained) == 0


def test_take_and_stack_keep_the_order_of_runs() -> None:
    """Runs come back in the order asked for, forget and control together."""
    arm, _ = example(6)
    both = stacked(arm, arm.take(np.array([2, 0])))
    assert both.runs == 6
    assert np.array_equal(both.forget, arm.forget[[0, 1, 2, 3, 2, 0]])
    assert np.array_equal(both.control, arm.control[[0, 1, 2, 3, 2, 0]])


def test_retrained_runs_that_rank_nothing_are_not_comparable() -> None:
    """Where the retrained runs rank no control record above another, comparability is a number and
    nothing warns."""
    flat = Margins(np.ones((4, 5)), np.ones((4, 6)))
    assert np.isfinite(comparability(flat, flat))
