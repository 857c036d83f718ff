import numpy as np
import pytest

from auditkit.signals.arms import Arm
from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import auc
from auditkit.statistics.scores import Scores
from tests.statistics.simulated_arms import simulated_arms


def parts(arm: Arm) -> list[Floats]:
    """Everything an arm holds, one row a run."""
    margins = [m for q in arm.margins.values() for m in (q.forget, q.control)]
    return [*margins, *(part for s in arm.scores.values() for part in (s.forget, s.control)), arm.accuracy]


def test_scores_give_one_auc_a_run() -> None:
    """A run's AUC is that of its own scores on forget against control records."""
    rng = np.random.default_rng(0)
    s = Scores(rng.normal(size=(3, 5)), rng.normal(size=(3, 7)))
    assert s.auc().tolist() == [auc(s.forget[k], s.control[k]) for k in range(3)]


@pytest.mark.parametrize("n", [3, 6, 7])
def test_shuffling_exchanges_half_of_the_runs_whole(n: int) -> None:
    """In n // 2 runs unlearned and retrained change places, with all that belongs to them; the rest
    stays."""
    arms = simulated_arms(0, n=n)
    shuffled = arms.shuffled(4)
    swapped = shuffled.unlearned.accuracy != arms.unlearned.accuracy
    assert swapped.sum() == n // 2
    before = zip(parts(arms.unlearned), parts(arms.retrained), strict=True)
    after = zip(parts(shuffled.unlearned), parts(shuffled.retrained), strict=True)
    for (u, r), (new_u, new_r) in zip(before, after, strict=True):
        for k in range(n):
            assert np.array_equal(new_u[k], r[k] if swapped[k] else u[k])
            assert np.array_equal(new_r[k], u[k] if swapped[k] else r[k])
    assert shuffled.original is arms.original
    assert shuffled.honest is arms.honest


def test_shuffling_depends_on_the_seed() -> None:
    """The same seed exchanges the same runs, and not every seed the same ones."""
    arms = simulated_arms(0)
    rows = {tuple(arms.shuffled(seed).unlearned.accuracy) for seed in (0, 0, 1, 2)}
    assert 1 < len(rows) <= 3


def test_claiming_changes_the_unlearned_arm_only() -> None:
    """Another arm takes the place of the unlearned one, and nothing else changes."""
    arms = simulated_arms(0, n=3)
    noop = arms.claiming(arms.original)
    assert noop.unlearned is arms.original
    assert (noop.original, noop.retrained, noop.honest) == (arms.original, arms.retrained, arms.honest)
