import numpy as np
import pytest
from scipy import stats

from auditkit.statistics.power import POWER, equivalence_power, runs_for_power, runs_to_decide


def power_to_show_below(n: int, value: float, sd: float, margin: float, alpha: float) -> float:
    """Exact power of the one-sided t-test that shows `value` to lie below `margin`."""
    t = stats.t.ppf(1 - alpha, n - 1)
    return float(stats.nct.cdf(-t, n - 1, (value - margin) / (sd / np.sqrt(n))))


@pytest.mark.parametrize("sd", [0.01, 0.1, 0.5])
def test_power_is_a_probability_that_grows_with_runs(sd: float) -> None:
    """Power lies in [0, 1], is 0 for a single run, and grows to 1 as runs are added."""
    power = np.array([equivalence_power(n, sd, 0.2, 0.05) for n in (1, 10, 20, 40, 200, 2000)])
    assert (np.diff(power) >= -1e-8).all()
    assert power[0] == 0
    assert power[-1] == pytest.approx(1)
    assert power.max() <= 1 + 1e-8


def test_power_depends_on_the_margin_in_standard_deviations() -> None:
    """Only the ratio of margin to standard deviation matters."""
    assert equivalence_power(9, 0.3, 0.4, 0.05) == pytest.approx(equivalence_power(9, 3, 4, 0.05))


@pytest.mark.parametrize("sd", [0.01, 0.15, 0.3, 1.0])
def test_runs_for_power_is_the_fewest_that_will_do(sd: float) -> None:
    """The number of runs reaches the power asked for, and one run less does not."""
    n = runs_for_power(sd, 0.2, 0.05)
    assert n is not None
    assert equivalence_power(n, sd, 0.2, 0.05) >= POWER
    assert n == 2 or equivalence_power(n - 1, sd, 0.2, 0.05) < POWER


def test_no_number_of_runs_is_promised_beyond_the_most() -> None:
    """Where the most runs allowed do not reach the power, there is no answer."""
    assert runs_for_power(30, 0.2, 0.05) is None


@pytest.mark.parametrize("value", [0.1, 0.15])
def test_runs_to_decide_have_the_power_they_promise(value: float) -> None:
    """With so many runs a value off centre is shown to lie below the margin with the power
    promised."""
    n = runs_to_decide(value, 0.3, 0.2, 0.05, tests=15, two_sided=True)
    assert n is not None
    assert power_to_show_below(n, value, 0.3, 0.2, 0.05) == pytest.approx(POWER, abs=0.03)


def test_runs_to_decide_a_value_of_zero() -> None:
    """With so many runs a value of 0 is shown to lie within the margin with the power promised."""
    n = runs_to_decide(0.0, 0.3, 0.2, 0.05, tests=15, two_sided=True)
    assert n is not None
    assert equivalence_power(n, 0.3, 0.2, 0.05) >= POWER


def test_runs_to_refute_survive_holm() -> None:
    """With so many runs a value outside is refuted with the power promised, even as the last of 15
    tests."""
    n = runs_to_decide(0.35, 0.3, 0.2, 0.05, tests=15, two_sided=True)
    assert n is not None
    rng = np.random.default_rng(0)
    x = rng.normal(0.35, 0.3, (4000, n))
    p = 2 * stats.ttest_1samp(x, 0.2, axis=1, alternative="greater").pvalue
    assert np.mean(15 * p <= 0.05) == pytest.approx(POWER, abs=0.03)


def test_a_one_sided_margin_is_decided_on_its_own_side() -> None:
    """For an upper bound a value far below it is easier to decide than one close to it."""
    far, near = (runs_to_decide(v, 0.02, 0.01, 0.05, tests=15, two_sided=False) for v in (-0.01, 0.005))
    assert far is not None
    assert near is not None
    assert far < near
    assert power_to_show_below(far, -0.01, 0.02, 0.01, 0.05) >= POWER


def test_a_value_on_the_margin_is_never_decided() -> None:
    """No number of runs decides a value that lies on the margin, on either side."""
    assert runs_to_decide(0.2, 0.1, 0.2, 0.05, tests=1, two_sided=True) is None
    assert runs_to_decide(-0.2, 0.1, 0.2, 0.05, tests=1, two_sided=True) is None
    assert runs_to_decide(0.2, 0.1, 0.2, 0.05, tests=1, two_sided=False) is None
