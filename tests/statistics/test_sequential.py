"""Looks: what each spends, and how often the looks together are wrong."""

import numpy as np
import pytest
from scipy import stats

from auditkit.statistics.power import equivalence_power, one_sided_power
from auditkit.statistics.sequential import course, schedule

ALPHA, MARGIN = 0.05, 0.2
SD = 2**0.5 * 0.15
LOOKS = schedule([8, 16], 32)


def test_shares_are_those_of_the_new_runs() -> None:
    """Each look spends the part of alpha that its new runs are of all; one look spends it whole."""
    assert schedule([8, 16], 32) == [(8, 0.25), (16, 0.25), (32, 0.5)]
    assert schedule([], 20) == [(20, 1.0)]
    rng = np.random.default_rng(0)
    for _ in range(20):
        *looks, runs = np.sort(rng.choice(np.arange(3, 100), size=5, replace=False)).tolist()
        assert sum(share for _, share in schedule(looks, runs)) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("looks", "runs"), [([8, 8], 16), ([16, 8], 32), ([16], 16), ([0], 8)])
def test_looks_that_do_not_rise_are_refused(looks: list[int], runs: int) -> None:
    """Looks come one after the other and before the last run."""
    with pytest.raises(ValueError, match="looks must rise"):
        schedule(looks, runs)


def test_one_look_has_the_power_that_is_computed() -> None:
    """With one look the simulated course is the exact power of the equivalence test, and of the
    refutation."""
    for truth in (0.0, 0.1, 0.2):
        found = course(schedule([], 14), mean=truth, sd=SD, margin=MARGIN, alpha=ALPHA, tests=3, seed=1)
        assert found.supported[0] == pytest.approx(equivalence_power(14, SD, MARGIN, ALPHA, truth), abs=0.012)
    found = course(schedule([], 14), mean=0.5, sd=SD, margin=MARGIN, alpha=ALPHA, tests=3, seed=1)
    assert found.refuted[0] == pytest.approx(one_sided_power(14, SD, 0.3, ALPHA / 6), abs=0.012)
    assert found.expected_runs == 14


@pytest.mark.parametrize("truth", [MARGIN, -MARGIN])
@pytest.mark.parametrize("looks", [[8], [4, 8, 16], [8, 16], [10, 20, 25, 30], list(range(3, 32))])
def test_wrong_answers_at_the_margin_are_at_most_alpha(looks: list[int], truth: float) -> None:
    """A claim that lies on the margin is wrongly supported, at any look, with probability at most
    alpha, and one as good as that is wrongly refuted as seldom."""
    found = course(schedule(looks, 32), mean=truth, sd=SD, margin=MARGIN, alpha=ALPHA, seed=2)
    chance = 3 * np.sqrt(ALPHA * (1 - ALPHA) / 20_000)
    assert sum(found.supported) <= ALPHA + chance
    assert sum(found.refuted) <= ALPHA + chance


def test_looking_without_spending_would_be_wrong_too_often() -> None:
    """Looks as planned, each at the whole of alpha, support a claim on the margin more often than
    that: the test above can fail."""
    careless = [(n, 1.0) for n, _ in LOOKS]
    found = course(careless, mean=MARGIN, sd=SD, margin=MARGIN, alpha=ALPHA, seed=2)
    assert sum(found.supported) > 1.4 * ALPHA


def test_most_fakes_are_seen_at_the_first_look() -> None:
    """A no-op ends at the first look, an honest claim before the last on average, and neither
    decides worse than a fixed number of runs by more than a few per cent."""
    noop = course(LOOKS, mean=1.0, sd=SD, margin=MARGIN, alpha=ALPHA, tests=25)
    assert noop.expected_runs < 9
    assert sum(noop.refuted) > 0.999
    honest = course(LOOKS, mean=0.0, sd=SD, margin=MARGIN, alpha=ALPHA, tests=25)
    assert honest.expected_runs < 20
    assert sum(honest.supported) > equivalence_power(32, SD, MARGIN, ALPHA) - 0.02


def test_the_course_counts_every_audit_once() -> None:
    """By hand, audit after audit: the first look that decides ends it."""
    replicates, planned = 300, schedule([4, 7], 12)
    x = np.random.default_rng(3).normal(0.15, SD, (replicates, 12))
    supported, refuted, runs = np.zeros(3), np.zeros(3), 0.0
    for row in x:
        for i, (n, share) in enumerate(planned):
            runs_so_far = row[:n]
            p_high = stats.ttest_1samp(runs_so_far, MARGIN, alternative="less").pvalue
            p_low = stats.ttest_1samp(runs_so_far, -MARGIN, alternative="greater").pvalue
            p_outside = min(1.0, 2 * min(1 - p_high, 1 - p_low))
            supported[i] += (yes := max(p_high, p_low) < share * ALPHA)
            refuted[i] += (no := 2 * p_outside < share * ALPHA)
            if yes or no or n == 12:
                runs += n
                break
    found = course(
        planned, mean=0.15, sd=SD, margin=MARGIN, alpha=ALPHA, tests=2, seed=3, replicates=replicates
    )
    np.testing.assert_allclose(found.supported, supported / replicates, atol=1e-12)
    np.testing.assert_allclose(found.refuted, refuted / replicates, atol=1e-12)
    assert found.expected_runs == pytest.approx(runs / replicates)


def test_intervals_hold_whichever_look_ends_the_audit() -> None:
    """The interval of level 1 - 2 share alpha at the look that ends an audit covers the truth with
    probability at least 1 - 2 alpha, though the audit chose when to stop: repeated confidence
    intervals (Jennison & Turnbull 1989)."""
    rng, replicates, truth = np.random.default_rng(4), 20_000, 0.12
    x = rng.normal(truth, SD, (replicates, 32))
    covered, going_on = np.zeros(replicates, dtype=bool), np.ones(replicates, dtype=bool)
    for n, share in LOOKS:
        mean, error = x[:, :n].mean(axis=1), x[:, :n].std(axis=1, ddof=1) / np.sqrt(n)
        half = stats.t.ppf(1 - share * ALPHA, n - 1) * error
        ends = going_on & ((abs(mean) + half < MARGIN) | (abs(mean) - half > MARGIN) | (n == 32))
        covered |= ends & (abs(mean - truth) <= half)
        going_on &= ~ends
    assert covered.mean() >= 1 - 2 * ALPHA
