"""The variance rules of the likelihood-ratio attack."""

import numpy as np
import pytest
from scipy.special import polygamma

from auditkit.attacks.lira import (
    offline,
    online,
    pooled,
    prior,
    reference_margins,
    shrunk,
    trigamma_inverse,
)
from auditkit.attacks.references import Moments
from auditkit.statistics.roc import auc, tpr_at
from tests.attacks.reference_signals import random_signals
from tests.attacks.test_lira import RULES, Form, known


def test_shrinkage_is_between_the_two() -> None:
    """The shrunk variance of each record lies between its own sample variance and the common prior,
    and is that without runs."""
    signals, _ = random_signals(7, shadows=5)
    _, out = reference_margins(signals, 0)
    d = out.n - 1
    s2 = out.m2 / np.maximum(d, 1)
    d0, s02 = prior(s2[d > 0], d[d > 0])
    found = shrunk(out)
    assert ((np.minimum(s2, s02) <= found) & (found <= np.maximum(s2, s02)))[d > 0].all()
    assert found == pytest.approx((d0 * s02 + out.m2) / (d0 + d))
    alone = Moments(
        np.where(np.arange(len(d)) < 9, 1.0, out.n), out.mean, np.where(np.arange(len(d)) < 9, 0.0, out.m2)
    )
    assert len(np.unique(shrunk(alone)[:9])) == 1
    few = Moments(alone.n[9:], alone.mean[9:], alone.m2[9:])
    k = few.n - 1
    assert shrunk(alone)[0] == pytest.approx(prior((few.m2 / np.maximum(k, 1))[k > 0], k[k > 0])[1])


@pytest.mark.parametrize("d", [1, 3, 7, 63])
def test_the_prior_is_recovered(d: int) -> None:
    """Sample variances of records whose own come from a scaled inverse chi-square distribution give
    back its two numbers."""
    rng = np.random.default_rng(8)
    n, d0, s02 = 40_000, 5.0, 2.5
    s2 = d0 * s02 / rng.chisquare(d0, n) * rng.chisquare(d, n) / d
    assert prior(s2, np.full(n, float(d))) == pytest.approx(
        (d0, s02), rel=0.3 if d == 1 else 0.05
    )  # about 2 SE


def test_equal_variances_have_one_prior() -> None:
    """Where records differ in their sample variance no more than by chance, the prior is the pooled
    variance and counts for all."""
    d = np.full(500, 6.0)
    assert list(prior(np.full(500, 1.7), d)) == pytest.approx([np.inf, 1.7])
    rng = np.random.default_rng(9)
    assert prior(rng.chisquare(6, 100_000) / 6, np.full(100_000, 6.0))[0] > 60
    side = known(np.zeros(500), np.full(500, 1.7), 7)
    assert np.array_equal(shrunk(side), pooled(side))


def test_records_without_spread_leave_the_prior_alone() -> None:
    """Records on which all runs answer alike, up to rounding, do not change what the others say of
    the prior."""
    rng = np.random.default_rng(13)
    s2, d = 9 / rng.chisquare(5, 1_000) * rng.chisquare(3, 1_000), np.full(1_020, 3.0)
    alike = np.concatenate([s2, np.zeros(10), np.full(10, 1e-17)])
    assert prior(alike, d) == prior(s2, d[:1_000])


@pytest.mark.parametrize("form", [online, offline])
def test_shrinkage_finds_more_with_few_runs(form: Form) -> None:
    """With four runs a side, of records that differ in their spread, the shrunk variance finds the
    most members at 1 % false alarms, and overall more than the records' own variances."""
    tpr, area = np.zeros((2, 3))
    for seed in range(4):
        signals, trained = random_signals(seed, shadows=8, records=4_000, outside=0)
        for k, rule in enumerate(RULES):
            s = form(rule)(signals, 0)
            tpr[k] += tpr_at(s[trained], s[~trained], 0.01) / 4
            area[k] += auc(s[trained], s[~trained]) / 4
    own, common, between = 0, 1, 2
    assert tpr[between] > max(1.3 * tpr[own], 1.1 * tpr[common])
    assert area[between] > area[own] + 0.004
    assert area[between] > area[common] - 0.01


@pytest.mark.parametrize("y", [1e-3, 0.1, 1.0, 7.0, 1e3, 4e5])
def test_trigamma_inverse(y: float) -> None:
    """It undoes the trigamma function."""
    assert trigamma_inverse(float(polygamma(1, y))) == pytest.approx(y, rel=1e-6)
