from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from auditkit.core.ids import EXACT
from auditkit.statistics.hypotheses import welch
from auditkit.statistics.margins import Margins
from auditkit.statistics.prediction import (
    most_by_chance,
    null_of_one,
    prediction_power,
    rho_equivalence,
    runs_for_prediction,
    runs_to_settle,
    spared_one,
)
from auditkit.statistics.residual import Memory, memory, rho, rho_by_run, rho_interval
from tests.statistics.simulated_arms import linear_arms, simulated_arms

FIRST = np.array([0])


def exact(seed: int, **made: float) -> tuple[Margins, Margins, Margins, Margins]:
    """Original, the first unlearned run, retrained and honest."""
    arms = simulated_arms(seed, **made)  # type: ignore[arg-type]
    O, U, R, H = (a.margins[EXACT] for a in (arms.original, arms.unlearned, arms.retrained, arms.honest))
    return O, U.take(FIRST), R, H


def test_every_fold_judges_the_one_run() -> None:
    """Memory of one run is that of the same run handed in n times over, fold by fold, and has one
    dot."""
    O, one, R, _ = exact(0, n=5)
    seen, repeated = memory(O, one, R), memory(O, one.take(np.zeros(5, dtype=np.int64)), R)
    np.testing.assert_allclose(seen.left, repeated.left, rtol=1e-9, atol=1e-12)
    assert seen.one_run
    assert not repeated.one_run
    assert rho_by_run(seen).tolist() == [rho(seen)]
    assert seen.of(np.arange(3)).one_run


def test_the_interval_holds_what_the_test_does_not_reject() -> None:
    """Scanning Δ with the t-test written out by hand finds the ends of the interval."""
    O, one, R, _ = exact(1, n=7, share=0.4)
    seen = memory(O, one, R)
    low, high = rho_interval(seen, 0.05)
    grid = np.linspace(low - 0.5, high + 0.5, 20_001)
    D, G, n = seen.D, seen.G, len(seen.D)
    rest = D[:, None] - grid * G[:, None]
    error = np.sqrt(seen.left.sum(axis=1).var(ddof=1) + rest.var(axis=0, ddof=1) / n)
    kept = grid[np.abs(rest.mean(axis=0) / error) <= stats.t.ppf(0.95, n - 1)]
    step = grid[1] - grid[0]
    assert (kept[0], kept[-1]) == pytest.approx((low, high), abs=2 * step)


def test_against_nothing_left_the_error_is_that_of_predicting_one_run() -> None:
    """With no noise in the gap, the interval is ρ ± t s √(1 + 1/m), and the test agrees with it."""
    D = np.array([0.1, -0.2, 0.25, 0.05, -0.1, 0.2])
    left, gap = D[:, None], np.ones((6, 1))
    half = stats.t.ppf(0.95, 5) * D.std(ddof=1) * np.sqrt(1 + 1 / 6)
    seen = Memory(left, gap, one_run=True)
    assert rho_interval(seen, 0.05) == pytest.approx((D.mean() - half, D.mean() + half))
    assert rho_equivalence(seen, D.mean() + half).p_within == pytest.approx(0.05)
    many = replace(seen, one_run=False)
    assert rho_equivalence(many, 0.3).p_within < rho_equivalence(seen, 0.3).p_within


@pytest.mark.parametrize("n", [4, 8])
def test_a_new_retrained_run_lies_in_its_interval_as_often_as_stated(n: int) -> None:
    """The 90 % prediction interval holds 0 for about 90 % of new retrained runs: weights and gap
    are all estimated."""
    covered = 0
    for seed in range(250):
        O, one, R, _ = exact(seed, n=n, forget=30, control=60)
        low, high = rho_interval(memory(O, one, R), 0.05)
        covered += low <= 0 <= high
    assert 0.84 <= covered / 250 <= 0.96


def test_a_share_that_is_left_is_covered_and_seldom_supported_at_the_margin() -> None:
    """Where half of the memory is left, the interval holds 0.5 as often as stated, and margin 0.5
    is supported and refuted about as seldom as α."""
    covered = supported = refuted = 0
    for seed in range(200):
        O, U, R = linear_arms(seed, n=8, forget=30, control=60, gap=6, share=0.5)
        seen = memory(O, U.take(FIRST), R)
        low, high = rho_interval(seen, 0.05)
        covered += low <= 0.5 <= high
        test = rho_equivalence(seen, 0.5)
        supported += test.p_within <= 0.05
        refuted += test.p_outside <= 0.05
    assert 0.83 <= covered / 200 <= 0.96
    assert supported / 200 <= 0.1
    assert refuted / 200 <= 0.1


def test_one_value_against_many_is_a_prediction() -> None:
    """The difference of one run to m others has the error s √(1 + 1/m), on either side; new values
    are covered."""
    rng = np.random.default_rng(0)
    many = rng.normal(size=9)
    mean, error, df = welch(np.array([2.0]), many)
    assert mean == pytest.approx(2.0 - many.mean())
    assert df == 8
    assert error == pytest.approx(many.std(ddof=1) * np.sqrt(1 + 1 / 9))
    assert welch(many, np.array([2.0])) == (-mean, error, df)
    inside = 0
    for _ in range(2000):
        mean, error, df = welch(rng.normal(size=1), rng.normal(size=5))
        inside += abs(mean) <= stats.t.ppf(0.95, df) * error
    assert inside / 2000 == pytest.approx(0.9, abs=0.025)


def test_power_is_the_share_of_honest_runs_that_are_supported() -> None:
    """The stated power is how often one of n + 1 equal values is found within the margin of the
    others."""
    rng, n, sd, margin = np.random.default_rng(1), 6, 0.2, 0.5
    values = sd * rng.normal(size=(4000, n + 1))
    mean = values[:, 0] - values[:, 1:].mean(axis=1)
    half = stats.t.ppf(0.95, n - 1) * values[:, 1:].std(axis=1, ddof=1) * np.sqrt(1 + 1 / n)
    found = np.mean(np.abs(mean) + half <= margin)
    assert prediction_power(n, sd, margin, 0.05) == pytest.approx(found, abs=0.03)
    enough = runs_for_prediction(0.15, 0.5, 0.05)
    assert enough is not None
    assert prediction_power(enough, 0.15, 0.5, 0.05) >= 0.8
    assert runs_for_prediction(0.5, 0.5, 0.05) is None


def test_the_runs_that_would_settle_it() -> None:
    """The proposed number is the first whose interval lies inside the margin; none where the run's
    own noise does not."""
    half = stats.t.ppf(0.95, 3) * 0.2 * np.sqrt(1 + 1 / 4)
    assert runs_to_settle(0.0, half, 4, 0.5, 0.05) == 6
    assert runs_to_settle(0.3, half, 4, 0.5, 0.05) is None


def test_how_many_honest_runs_may_be_refuted() -> None:
    """More than the stated number have a chance of at most 1 %, and the stated number itself has
    not."""
    assert most_by_chance(20, 0.05) == 4
    for n in (3, 8, 20, 50):
        most = most_by_chance(n, 0.05)
        assert stats.binom.sf(most, n, 0.05) <= 0.01 < stats.binom.sf(most - 1, n, 0.05)


def test_spared_records_of_one_run() -> None:
    """The null has a value a retrained run; an honest run is seldom suspicious, an original one
    nearly always."""
    honest = original = 0
    for seed in range(25):
        O, one, R, H = exact(seed, n=10, forget=30, control=60)
        assert len(null_of_one(O, R, H, ())) == 20
        honest += spared_one(O, one, R, H, seed=0, alpha=0.05).p <= 0.05
        original += spared_one(O, O.take(FIRST), R, H, seed=0, alpha=0.05).p <= 0.05
    assert honest <= 5
    assert original >= 24
