"""The delete-one jackknife of residual memory, and errors over records."""

import numpy as np
import pytest
from scipy import stats

from auditkit.core.ids import EXACT
from auditkit.statistics.folds import folds
from auditkit.statistics.hypotheses import p_above, paired
from auditkit.statistics.margins import Floats, Margins
from auditkit.statistics.prediction import rho_equivalence
from auditkit.statistics.residual import (
    Memory,
    largest_shares,
    memory,
    record_error,
    refuting_interval,
    rho,
    rho_interval,
)
from tests.statistics.simulated_arms import simulated_arms

FIRST = np.array([0])
Four = tuple[Margins, Margins, Margins, Margins]


def four(seed: int, *, n: int = 6, one: bool = False, **made: float) -> Four:
    """Original, unlearned, retrained and placebo runs."""
    arms = simulated_arms(seed, n=n, forget=11, control=25, share=0.3, **made)  # type: ignore[arg-type]
    O, U, R, P = (a.margins[EXACT] for a in (arms.original, arms.unlearned, arms.retrained, arms.honest))
    return O, U.take(FIRST) if one else U, R, P


def without(j: int, arms: Four, placebo: bool) -> tuple[Floats, Floats]:
    """Mean left and gap of `memory` of the arms without run j, over the mean length of weights."""
    kept = np.delete(np.arange(arms[0].runs), j)
    O, U, R, P = (arm if arm.runs == 1 else arm.take(kept) for arm in arms)
    seen = memory(O, U, R, P if placebo else None)
    length = np.mean([np.linalg.norm(fold.v) for fold in folds(O, R)])
    return seen.left.mean(axis=0) / length, seen.gap.mean(axis=0) / length


@pytest.mark.parametrize("placebo", [True, False])
@pytest.mark.parametrize("one", [True, False])
def test_the_jackknife_is_memory_of_arms_without_a_run(placebo: bool, one: bool) -> None:
    """Pseudo-values are those of literally calling `memory` again for arms that lack run j."""
    arms, n = four(0, one=one), 6
    O, U, R, P = arms
    seen = memory(O, U, R, P if placebo else None)
    length = np.mean([np.linalg.norm(fold.v) for fold in folds(O, R)])
    anew = [without(j, arms, placebo) for j in range(n)]
    for i, (own, pseudo) in enumerate(zip((seen.left, seen.gap), seen.pseudo or (), strict=True)):
        deleted = length * np.array([pair[i] for pair in anew])
        expected = own.mean(axis=0) + (n - 1) * (deleted.mean(axis=0) - deleted)
        np.testing.assert_allclose(pseudo, expected, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(pseudo.mean(axis=0), own.mean(axis=0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("far", [1.0, 1e200])
def test_margins_of_any_size_give_a_jackknife(far: float) -> None:
    """Margins whose squares overflow, control records that never vary and a run without a scale in
    common are all taken as `memory` itself takes them."""
    arms = four(1)
    O, U, R, P = (Margins(a.forget.copy(), a.control.copy()) for a in arms)
    O.forget[2, 3], U.control[1] = far, -U.control[1]
    for arm in (O, U, R, P):
        arm.control[:, 4] = 0.1
    seen = memory(O, U, R, P)
    expected = (5 * without(j, (O, U, R, P), True)[1].sum() for j in range(6))
    length = np.mean([np.linalg.norm(fold.v) for fold in folds(O, R)])
    np.testing.assert_allclose(np.diff(seen.G), -length * np.diff(list(expected)), rtol=1e-6)


def test_the_error_of_rho_is_the_jackknife_of_rho() -> None:
    """Where many records show the gap, the spread of D - ρG is the textbook's jackknife error of
    the ratio itself."""
    arms = simulated_arms(3, n=16, forget=80, gap=5, share=0.3)
    O, U, R = (a.margins[EXACT] for a in (arms.original, arms.unlearned, arms.retrained))
    seen, n = memory(O, U, R), 16
    keep = (np.delete(np.arange(n), j) for j in range(n))
    rhos = np.array([rho(memory(*(arm.take(kept) for arm in (O, U, R)))) for kept in keep])
    textbook = np.sqrt((n - 1) / n * ((rhos - rhos.mean()) ** 2).sum())
    rest = seen.D - rho(seen) * seen.G
    assert rest.std(ddof=1) / np.sqrt(n) / seen.G.mean() == pytest.approx(textbook, rel=0.1)


def test_three_runs_have_no_jackknife() -> None:
    """Of three runs nothing can be left out twice: the folds themselves stand in."""
    O, U, R, P = (arm.take(np.arange(3)) for arm in four(0))
    seen = memory(O, U, R, P)
    assert seen.pseudo is None
    assert seen.D.tolist() == seen.left.sum(axis=1).tolist()
    assert seen.of(np.arange(4)).pseudo is None


def test_no_memory_seldom_passes_the_power_gate() -> None:
    """Where nothing was remembered the gap is told from zero in at most 5 % of audits: seldomer
    than by the spread of the folds, which share runs."""
    opened = {"jackknife": 0, "folds": 0}
    for seed in range(200):
        O, _, R, _ = four(seed, gap=0.0)
        seen = memory(O, O, R)
        opened["jackknife"] += p_above(*paired(seen.G), 0) <= 0.05
        opened["folds"] += p_above(*paired(seen.gap.sum(axis=1)), 0) <= 0.05
    assert opened["jackknife"] <= 10 + 3 * np.sqrt(9.5)
    assert opened["jackknife"] < opened["folds"]


def test_runs_that_are_their_own_placebo_leave_nothing() -> None:
    """Unlearned runs held against themselves leave exactly 0; retrained runs as the placebo are the
    default."""
    O, U, R, _ = four(2)
    nothing = memory(O, U, R, U)
    assert rho(nothing) == 0
    assert not nothing.D.any()
    given, default = memory(O, U, R, Margins(R.forget, R.control)), memory(O, U, R)
    assert given.left.tolist() == default.left.tolist()
    np.testing.assert_allclose(given.D, default.D, rtol=1e-9)


def test_a_placebo_takes_the_recipe_out_of_rho() -> None:
    """What a recipe does to any model moves ρ against retrained runs, and not against a placebo."""
    against_retrained, against_placebo = [], []
    for seed in range(30):
        O, U, R, P = four(seed, n=8)
        moved = np.random.default_rng(99).normal(0.7, 1, 11)
        U, P = (Margins(arm.forget + moved, arm.control) for arm in (U, P))
        against_retrained.append(rho(memory(O, U, R)))
        against_placebo.append(rho(memory(O, U, R, P)))
    assert np.mean(against_placebo) == pytest.approx(0.3, abs=0.08)
    assert np.mean(against_retrained) > np.mean(against_placebo) + 0.1


def test_a_placebo_has_as_many_runs() -> None:
    """A placebo of another number of runs is refused, and all numbers are told."""
    O, U, R, P = four(0)
    with pytest.raises(ValueError, match=r"at least 3: got 6, 6, 6, 5"):
        memory(O, U, R, P.take(np.arange(5)))


def test_the_record_error_is_the_jackknife_over_records() -> None:
    """Leaving out one record at a time gives ρ the same error as the formula, where there are many;
    without noise it is the spread of the shares."""
    rng = np.random.default_rng(0)
    gap = rng.uniform(1, 2, (1, 400)) * np.ones((5, 1))
    seen = Memory(rng.normal(0.3, 0.4, 400) * gap, gap)
    m = 400
    rhos = np.array([rho(seen.of(np.delete(np.arange(m), i))) for i in range(m)])
    left_out = np.sqrt((m - 1) / m * ((rhos - rhos.mean()) ** 2).sum())
    assert record_error(seen) == pytest.approx(left_out, rel=0.01)
    even = Memory(seen.left, np.ones_like(gap))
    assert record_error(even) == pytest.approx(stats.sem(seen.left[0]))
    assert record_error(seen.of(FIRST)) == 0


@pytest.mark.parametrize("one", [True, False])
def test_refutation_and_its_interval_agree(one: bool) -> None:
    """Outside the margin is shown exactly where the interval over runs and records lies outside it,
    which is wider than that over runs."""
    refuted = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        gap = rng.normal(10, 1, (9, 6))
        left = rng.normal(0.35, 0.3, 6) * gap + rng.normal(0, 0.5, (9, 6))
        seen = Memory(left, gap, one_run=one)
        low, high = refuting_interval(seen, 0.05)
        inner = rho_interval(seen, 0.05)
        assert low < inner[0] < inner[1] < high
        refuted.append(rho_equivalence(seen, 0.2).p_outside <= 0.1)
        assert refuted[-1] == (low > 0.2 or high < -0.2)
    assert 5 < sum(refuted) < 55


def test_one_record_that_was_kept_is_no_refutation_by_itself() -> None:
    """Where one record carries what is left, runs agree on a large ρ, and records do not."""
    gap = np.full((8, 6), 1.0) + np.random.default_rng(0).normal(0, 0.01, (8, 6))
    left = gap * np.array([1, 1, 0, 0, 0, 0])
    test = rho_equivalence(Memory(left, gap), 0.2)
    assert rho(Memory(left, gap)) == pytest.approx(1 / 3, abs=0.01)
    assert test.p_outside > 0.2
    assert rho_interval(Memory(left, gap), 0.05)[0] > 0.3


def test_the_largest_shares() -> None:
    """One of three records carries half; records with a gap below zero carry nothing, and no gap
    has no shares."""
    gap = np.array([[2.0, 1.0, 1.0, -5.0], [2.0, 1.0, 1.0, -5.0]])
    assert largest_shares(Memory(gap, gap)) == (0.5, 1.0)
    assert largest_shares(Memory(gap, 0 * gap)) == (0.0, 0.0)
