from dataclasses import replace

import numpy as np
import pytest

from auditkit.core.ids import EXACT
from auditkit.signals.arms import Arm, combined, common_queries, joined
from auditkit.statistics.margins import Floats
from auditkit.statistics.scores import Scores
from tests.statistics.simulated_arms import NEAR, simulated_arms


def parts(arm: Arm) -> list[Floats]:
    """Everything an arm holds, one row a run."""
    margins = [m for q in arm.margins.values() for m in (q.forget, q.control)]
    return [*margins, *(part for s in arm.scores.values() for part in (s.forget, s.control)), arm.accuracy]


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


def test_map_replaces_every_array_of_an_arm() -> None:
    """What is made of an arm's arrays, run by run, is made of every one of them, and of nothing
    else."""
    arm = simulated_arms(1, n=5).original
    mapped = arm.map(lambda values: 2 * values[::-1])
    assert list(mapped.margins) == list(arm.margins)
    assert list(mapped.scores) == list(arm.scores)
    for new, old in zip(parts(mapped), parts(arm), strict=True):
        assert new.shape == old.shape
        for k in range(5):
            assert np.array_equal(new[k], 2 * old[4 - k])


def test_take_gives_the_runs_asked_for() -> None:
    """Runs come in the order asked for, one of them twice where it is asked for twice."""
    arm, runs = simulated_arms(1, n=5).honest, [3, 0, 0, 4]
    for new, old in zip(parts(arm.take(np.array(runs))), parts(arm), strict=True):
        assert np.array_equal(new, np.stack([old[k] for k in runs]))


def test_combined_arms_are_what_a_loop_over_runs_makes_of_them() -> None:
    """Each array of the result is made of the arrays of that name in each arm, in the order of the
    arms."""
    arms = simulated_arms(2, n=4)
    found = combined(lambda a, b, c: a - 2 * b + c, arms.original, arms.unlearned, arms.retrained)
    rows = zip(parts(found), *map(parts, (arms.original, arms.unlearned, arms.retrained)), strict=True)
    for new, a, b, c in rows:
        for k in range(4):
            assert np.array_equal(new[k], a[k] - 2 * b[k] + c[k])


def test_combined_arms_have_what_all_of_them_have() -> None:
    """A query or an attack that one arm lacks is left out of the result; the rest keeps its
    order."""
    arms = simulated_arms(3, n=3)
    one = replace(arms.original, scores={"gap": arms.original.scores["gap"]})
    other = replace(arms.honest, margins={EXACT: arms.honest.margins[EXACT]})
    for a, b in ((one, other), (other, one)):
        both = combined(np.add, a, b)
        assert list(both.margins) == [EXACT]
        assert list(both.scores) == ["gap"]


def test_joined_arms_are_the_runs_of_each_after_the_other() -> None:
    """Joined arms hold the runs of the first, then those of the second, and so on; each arm again
    where its runs are taken."""
    arms = simulated_arms(4, n=3)
    given = [arms.retrained, arms.honest, arms.original]
    found = joined(*given)
    for new, *old in zip(parts(found), *map(parts, given), strict=True):
        assert np.array_equal(new, np.stack([row for array in old for row in array]))
    for place, arm in enumerate(given):
        again = found.take(np.arange(3 * place, 3 * place + 3))
        assert all(np.array_equal(a, b) for a, b in zip(parts(again), parts(arm), strict=True))


@pytest.mark.parametrize("first", [True, False])
def test_what_was_worked_out_run_by_run_is_that_of_the_combined_runs(first: bool) -> None:
    """AUCs and placements of taken, joined and shuffled runs are those worked out anew, also where
    they are carried over."""
    arms = simulated_arms(5, n=4)
    if first:
        for arm in (arms.unlearned, arms.retrained):
            for scores in arm.scores.values():
                scores.auc(), scores.placements()
    runs = np.array([2, 0])
    for arm in (
        arms.unlearned.take(runs),
        joined(arms.unlearned, arms.retrained),
        arms.shuffled(0).unlearned,
    ):
        for scores in arm.scores.values():
            anew = Scores(scores.forget.copy(), scores.control.copy())
            assert np.array_equal(scores.auc(), anew.auc())
            for found, expected in zip(scores.placements(), anew.placements(), strict=True):
                assert np.array_equal(found, expected)


def test_common_queries_are_those_that_every_arm_was_asked() -> None:
    """Only the margins of queries that no arm lacks are kept, with their values; an arm that has no
    others is the very same."""
    arms = simulated_arms(6, n=3)
    short = replace(arms.honest, margins={EXACT: arms.honest.margins[EXACT]})
    original, honest = common_queries(arms.original, short)
    assert list(original.margins) == list(honest.margins) == [EXACT]
    assert original.margins[EXACT] is arms.original.margins[EXACT]
    assert original.scores is arms.original.scores
    assert honest is short
    assert arms.original.asked([EXACT, NEAR]) is arms.original
