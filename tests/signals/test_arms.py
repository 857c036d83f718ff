from dataclasses import replace

import numpy as np
import pytest

from auditkit.core.ids import EXACT, ArmKind
from auditkit.signals.arms import Arm, combined, common_queries, joined
from auditkit.statistics.margins import Floats
from auditkit.statistics.residual import memory
from auditkit.statistics.scores import Scores
from tests.statistics.simulated_arms import NEAR, arms_with_placebo, simulated_arms


def parts(arm: Arm) -> list[Floats]:
    """Everything an arm holds, one row a run."""
    margins = [m for q in arm.margins.values() for m in (q.forget, q.control)]
    return [*margins, *(part for s in arm.scores.values() for part in (s.forget, s.control)), arm.accuracy]


@pytest.mark.parametrize("n", [3, 6, 7])
@pytest.mark.parametrize("reference", ["retrained", "placebo"])
def test_shuffling_exchanges_half_of_the_runs_whole(n: int, reference: str) -> None:
    """In n // 2 runs the unlearned ones and those they are compared with, the placebo where there
    is one, change places, with all that belongs to them; the rest stays."""
    arms = simulated_arms(0, n=n) if reference == "retrained" else arms_with_placebo(0, n=n)
    shuffled = arms.shuffled(4)
    swapped = shuffled.unlearned.accuracy != arms.unlearned.accuracy
    assert swapped.sum() == n // 2
    before = zip(parts(arms.unlearned), parts(getattr(arms, reference)), strict=True)
    after = zip(parts(shuffled.unlearned), parts(getattr(shuffled, reference)), strict=True)
    for (u, r), (new_u, new_r) in zip(before, after, strict=True):
        for k in range(n):
            assert np.array_equal(new_u[k], r[k] if swapped[k] else u[k])
            assert np.array_equal(new_r[k], u[k] if swapped[k] else r[k])
    for other in {"original", "retrained", "honest", "variant"} - {reference}:
        assert getattr(shuffled, other) is getattr(arms, other)


def test_shuffling_exchanges_runs_in_every_world() -> None:
    """In the stress world runs of the same numbers change places."""
    arms = replace(arms_with_placebo(0, n=6), stress=arms_with_placebo(1, n=6))
    shuffled = arms.shuffled(2)
    assert shuffled.stress is not None
    assert arms.stress is not None
    plain, stress = (
        np.flatnonzero(new.unlearned.accuracy != old.unlearned.accuracy).tolist()
        for new, old in ((shuffled, arms), (shuffled.stress, arms.stress))
    )
    assert plain == stress
    assert len(plain) == 3


def test_shuffling_depends_on_the_seed() -> None:
    """The same seed exchanges the same runs, and not every seed the same ones."""
    arms = simulated_arms(0)
    rows = {tuple(arms.shuffled(seed).unlearned.accuracy) for seed in (0, 0, 1, 2)}
    assert 1 < len(rows) <= 3


def test_claiming_changes_what_was_made_only() -> None:
    """Another arm takes the place of the unlearned one, of which there is neither placebo nor
    stress world, and nothing else changes."""
    arms = replace(arms_with_placebo(0, n=3), stress=simulated_arms(1, n=3))
    noop = arms.claiming(arms.original)
    assert noop.unlearned is arms.original
    assert (noop.placebo, noop.stress) == (None, None)
    for other in ("original", "retrained", "honest", "variant", "skipped", "parts"):
        assert getattr(noop, other) is getattr(arms, other)


def test_what_unlearned_runs_are_compared_with() -> None:
    """With the placebo where there is one, with retrained runs where there is none; every test of
    memory looks at just those arms."""
    without, with_one = simulated_arms(0, n=3), arms_with_placebo(0, n=3)
    assert without.reference is without.retrained
    assert with_one.reference is with_one.placebo
    for arms in (without, with_one):
        O, U, R, H, P = arms.judged
        assert (arms.original, arms.unlearned, arms.retrained, arms.honest) == (O, U, R, H)
        assert P is arms.reference


def test_memory_is_that_of_unlearned_runs_against_their_reference() -> None:
    """In units of original against retrained, whatever the reference; the placebo itself in the
    place of the unlearned runs has none against itself."""
    arms = arms_with_placebo(2, n=5, share=0.5, brings=0.2)
    O, U, R, _, P = (arm.margins[NEAR] for arm in arms.judged)
    found, expected = arms.memory(NEAR), memory(O, U, R, P)
    assert (found.left == expected.left).all()
    assert (found.gap == expected.gap).all()
    assert (found.left != arms.claiming(arms.unlearned).memory(NEAR).left).any()
    assert (replace(arms, unlearned=arms.reference).memory(NEAR).left == 0).all()


@pytest.mark.parametrize("kind", ["original", "honest"])
def test_an_arm_passed_off_is_so_in_every_world(kind: ArmKind) -> None:
    """A procedure that returns original or honest runs does so in the stress world too, and is
    compared with retrained runs there; where there is no such world, none is made up."""
    plain = arms_with_placebo(0, n=3)
    arms = replace(plain, stress=arms_with_placebo(1, n=3))
    found = arms.passed_off(kind)
    assert found.stress is not None
    for passed, of in ((found, arms), (found.stress, arms.stress)):
        assert passed.unlearned is getattr(of, kind)
        assert passed.placebo is None
        assert passed.reference is passed.retrained
    assert plain.passed_off(kind).stress is None


@pytest.mark.parametrize(("n", "half"), [(7, None), (8, 4), (11, 5)])
def test_halves_of_the_variant_are_an_audit_of_their_own(n: int, half: int | None) -> None:
    """One half of the variant runs is judged against the other, beside as many runs of the other
    arms; with fewer than four in a half there is no such audit."""
    arms = replace(arms_with_placebo(0, n=n), stress=simulated_arms(1, n=n))
    found = arms.variant_halves
    if half is None:
        assert found is None
        return
    assert found is not None
    assert arms.variant is not None
    one, other = np.arange(half), np.arange(half, 2 * half)
    expected = {
        "original": arms.original.take(one),
        "unlearned": arms.variant.take(one),
        "retrained": arms.retrained.take(one),
        "honest": arms.honest.take(one),
        "placebo": arms.variant.take(other),
    }
    for name, arm in expected.items():
        for a, b in zip(parts(getattr(found, name)), parts(arm), strict=True):
            assert np.array_equal(a, b)
    assert (found.variant, found.stress) == (None, None)
    assert replace(arms, variant=None).variant_halves is None


def test_a_world_has_its_own_arms() -> None:
    """The stress world has those that are kept for it, or none; the plain one these very arms."""
    plain, stress = simulated_arms(0, n=3), simulated_arms(1, n=3)
    both = replace(plain, stress=stress)
    assert both.of_world("plain") is both
    assert both.of_world("stress") is stress
    assert plain.of_world("stress") is None


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
