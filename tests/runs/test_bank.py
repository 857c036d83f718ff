"""Claims drawn from a bank of runs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config

from auditkit.calibration.trials import trials
from auditkit.claims.criteria import Criteria
from auditkit.core import ids
from auditkit.core.errors import AuditError, IntegrityError
from auditkit.core.ids import RELEARNED
from auditkit.runs.bank import EXACT_CASE, Bank, Case, draw, open_bank, runs_of, save
from auditkit.signals.arms import Arm, joined
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


def bank() -> Bank:
    """Originals are runs 0 to 9, retrained ones 100 to 119, and run 1000 + k was made from run
    k."""
    cases = {"fake": Case(numbered(1000, 2 * N)), "other": Case(numbered(2000, 2 * N), {"gap": "cannot"})}
    return Bank(numbered(0, 2 * N), numbered(100, 4 * N), cases, {"rmia": "no shadows"}, 50, PARTS, {"x": 1})


def test_runs_of_a_claim_are_drawn_without_replacement_and_from_the_right_arms() -> None:
    """Originals are distinct, retrained and honest runs are disjoint, and so are honest unlearned
    ones."""
    for k in range(50):
        arms = draw(bank(), EXACT_CASE, N, 3, k)
        O, U, R, H = (a.accuracy for a in (arms.original, arms.unlearned, arms.retrained, arms.honest))
        assert len(set(O)) == N
        assert max(O) < 2 * N
        assert len({*U, *R, *H}) == 3 * N
        assert min(*U, *R, *H) >= 100


def test_unlearned_runs_are_those_made_from_the_originals_that_were_drawn() -> None:
    """Run k of a fake was made from run k of the originals of the same claim, whatever is looked
    at."""
    for k in range(20):
        arms = draw(bank(), "fake", N, 0, k)
        assert (arms.unlearned.accuracy == arms.original.accuracy + 1000).all()
        assert (
            arms.unlearned.margins[ids.EXACT].forget == arms.original.margins[ids.EXACT].forget + 1000
        ).all()
        assert (arms.unlearned.scores["loss"].control == arms.original.scores["loss"].control + 1000).all()


def test_claims_of_one_number_differ_in_the_claimed_arm_alone() -> None:
    """Claim k of every case has the same originals, retrained and honest runs; another k or seed
    has others."""
    one = bank()
    a, b, c = (draw(one, case, N, 7, 0) for case in (EXACT_CASE, "fake", "other"))
    for arm in ("original", "retrained", "honest"):
        assert len({getattr(x, arm).accuracy.tobytes() for x in (a, b, c)}) == 1
    assert (draw(one, "fake", N, 7, 1).original.accuracy != a.original.accuracy).any()
    assert (draw(one, "fake", N, 8, 0).original.accuracy != a.original.accuracy).any()
    again = draw(bank(), "fake", N, 7, 0)
    assert (again.unlearned.accuracy == b.unlearned.accuracy).all()


def test_every_run_is_as_likely_to_be_drawn() -> None:
    """Over many claims each original is in half of them, and each retrained run in a quarter as
    retrained."""
    counts = np.zeros(200)
    one = bank()
    for k in range(400):
        arms = draw(one, "fake", N, 1, k)
        for run in (*arms.original.accuracy, *arms.retrained.accuracy):
            counts[int(run)] += 1
    assert counts[: 2 * N].sum() == counts[100:120].sum() == 400 * N
    assert np.abs(counts[: 2 * N] - 200).max() < 5 * 10  # five binomial standard deviations
    assert np.abs(counts[100:120] - 100).max() < 5 * np.sqrt(400 * 0.25 * 0.75)


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
    arms = draw(Bank(rich, one.pool, one.cases, {}, 50, [], {}), "fake", N, 0, 0)
    assert set(arms.original.margins) == {ids.EXACT}


def test_a_bank_too_small_says_what_it_lacks() -> None:
    """A claim that needs more runs than there are is refused with both numbers."""
    with pytest.raises(AuditError, match=r"takes 11 original and 22 retrained runs, the bank has 10 and 20"):
        draw(bank(), "fake", 11, 0, 0)
    with pytest.raises(AuditError, match=r"takes 24 retrained runs, the bank has 20"):
        draw(bank(), EXACT_CASE, 8, 0, 0)


def test_a_bank_that_was_kept_is_the_same_bank(tmp_path: Path) -> None:
    """What is opened again draws the same claims, number by number."""
    one = bank()
    save(one, tmp_path / "bank")
    again = open_bank(tmp_path / "bank")
    assert (again.skipped, again.test_records, again.about) == (one.skipped, one.test_records, one.about)
    assert again.cases["other"].skipped == {"gap": "cannot"}
    for case in (EXACT_CASE, "fake", "other"):
        a, b = draw(one, case, N, 5, 2), draw(again, case, N, 5, 2)
        assert (
            [part.tolist() for part in b.parts] == [part.tolist() for part in a.parts] == [[0, 2], [1, 2, 3]]
        )
        for arm in ("original", "unlearned", "retrained", "honest"):
            left, right = getattr(a, arm), getattr(b, arm)
            assert (left.accuracy == right.accuracy).all()
            assert (left.margins[ids.EXACT].control == right.margins[ids.EXACT].control).all()
            assert (left.scores["loss"].forget == right.scores["loss"].forget).all()


def test_a_case_that_withholds_something_is_compared_with_arms_from_which_it_is_withheld(
    tmp_path: Path,
) -> None:
    """The claims of such a case come from a bank of their own, with runs of the same numbers; a
    kept bank keeps it."""
    labels = Bank(
        numbered(0, 2 * N), numbered(500, 4 * N), {"labels": Case(numbered(3000, 2 * N))}, {}, 50, PARTS, {}
    )
    one = replace(bank(), apart={"labels": labels})
    save(one, tmp_path / "bank")
    for either in (one, open_bank(tmp_path / "bank")):
        assert either.names == ["fake", "other", "labels"]
        assert runs_of(either) == {"original": 10, "retrained": 20, "fake": 10, "other": 10, "labels": 10}
        alike, apart = draw(either, "fake", N, 2, 0), draw(either, "labels", N, 2, 0)
        assert (apart.original.accuracy == alike.original.accuracy).all()
        assert (apart.retrained.accuracy == alike.retrained.accuracy + 400).all()
        assert (apart.unlearned.accuracy == apart.original.accuracy + 3000).all()


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


def test_trials_do_not_depend_on_the_number_of_workers() -> None:
    """Three workers find what one finds, claim by claim; a fake that left half of the memory is
    refuted and honest retraining is not, although both are judged by the same call."""
    arms = simulated_arms(4, n=24, share=0.5)
    cases = {"half": Case(arms.unlearned)}
    one = Bank(arms.original, joined(arms.retrained, arms.honest), cases, {}, 100, [], {})
    criteria = Criteria(jitter=(0.1,), attacks=("loss", "gap"), recoveries=())
    wanted = {EXACT_CASE: 4, "half": 3}
    found = trials(one, wanted, criteria, 12, 5)
    with parallel_config(backend="threading"):
        assert trials(one, wanted, criteria, 12, 5, jobs=3) == found
    assert [trial.outcome for trial in found["half"]] == ["not_supported"] * 3
    assert all(ids.residual_memory(ids.EXACT) in trial.refuted_by for trial in found["half"])
    assert "not_supported" not in [trial.outcome for trial in found[EXACT_CASE]]
