import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import digamma, polygamma

from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.lira import (
    LEAST_VARIANCE,
    Variance,
    log_ratio,
    offline,
    online,
    per_example,
    pooled,
    reference_margins,
    shrunk,
    two_sided,
    z_score,
)
from auditkit.attacks.per_class import Score
from auditkit.attacks.references import Moments
from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import auc
from tests.attacks.reference_signals import margin_signals, random_signals

Form = Callable[[Variance], Score]

RULES = (per_example, pooled, shrunk)
FORMS = (online, offline, two_sided)
every_rule = pytest.mark.parametrize("rule", RULES)
every_form = pytest.mark.parametrize("form", FORMS)

# From reference/golden.json, "lira_tiny": margins of four runs with and four without each of three
# records.
INSIDE = [[2, 3, 4, 9], [0, 1, 1, 4], [6, 7, 9, 10]]
OUT = [[0, 1, 1, 6], [-1, 0, 0, 3], [5, 6, 8, 13]]
TARGET = [3, -0.5, 4]
TINY = margin_signals(
    [TARGET, *np.transpose(INSIDE), *np.transpose(OUT)], [[0] * 3] + [[1] * 3] * 4 + [[0] * 3] * 4
)


def known(mean: Floats, variance: Floats, n: int = 1000) -> Moments:
    """The moments of so many runs that have exactly this mean and variance."""
    return Moments(np.full(mean.shape, float(n)), mean, n * variance)


def test_golden_online() -> None:
    """The log likelihood ratios of the golden records, each with the variance of its own runs."""
    expected = [-0.20239001, -0.66666667, -1.6903942]
    assert online(per_example)(TINY, 0) == pytest.approx(expected, abs=1e-8)


def test_golden_offline() -> None:
    """The paper's one-sided probabilities of the golden records are the normal distribution
    function of our z."""
    expected = [0.66509232, 0.25249254, 0.09718296]
    assert stats.norm.cdf(offline(per_example)(TINY, 0)) == pytest.approx(expected, abs=1e-8)


def test_golden_residual_spread() -> None:
    """The golden residual SDs are about medians, and without degrees of freedom; taken to means
    they are the pooled ones."""
    for side, golden, runs in zip(
        reference_margins(TINY, 0), (2.04124145, 2.40947205), (INSIDE, OUT), strict=True
    ):
        off = np.mean(runs, axis=1) - np.median(runs, axis=1)
        squares = pooled(side)[0] * 9 + 4 * (off**2).sum() - 12 * off.mean() ** 2
        assert np.sqrt(squares / 12) == pytest.approx(golden)


def variances_one_by_one(rule: Variance, runs: list[Floats]) -> list[float]:
    """A second implementation of the variance rules, from each record's runs in a list."""
    squares = [sum((x - sum(r) / len(r)) ** 2 for x in r) if len(r) else 0.0 for r in runs]
    degrees = [max(len(r) - 1, 0) for r in runs]
    together = sum(squares) / sum(degrees)
    if rule is pooled:
        return [together] * len(runs)
    if rule is per_example:
        return [float(np.var(r)) if len(r) > 1 else together for r in runs]
    e, by_chance = [], []
    for s, d in zip(squares, degrees, strict=True):
        if d:
            e.append(math.log(s / d) - digamma(d / 2) + math.log(d / 2))
            by_chance.append(polygamma(1, d / 2))
    excess = stats.tvar(e) - sum(by_chance) / len(by_chance)
    assert excess > 0
    low, high = 1e-6, 1e9
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if polygamma(1, middle / 2) > excess else (low, middle)
    s02 = math.exp(sum(e) / len(e) + digamma(low / 2) - math.log(low / 2))
    return [(low * s02 + s) / (low + d) for s, d in zip(squares, degrees, strict=True)]


@every_rule
@pytest.mark.parametrize("target", [0, 3])
def test_record_by_record(rule: Variance, target: int) -> None:
    """All forms are what a loop over records makes of their runs one by one, of any target, which
    is not among them."""
    signals, _ = random_signals(1, shadows=7, records=40, outside=10)
    margins, shadows = signals.logits[..., 0].astype(float), [r for r in range(1, 8) if r != target]
    sides = [
        [np.array([margins[r, i] for r in shadows if signals.member[r, i] == inside]) for i in range(50)]
        for inside in (True, False)
    ]
    spreads = [np.sqrt(variances_one_by_one(rule, side)) for side in sides]
    found = [form(rule)(signals, target) for form in FORMS]
    for i, x in enumerate(margins[target]):
        by_hand = np.full(3, np.nan)
        means = [side[i].mean() if len(side[i]) else np.nan for side in sides]
        densities = [stats.norm.logpdf(x, m, sd[i]) for m, sd in zip(means, spreads, strict=True)]
        by_hand[:] = densities[0] - densities[1], (x - means[1]) / spreads[1][i], -densities[1]
        assert [f[i] for f in found] == pytest.approx(by_hand, rel=1e-9, abs=1e-9, nan_ok=True)


def test_auc_of_two_normals() -> None:
    """Where a record's margins are normal and known, members d SDs higher, the AUC over all records
    is Φ(d/√2)."""
    rng = np.random.default_rng(3)
    n, d = 20_000, 1.2
    mean, sd = rng.normal(0, 5, n), np.exp(rng.normal(0, 1, n))
    inside, out = known(mean + d * sd, sd**2), known(mean, sd**2)
    trained = np.arange(n) < n // 2
    x = mean + sd * (rng.normal(size=n) + d * trained)
    theory = stats.norm.cdf(d / np.sqrt(2))
    for s in (log_ratio(x, inside, out, per_example), z_score(x, out, per_example)):
        assert auc(s[trained], s[~trained]) == pytest.approx(theory, abs=0.012)  # 4 SE, SE = .003


def test_it_is_a_likelihood_ratio() -> None:
    """Over non-members exp(score) averages to 1, over members exp(-score), also where the variances
    differ."""
    rng = np.random.default_rng(4)
    zero, one = np.zeros(200_000), np.ones(200_000)
    inside, out = known(0.5 * one, 0.8 * one), known(zero, one)
    for x, sign in ((rng.normal(size=len(zero)), 1), (0.5 + np.sqrt(0.8) * rng.normal(size=len(zero)), -1)):
        ratio = np.exp(sign * log_ratio(x, inside, out, per_example))
        assert ratio.mean() == pytest.approx(1, abs=4 * ratio.std() / np.sqrt(len(ratio)))


def test_two_sides_misjudge_a_target_that_fits_less_well() -> None:
    """A target whose margins are all 1.5 SDs lower is ranked as well as any other by one side, and
    by two the wrong way round."""
    rng = np.random.default_rng(5)
    n, d, lower = 6_000, 1.0, 1.5
    trained = np.arange(n) < n // 2
    member = np.vstack([trained, np.zeros((400, n), dtype=bool)])
    x = rng.normal(size=member.shape) + d * member
    x[0] -= lower
    signals = margin_signals(x, member)
    one, two = (auc(s[trained], s[~trained]) for s in (f(pooled)(signals, 0) for f in (offline, two_sided)))
    # |A| > |B| is (A - B)(A + B) > 0, and these two are independent.
    higher, further = stats.norm.cdf(np.array([d, d - 2 * lower]) / np.sqrt(2))
    assert one == pytest.approx(higher, abs=0.03)
    assert two == pytest.approx(higher * further + (1 - higher) * (1 - further), abs=0.03)
    assert two < 0.4


@every_rule
@every_form
def test_nothing_is_found_where_nothing_is(rule: Variance, form: Form) -> None:
    """Without any effect of training on margins the AUC is a half."""
    signals, trained = random_signals(6, shift=0.0, records=3_000, outside=0)
    s = form(rule)(signals, 0)
    assert auc(s[trained], s[~trained]) == pytest.approx(0.5, abs=0.045)  # 4 SE, SE = .0105


@every_rule
@every_form
def test_any_other_order(rule: Variance, form: Form) -> None:
    """Records in another order have, to the last bit, the same scores in that order."""
    signals, _ = random_signals(10, shadows=5)
    order = np.random.default_rng(0).permutation(len(signals.labels))
    other = replace(
        signals,
        logits=signals.logits[:, order],
        member=signals.member[:, order],
        ids=signals.ids[order],
    )
    score = form(rule)
    assert np.array_equal(score(other, 0), score(signals, 0)[order], equal_nan=True)


@every_rule
def test_who_has_a_score(rule: Variance) -> None:
    """Online, records that reference runs were both trained on and not have finite scores and
    others none; offline, all have that were missed."""
    signals, _ = random_signals(11, shadows=6, records=50, outside=20)
    member = signals.member.copy()
    member[1:, 0] = True
    member[1:, 1] = [False] * 5 + [True]
    signals = replace(signals, member=member)
    assert np.flatnonzero(np.isnan(online(rule)(signals, 0))).tolist() == [0, *range(50, 70)]
    for form in (offline, two_sided):
        assert np.flatnonzero(np.isnan(form(rule)(signals, 0))).tolist() == [0]


@every_rule
@every_form
def test_margins_that_never_change(rule: Variance, form: Form) -> None:
    """Where all reference runs answer alike there is no variance; scores are finite all the same,
    and a larger margin counts as further off."""
    signals = margin_signals([[0.0, 0.5, 1.0]] + [[0.0] * 3] * 8, [[0] * 3] + [[1] * 3] * 4 + [[0] * 3] * 4)
    s = form(rule)(signals, 0)
    assert np.isfinite(s).all()
    if form is not online:
        assert (np.diff(s) > 0).all()
    assert rule(reference_margins(signals, 0)[1]) == pytest.approx(LEAST_VARIANCE)


def test_too_few_runs() -> None:
    """Without two runs on either side of any record the online attack says so; the offline one
    needs two without alone."""
    for shadows in (0, 1, 2, 3):
        signals, _ = random_signals(shadows=shadows)
        with pytest.raises(NotApplicable, match=f"there are {shadows} shadow runs"):
            online(shrunk)(signals, 0)
    for form in (offline, two_sided):
        form(shrunk)(random_signals(shadows=2)[0], 0)
        with pytest.raises(NotApplicable, match="2 not trained on it; there are 1 shadow runs"):
            form(shrunk)(random_signals(shadows=1)[0], 0)


def test_the_target_among_the_references() -> None:
    """A shadow run that is attacked is scored as if its own answers were not among the
    references."""
    signals, _ = random_signals(12, shadows=6)
    rest = replace(signals, arms=np.array(["other", "shadow", "target", *["shadow"] * 4]))
    for rule in RULES:
        assert online(rule)(signals, 2) == pytest.approx(online(rule)(rest, 2), nan_ok=True, rel=1e-9)
