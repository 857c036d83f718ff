import numpy as np
import pytest

from auditkit.statistics.roc import auc, placements
from auditkit.statistics.scores import Scores, record_error


def test_scores_give_one_auc_a_run() -> None:
    """A run's AUC is that of its own scores on forget against control records."""
    rng = np.random.default_rng(0)
    s = Scores(rng.normal(size=(3, 5)), rng.normal(size=(3, 7)))
    assert s.auc().tolist() == [auc(s.forget[k], s.control[k]) for k in range(3)]


def test_placements_are_the_auc_record_by_record() -> None:
    """Placements equal a double loop over pairs, ties half, and both average to the AUC."""
    rng = np.random.default_rng(0)
    m, n = rng.integers(0, 6, 30).astype(float), rng.integers(0, 6, 20).astype(float)
    of_members, of_nonmembers = placements(m, n)
    wins = (m[:, None] > n[None]) + 0.5 * (m[:, None] == n[None])
    np.testing.assert_allclose(of_members, wins.mean(axis=1))
    np.testing.assert_allclose(of_nonmembers, wins.mean(axis=0))
    assert of_members.mean() == pytest.approx(auc(m, n))
    assert of_nonmembers.mean() == pytest.approx(auc(m, n))


def test_an_arm_does_not_differ_from_itself() -> None:
    """Scores twice alike, or scores in the same order, have no error of their difference."""
    rng = np.random.default_rng(1)
    s = Scores(rng.normal(size=(4, 30)), rng.normal(size=(4, 40)))
    assert record_error(s, s) == 0
    assert record_error(s, Scores(np.exp(s.forget), np.exp(s.control))) == 0


def test_the_error_is_the_spread_over_draws_of_records() -> None:
    """Drawing the records again and again, the difference of mean AUCs has this standard
    deviation."""
    rng = np.random.default_rng(2)
    differences, errors = [], []
    for _ in range(400):
        easy = rng.normal(size=120)  # how easy each record is, for both arms
        one, other = (easy + 0.6 * rng.normal(size=120) + 0.2 * rng.normal(size=(6, 120)) for _ in range(2))
        a, b = Scores(one[:, :50], one[:, 50:]), Scores(other[:, :50], other[:, 50:])
        differences.append(a.auc().mean() - b.auc().mean())
        errors.append(record_error(a, b))
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.12)


def test_a_single_record_adds_nothing() -> None:
    """With one forget record the error is that of the control records alone, and finite."""
    rng = np.random.default_rng(3)
    a, b = (Scores(rng.normal(size=(3, 1)), rng.normal(size=(3, 40))) for _ in range(2))
    assert 0 < record_error(a, b) < 0.2
