from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from auditkit.statistics.hypotheses import (
    equivalence,
    holm,
    not_worse,
    p_above,
    p_below,
    paired,
    ratio_equivalence,
    t_quantile,
    welch,
)
from auditkit.statistics.power import equivalence_power

TRIALS = 3000


def at_most(rate: float, allowed: float, trials: int = TRIALS) -> bool:
    """Whether a simulated rate is no higher than allowed, but for three binomial standard
    errors."""
    return bool(rate <= allowed + 3 * np.sqrt(allowed * (1 - allowed) / trials))


def holm_by_closed_testing(p: dict[str, float]) -> dict[str, float]:
    """Holm's procedure is closed testing by Bonferroni: a hypothesis falls with every set it is
    in."""
    sets = [s for size in range(1, len(p) + 1) for s in combinations(p, size)]
    return {
        name: max(min(1.0, len(s) * min(p[other] for other in s)) for s in sets if name in s) for name in p
    }


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_closed_testing_by_bonferroni(seed: int) -> None:
    """Holm's adjusted p-value is the largest Bonferroni p-value of any set of hypotheses that has
    this one in it."""
    rng = np.random.default_rng(seed)
    p = {name: float(x) for name, x in zip("abcdef", rng.beta(0.3, 2, 6), strict=True)}
    assert holm(p) == pytest.approx(holm_by_closed_testing(p))


def test_holm_by_hand() -> None:
    """The adjusted p-values of .01, .02, .022, .6 are .04, .06, .06, .6, ties and order aside."""
    p = {"d": 0.6, "b": 0.02, "a": 0.01, "c": 0.022}
    assert holm(p) == pytest.approx({"a": 0.04, "b": 0.06, "c": 0.06, "d": 0.6})
    assert holm({}) == {}


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_holm_keeps_the_family_wise_error(shared: float) -> None:
    """With nothing to find, any of five tests is rejected with probability at most α, independent
    or not."""
    rng = np.random.default_rng(0)
    z = np.sqrt(1 - shared) * rng.normal(size=(TRIALS, 5)) + np.sqrt(shared) * rng.normal(size=(TRIALS, 1))
    p = stats.norm.sf(z)
    any_rejected = [min(holm(dict(zip("abcde", row, strict=True))).values()) <= 0.05 for row in p.tolist()]
    assert at_most(float(np.mean(any_rejected)), 0.05)
    assert shared > 0 or np.mean(any_rejected) > 0.03


def test_an_undefined_p_value_does_not_hide_a_refutation() -> None:
    """A p-value that is not defined is refused, as it would lift every other to 1."""
    with pytest.raises(ValueError, match=r"p-values must be in \[0, 1\], got \[nan\]"):
        holm({"undefined": float("nan"), "clear": 1e-9})


def test_one_sample_p_values_agree_with_scipy() -> None:
    """p_above and p_below of one arm are scipy's one-sided t-tests."""
    x = np.random.default_rng(1).normal(0.3, 1, 9)
    above = stats.ttest_1samp(x, 0.1, alternative="greater").pvalue
    assert p_above(*paired(x), 0.1) == pytest.approx(above)
    assert p_below(*paired(x), 0.1) == pytest.approx(1 - above)


def test_two_sample_p_values_agree_with_scipy() -> None:
    """The difference of two arms is tested as scipy's Welch test does."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(1, 1, 9), rng.normal(0, 3, 5)
    above = stats.ttest_ind(x, y + 0.2, equal_var=False, alternative="greater").pvalue
    assert p_above(*welch(x, y), 0.2) == pytest.approx(above)


def test_arms_that_do_not_vary_are_decided_by_their_side() -> None:
    """Without variance p is 0 on the asked-for side of the bound, 1 on the other and on the
    bound."""
    x, y = np.full(4, 0.75), np.full(4, 0.5)
    assert equivalence(*welch(x, y), 0.5).p_within == 0
    assert equivalence(*welch(x, y), 0.5).p_outside == 1
    assert equivalence(*welch(x, y), 0.125).p_within == 1
    assert equivalence(*welch(x, y), 0.125).p_outside == 0
    assert equivalence(*welch(y, x), 0.125).p_outside == 0
    on_the_bound = equivalence(*welch(x, y), 0.25)
    assert (on_the_bound.p_within, on_the_bound.p_outside) == (1, 1)
    assert not_worse(*welch(y, x), 0.125).p_within == 0


@pytest.mark.parametrize("margin", [0.3, 1.0])
def test_equivalence_is_two_one_sided_tests(margin: float) -> None:
    """p_within is the larger of scipy's two one-sided p-values, p_outside twice the smaller of the
    reverse."""
    for seed in range(10):
        x = np.random.default_rng(seed).normal(0.5, 1, 8)
        below = stats.ttest_1samp(x, margin, alternative="less").pvalue
        above = stats.ttest_1samp(x, -margin, alternative="greater").pvalue
        test = equivalence(*paired(x), margin)
        assert test.p_within == pytest.approx(max(below, above))
        assert test.p_outside == pytest.approx(min(1, 2 * min(1 - below, 1 - above)))


def test_within_is_shown_where_the_interval_lies_inside() -> None:
    """p_within <= α exactly where the interval of level 1 - 2α lies inside the margin."""
    shown = []
    for seed in range(200):
        x = np.random.default_rng(seed).normal(0.2, 0.5, 8)
        mean, error, df = paired(x)
        half = t_quantile(0.95, df) * error
        shown.append(equivalence(mean, error, df, 0.6).p_within <= 0.05)
        assert shown[-1] == (max(mean + half, half - mean) < 0.6)
    assert 20 < sum(shown) < 180


@pytest.mark.parametrize("truth", [-0.5, 0.5])
def test_on_the_margin_both_answers_are_rare(truth: float) -> None:
    """With the truth on the margin, "within" is shown with probability at most α, and so is
    "outside"."""
    x = np.random.default_rng(3).normal(truth, 0.4, (TRIALS, 8))
    tests = [equivalence(*paired(row), 0.5) for row in x]
    within = float(np.mean([t.p_within <= 0.05 for t in tests]))
    outside = float(np.mean([t.p_outside <= 0.05 for t in tests]))
    assert at_most(within, 0.05)
    assert within > 0.03
    assert at_most(outside, 0.025)
    assert outside > 0.01


@pytest.mark.parametrize(("n", "sd"), [(5, 0.1), (8, 0.2), (20, 0.4)])
def test_power_is_how_often_equivalence_is_shown(n: int, sd: float) -> None:
    """Equivalence of a true mean of 0 is shown as often as `equivalence_power` says."""
    x = np.random.default_rng(4).normal(0, sd, (TRIALS, n))
    shown = float(np.mean([equivalence(*paired(row), 0.2).p_within <= 0.05 for row in x]))
    power = equivalence_power(n, sd, 0.2, 0.05)
    assert 0.05 < power < 0.99
    assert shown == pytest.approx(power, abs=3.5 * np.sqrt(power * (1 - power) / TRIALS))


def test_ratio_equivalence_is_tests_of_two_differences() -> None:
    """The ratio test is scipy's one-sided t-tests of D - ΔG and D + ΔG."""
    rng = np.random.default_rng(5)
    for true in (-0.5, 0.0, 0.1, 0.5):
        G = rng.normal(10, 1, 9)
        D = true * G + rng.normal(size=9)
        below = stats.ttest_1samp(D - 0.2 * G, 0, alternative="less").pvalue
        above = stats.ttest_1samp(D + 0.2 * G, 0, alternative="greater").pvalue
        test = ratio_equivalence(D, G, 0.2)
        assert test.p_within == pytest.approx(max(below, above))
        assert test.p_outside == pytest.approx(min(1, 2 * min(1 - below, 1 - above)))


def test_not_worse_looks_at_one_side_only() -> None:
    """A loss is judged on one side: any gain, however large, passes and never refutes."""
    x = np.random.default_rng(6).normal(-5, 0.1, 6)
    test = not_worse(*paired(x), 0.01)
    assert test.p_within < 1e-6
    assert test.p_outside > 0.999
    assert not_worse(*paired(-x), 0.01).p_outside < 1e-6
