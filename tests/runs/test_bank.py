"""Claims drawn from a bank of runs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from auditkit.core import ids
from auditkit.core.errors import AuditError, IntegrityError
from auditkit.core.ids import RELEARNED
from auditkit.runs.bank import Bank, Case, draw, open_bank, runs_of, save
from auditkit.signals.arm_arrays import arm_arrays
from auditkit.signals.arms import Arm, Arms, joined
from auditkit.statistics.margins import Margins
from auditkit.statistics.scores import Scores
from tests.statistics.simulated_arms import simulated_arms

N = 5
PARTS = [np.array([0, 2]), np.array([1, 2, 3])]


def numbered(first: int, runs: int) -> Arm:
    """An arm each number of which says which run it is of."""
    own = np.arange(first, first + runs, dtype=np.float64)
    rows = own[:, None] + np.linspace(0, 0.5, 4)
    return Arm({ids.EXACT: Margins(rows, rows)}, {"loss": Scores(rows, rows)}, own)


def case(first: int, skipped: dict[str, str] | None = None) -> Case:
    """A case of which run first + k was made from original k, and run first + 500 + k, the placebo,
    from honest run k."""
    return Case(numbered(first, 2 * N), numbered(first + 500, 2 * N), skipped or {})


def bank(first: int = 0, **cases: Case) -> Bank:
    """Originals are runs 0 to 9, retrained ones 100 to 109, honest ones 200 to 209, each so many
    further on; run 1000 + k was made from run k."""
    there = cases or {"fake": case(1000), "other": case(2000, {"gap": "cannot"})}
    original, retrained, honest = (numbered(first + start, 2 * N) for start in (0, 100, 200))
    return Bank(original, retrained, honest, there, {"rmia": "no shadows"}, 50, PARTS, {"x": 1})


def test_runs_of_a_claim_are_drawn_without_replacement_and_from_the_right_arms() -> None:
    """Each arm of a claim has so many different runs of the arm of its name."""
    for k in range(50):
        arms = draw(bank(), "fake", N, 3, k)
        for start, arm in ((0, arms.original), (100, arms.retrained), (200, arms.honest)):
            assert len(set(arm.accuracy)) == N
            assert start <= min(arm.accuracy) <= max(arm.accuracy) < start + 2 * N


def test_made_runs_are_those_made_from_the_runs_that_were_drawn() -> None:
    """Run k of a fake was made from run k of the originals of the same claim, and run k of its
    placebo from run k of the honest ones, whatever is looked at."""
    for k in range(20):
        arms = draw(bank(), "fake", N, 0, k)
        assert arms.placebo is not None
        for made, of, further in (
            (arms.unlearned, arms.original, 1000),
            (arms.placebo, arms.honest, 1300),
        ):
            assert (made.accuracy == of.accuracy + further).all()
            assert (made.margins[ids.EXACT].forget == of.margins[ids.EXACT].forget + further).all()
            assert (made.scores["loss"].control == of.scores["loss"].control + further).all()


def test_claims_of_one_number_differ_in_what_was_made_alone() -> None:
    """Claim k of every case has the same originals, retrained and honest runs; another k or seed
    has others."""
    one = bank()
    a, b = (draw(one, name, N, 7, 0) for name in ("fake", "other"))
    for arm in ("original", "retrained", "honest"):
        assert getattr(a, arm) is getattr(b, arm)
    assert (draw(one, "fake", N, 7, 1).original.accuracy != a.original.accuracy).any()
    assert (draw(one, "fake", N, 8, 0).original.accuracy != a.original.accuracy).any()
    again = draw(bank(), "fake", N, 7, 0)
    assert (again.unlearned.accuracy == a.unlearned.accuracy).all()


def test_the_runs_of_one_arm_tell_nothing_of_those_of_another() -> None:
    """Originals, retrained and honest runs are drawn independently: any two numbers meet as often
    as chance has it."""
    one, met = bank(), np.zeros(3)
    for k in range(400):
        arms = draw(one, "fake", N, 2, k)
        O, R, H = (a.accuracy % 100 for a in (arms.original, arms.retrained, arms.honest))
        met += [np.mean(x == y) for x, y in ((O, R), (O, H), (R, H))]
    # Two places of the same rank hold the same number in one claim of ten.
    assert np.abs(met / 400 - 0.1).max() < 5 * np.sqrt(0.1 * 0.9 / (400 * N))


def test_every_run_is_as_likely_to_be_drawn() -> None:
    """Over many claims each original, retrained and honest run is in half of them."""
    counts = np.zeros(300)
    one = bank()
    for k in range(400):
        arms = draw(one, "fake", N, 1, k)
        for run in (*arms.original.accuracy, *arms.retrained.accuracy, *arms.honest.accuracy):
            counts[int(run)] += 1
    for first in (0, 100, 200):
        drawn = counts[first : first + 2 * N]
        assert drawn.sum() == 400 * N
        assert np.abs(drawn - 200).max() < 5 * 10  # five binomial standard deviations


def test_the_stress_world_of_a_claim_is_of_the_same_runs() -> None:
    """In both worlds a claim has the runs of the same numbers, and the variant's are as many
    different ones of its own."""
    stress = bank(5000, fake=case(6000), other=case(7000))
    one = replace(bank(), variant=numbered(300, 2 * N), stress=stress)
    for k in range(10):
        arms = draw(one, "other", N, 4, k)
        there = arms.stress
        assert there is not None
        assert there.placebo is not None
        assert arms.placebo is not None
        assert arms.variant is not None
        for name in ("original", "retrained", "honest"):
            assert (getattr(there, name).accuracy == getattr(arms, name).accuracy + 5000).all()
        assert (there.unlearned.accuracy == arms.unlearned.accuracy + 5000).all()
        assert (there.placebo.accuracy == arms.placebo.accuracy + 5000).all()
        assert len(set(arms.variant.accuracy)) == N
        assert set(arms.variant.accuracy) <= set(range(300, 300 + 2 * N))
        assert (there.variant, there.stress) == (None, None)
    plain = draw(bank(), "other", N, 4, 0)
    assert (plain.variant, plain.stress) == (None, None)


def test_an_attack_skipped_for_one_case_is_skipped_there_alone() -> None:
    """The reasons of the bank hold for all claims, those of a case for its own."""
    assert draw(bank(), "fake", N, 0, 0).skipped == {"rmia": "no shadows"}
    assert draw(bank(), "other", N, 0, 0).skipped == {"rmia": "no shadows", "gap": "cannot"}


def test_queries_that_one_arm_was_not_asked_are_left_out_for_all() -> None:
    """Where the claimed runs lack a query, so do the arms they are compared with."""
    one = bank()
    rich = Arm(
        {**one.original.margins, RELEARNED: one.original.margins[ids.EXACT]}, {}, one.original.accuracy
    )
    both = replace(one, original=rich, retrained=rich, honest=rich)
    arms = draw(both, "fake", N, 0, 0)
    assert set(arms.original.margins) == {ids.EXACT}
    made = replace(one.cases["fake"], arm=rich)
    for placebo, queries in ((numbered(0, 2 * N), {ids.EXACT}), (rich, {ids.EXACT, RELEARNED})):
        arms = draw(replace(both, cases={"fake": replace(made, placebo=placebo)}), "fake", N, 0, 0)
        assert set(arms.honest.margins) == queries


def test_a_bank_too_small_says_what_it_lacks() -> None:
    """A claim that needs more runs than there are is refused with all numbers."""
    lacking = "takes 11 runs an arm, the bank has only 10 original and 10 retrained and 10 honest"
    with pytest.raises(AuditError, match=lacking):
        draw(bank(), "fake", 11, 0, 0)
    few = replace(bank(), honest=numbered(200, 7))
    with pytest.raises(AuditError, match=r"takes 8 runs an arm, the bank has only 7 honest"):
        draw(few, "fake", 8, 0, 0)


ARMS = ("original", "unlearned", "retrained", "honest", "placebo", "variant")


def alike(a: Arms, b: Arms) -> bool:
    """Whether two claims are the same, number by number, in every world."""
    for arm in ARMS:
        left, right = getattr(a, arm), getattr(b, arm)
        if (left is None) != (right is None):
            return False
        if left is not None:
            for x, y in zip(arm_arrays("", left).items(), arm_arrays("", right).items(), strict=True):
                if x[0] != y[0] or not np.array_equal(x[1], y[1]):
                    return False
    if (a.stress is None) != (b.stress is None):
        return False
    return a.stress is None or b.stress is None or alike(a.stress, b.stress)


def test_a_bank_that_was_kept_is_the_same_bank(tmp_path: Path) -> None:
    """What is opened again draws the same claims, number by number, also of the variant, in the
    stress world, and of the cases in a bank of their own."""
    plain = bank()
    stress = bank(5000, fake=case(6000), other=case(7000))
    apart = replace(
        bank(400, labels=case(3000)), variant=numbered(600, 2 * N), stress=bank(8000, labels=case(9000))
    )
    whole = replace(plain, variant=numbered(300, 2 * N), stress=stress, apart={"labels": apart})
    for one in (plain, whole, replace(whole, stress=None), replace(whole, variant=None)):
        save(one, tmp_path / "bank")
        again = open_bank(tmp_path / "bank")
        assert (again.skipped, again.test_records, again.about) == (one.skipped, one.test_records, one.about)
        assert again.cases["other"].skipped == {"gap": "cannot"}
        assert again.names == one.names
        for name in one.names:
            a, b = draw(one, name, N, 5, 2), draw(again, name, N, 5, 2)
            assert [part.tolist() for part in b.parts] == [[0, 2], [1, 2, 3]]
            assert alike(a, b)
        assert not alike(draw(again, "fake", N, 5, 2), draw(again, "other", N, 5, 2))


def test_a_case_that_withholds_something_is_compared_with_arms_from_which_it_is_withheld(
    tmp_path: Path,
) -> None:
    """The claims of such a case come from a bank of their own, with runs of the same numbers; a
    kept bank keeps it."""
    one = replace(bank(), apart={"labels": bank(400, labels=case(3000))})
    save(one, tmp_path / "bank")
    for either in (one, open_bank(tmp_path / "bank")):
        assert either.names == ["fake", "other", "labels"]
        each = ("original", "retrained", "honest", "fake", "other", "labels")
        assert runs_of(either) == dict.fromkeys(each, 10)
        same, apart = draw(either, "fake", N, 2, 0), draw(either, "labels", N, 2, 0)
        for arm in ("original", "retrained", "honest"):
            assert (getattr(apart, arm).accuracy == getattr(same, arm).accuracy + 400).all()
        assert (apart.unlearned.accuracy == apart.original.accuracy + 2600).all()


def test_what_is_no_bank_is_refused(tmp_path: Path) -> None:
    """A file that holds something else, or nothing, is an integrity error that names it."""
    (tmp_path / "bank").write_bytes(b"something else")
    with pytest.raises(IntegrityError, match="a bank of runs must be"):
        open_bank(tmp_path / "bank")
    with pytest.raises(IntegrityError, match="a bank of runs must be"):
        open_bank(tmp_path / "absent")


def test_what_was_worked_out_run_by_run_is_the_same_for_some_of_the_runs() -> None:
    """AUCs and placements of runs that were taken, joined or shuffled equal those worked out
    anew."""
    arms = simulated_arms(0, n=6)
    for arm in (arms.unlearned, arms.retrained):
        for scores in arm.scores.values():
            scores.auc(), scores.placements()
    runs = np.array([4, 0, 5])
    taken, shuffled = arms.retrained.take(runs), arms.shuffled(3)
    for arm in (taken, shuffled.unlearned, shuffled.retrained, joined(arms.unlearned, arms.retrained)):
        for scores in arm.scores.values():
            fresh = Scores(scores.forget.copy(), scores.control.copy())
            assert (scores.auc() == fresh.auc()).all()
            for kept, anew in zip(scores.placements(), fresh.placements(), strict=True):
                assert (kept == anew).all()
    assert (taken.accuracy == arms.retrained.accuracy[runs]).all()
