"""Intervals cover what they say, by a few hundred replicates; `benchmarks.validity.coverage` has
thousands.
"""

from collections.abc import Sequence

import numpy as np
import pytest

from auditkit.evidence.numbers import accuracy_number, mean_number, ratio_number
from auditkit.statistics.drift import paired_slopes
from auditkit.statistics.hypotheses import paired, ratio_interval, t_quantile
from tests.simulations.cases import CASES
from tests.simulations.coverage import Row, covered, rho_covered
from tests.simulations.residual import RhoCase
from tests.simulations.worlds import world

REPLICATES = 250


def assert_covered(rows: Sequence[Row], replicates: int) -> None:
    """Coverage is no less than the level and neither side is missed more often than its half, but
    for three and a half binomial standard errors."""
    assert [row.level for row in rows] == [0.9, 0.95]
    for row in rows:
        miss = 1 - row.level
        slack = 3.5 * np.sqrt(np.array([miss * (1 - miss), miss / 2 * (1 - miss / 2)]) / replicates)
        assert row.undefined == 0
        assert row.covered >= row.level - slack[0]
        assert max(row.below, row.above) <= miss / 2 + slack[1]


@pytest.mark.parametrize(
    ("interval", "setting", "n"),
    [
        ("accuracy", "0.9995 of 800 records", 8),
        ("AUC", "runs share effects", 8),
        ("AUC gap", "unlearned twice as noisy", 8),
        ("before/after AUC", "retrained", 8),
        ("SWAP advantage", "half left", 8),
        ("true-positive rate", "FPR 0.05, 80% of the variance is the record's", 8),
        ("drift slope", "none", 8),
    ],
)
def test_an_interval_covers_the_truth_as_often_as_it_says(interval: str, setting: str, n: int) -> None:
    """With the truth known, the interval of 90 % holds it in 90 % of audits, that of 95 % in 95 %,
    and neither side is favoured."""
    case = next(c for c in CASES if (c.interval, c.setting, c.n) == (interval, setting, n))
    assert case.claimed
    assert_covered(list(covered(case, REPLICATES)), REPLICATES)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_interval_of_residual_memory_covers_it(share: float) -> None:
    """With few runs and a clip, the interval of ρ holds E[D] / E[G] as often as it says."""
    rows, _ = rho_covered(RhoCase("plain", 8, share, world()), REPLICATES)
    assert_covered(rows, REPLICATES)


def test_the_ratio_interval_holds_the_ratios_that_a_t_test_does_not_reject() -> None:
    """At either end of the interval the t-test of D - rG is exactly on the border of rejecting;
    inside it does not reject."""
    rng = np.random.default_rng(0)
    G = rng.normal(5, 1, 7)
    D = 0.4 * G + rng.normal(size=7)
    low, high = ratio_interval(D, G, 0.05)
    for r, inside in ((low, 1.0), (high, 1.0), ((low + high) / 2, 0.5)):
        mean, error, df = paired(D - r * G)
        assert abs(mean) / error == pytest.approx(inside * t_quantile(0.95, df)) or inside < 1
        assert abs(mean) / error <= t_quantile(0.95, df) * (1 + 1e-9)
    assert ratio_interval(D, G - G.mean(), 0.05) == (-np.inf, np.inf)
    bare = ratio_number(D, G - G.mean(), 9, 0.05, "the ratio", "drift")
    assert (bare.value, bare.low, bare.confidence) == (None, None, None)


def test_too_flat_a_slope_is_too_flat_for_both() -> None:
    """A few noisy retrained runs make every slope against their mean too flat; its ratio to their
    own is right, for any margins."""
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 0.7, 4000)
    U, R = ((b * (truth + rng.normal(size=(6, 4000)))) for b in (1.5, 1.0))
    of_arm, of_retrained = paired_slopes(U, R)
    assert of_retrained.mean() < 0.8
    assert of_arm.mean() / of_retrained.mean() == pytest.approx(1.5, abs=0.05)
    assert paired_slopes(R, R)[0] == pytest.approx(paired_slopes(R, R)[1])


def test_runs_that_agree_are_not_certain() -> None:
    """Runs that are all right on all records have an exact limit below 1; with errors enough it is
    the t-interval, within [0, 1]."""
    perfect = accuracy_number(np.ones(8), 50, 0.05, "accuracy")
    assert (perfect.value, perfect.high) == (1.0, 1.0)
    assert perfect.low == pytest.approx(0.05 ** (1 / 400))
    many = np.array([0.8, 0.9, 0.85, 0.7])
    found, plain = accuracy_number(many, 50, 0.05, "accuracy"), mean_number(many, 50, 0.05, "accuracy")
    assert found == plain
    assert accuracy_number(np.array([0.2, 0.99, 0.99]), 100, 0.05, "accuracy").high == 1.0
