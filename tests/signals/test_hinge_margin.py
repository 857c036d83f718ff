"""The hinge margin of logits, and its mean over jittered copies."""

import numpy as np
import pytest

from auditkit.signals.hinge_margin import Floats, Ints, hinge, jittered_margins


def hinge_by_loop(logits: Floats, labels: Ints) -> list[list[float]]:
    return [
        [z[y] - max(z[k] for k in range(len(z)) if k != y) for z, y in zip(run, labels, strict=True)]
        for run in logits
    ]


def test_hinge_is_the_margin_to_the_best_other_class() -> None:
    """The hinge margin equals an explicit loop, in float64, and leaves the logits as they were."""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(3, 8, 4)).astype(np.float32), rng.integers(0, 4, 8)
    before = logits.copy()
    h = hinge(logits, labels)
    assert h.dtype == np.float64
    assert h.tolist() == hinge_by_loop(logits.astype(np.float64), labels)
    assert np.array_equal(logits, before)


def test_hinge_is_positive_exactly_where_the_label_is_predicted() -> None:
    """A margin is above 0 exactly where the label has the highest logit."""
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(3, 50, 4)), rng.integers(0, 4, 50)
    assert np.array_equal(hinge(logits, labels) > 0, logits.argmax(axis=-1) == labels)


def test_hinge_follows_scale_and_ignores_shift() -> None:
    """c times the logits has c times the margin, and a constant added to all of a record's logits
    changes nothing."""
    rng = np.random.default_rng(2)
    logits, labels = rng.normal(size=(5, 9, 3)), rng.integers(0, 3, 9)
    assert hinge(4 * logits, labels) == pytest.approx(4 * hinge(logits, labels))
    assert hinge(logits + rng.normal(size=(5, 9, 1)), labels) == pytest.approx(hinge(logits, labels))


def test_a_near_margin_is_the_mean_over_the_jittered_copies() -> None:
    """A record's jittered margin is the mean over draws of z_y - max of the others."""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(3, 2, 8, 4)).astype(np.float32), rng.integers(0, 4, 8)
    found = jittered_margins(logits, labels)
    for k in range(3):
        for i, y in enumerate(labels):
            draws = [z[y] - max(np.delete(z, y)) for z in logits[k, :, i].astype(np.float64)]
            assert found[k, i] == pytest.approx(np.mean(draws))


def test_one_run_at_a_time_is_all_runs_at_once_to_the_last_bit() -> None:
    """Jittered margins, and how they lie in memory, are those of the same arithmetic on all runs
    together."""
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(3, 2, 8, 4)).astype(np.float32), rng.integers(0, 4, 8)
    found, expected = jittered_margins(logits, labels), hinge(logits, labels).mean(axis=1)
    assert np.array_equal(found, expected)
    assert found.strides == expected.strides  # a sum over records depends on it in its last bits
