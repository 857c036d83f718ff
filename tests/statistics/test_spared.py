import math
from collections.abc import Sequence

import numpy as np
import pytest

from auditkit.core.ids import EXACT
from auditkit.signals.arms import Arms
from auditkit.statistics.likelihood import excess_spread
from auditkit.statistics.margins import Margins, drift_line, stacked
from auditkit.statistics.power import POWER
from auditkit.statistics.spared import Spared, null_statistics, spared
from tests.statistics.simulated_arms import arms_with_placebo, put_right, simulated_arms

AUDITS = 100


def exact(arms: Arms) -> tuple[Margins, Margins, Margins, Margins]:
    """The margins of original, unlearned, retrained and honest runs."""
    O, U, R, H = (a.margins[EXACT] for a in (arms.original, arms.unlearned, arms.retrained, arms.honest))
    return O, U, R, H


def asked(arms: Arms, groups: int = 99) -> Spared:
    return spared(*exact(arms), groups=groups, seed=0, alpha=0.05)


def by_hand(
    O: Margins, U: Margins, P: Margins, pool: Margins, parts: Sequence[Sequence[int]] = ()
) -> tuple[float, int]:
    """The statistic record by record, after method/decision.md section 3: the gap is that to all
    retrained runs, on whose scale all are, and the difference that to P."""
    reference = pool.control.mean(axis=0)
    o, u, p, r = (put_right(arm.forget, arm.control, reference) for arm in (O, U, P, pool))
    uc, pc = (put_right(arm.control, arm.control, reference) for arm in (U, P))
    n = len(u)
    excess = []
    for i in range(uc.shape[1]):
        V = (np.var(uc[:, i], ddof=1) + np.var(pc[:, i], ddof=1)) / n
        if V > 1e-20:
            excess.append((uc[:, i].mean() - pc[:, i].mean()) ** 2 / V)
    kappa = max(1, np.mean(excess))
    delta = [o[:, i].mean() - r[:, i].mean() for i in range(o.shape[1])]
    s = [math.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / 2) for a, b in zip(o.T, r.T, strict=True)]
    seen = [i for i in range(o.shape[1]) if delta[i] > 0.7 * s[i]]
    vary = [i for i in seen if np.var(u[:, i], ddof=1) + np.var(p[:, i], ddof=1) > 1e-20]
    usual = [np.mean([np.var(arm[:, i], ddof=1) for i in vary]) if vary else 0.0 for arm in (u, p)]
    ratios: dict[int, float] = {}
    for i in vary:
        # each variance is taken together with the usual one, which counts for one run
        own = [((n - 1) * np.var(arm[:, i], ddof=1) + m) / n for arm, m in zip((u, p), usual, strict=True)]
        V, d = kappa * sum(own) / n, u[:, i].mean() - p[:, i].mean()
        ratios[i] = math.exp(delta[i] * d / V - delta[i] ** 2 / (2 * V))
    visible, everyone = len(seen), range(o.shape[1])

    def way(share: float, records: Sequence[int]) -> float:
        return math.prod(1 - share + share * ratios[i] for i in records if i in ratios)

    ways = [way(0.1, everyone), way(0.01, everyone)]
    if parts:
        ways.append(sum(way(0.5, part) for part in parts) / len(parts))
    return math.log(sum(ways) / len(ways)), visible


@pytest.mark.parametrize("seed", range(4))
def test_statistic_is_the_formula_record_by_record(seed: int) -> None:
    """T and the number of visible records equal an explicit loop written from the method, held
    against retrained runs and against a placebo."""
    arms = arms_with_placebo(seed, n=6, gap=1.2, spared=2, share=0.1, lift=0.2, temperature=0.8)
    (O, U, R, H), placebo = exact(arms), arms.reference.margins[EXACT]
    parts = [np.arange(10), np.arange(5, 25)] if seed % 2 else []
    for P in (None, placebo):
        found = spared(O, U, R, H, P, parts=parts, groups=1, seed=0, alpha=0.05)
        slow_T, slow_visible = by_hand(O, U, P or R, stacked(R, H), [part.tolist() for part in parts])
        assert pytest.approx(slow_T) == found.T
        assert found.visible == slow_visible
        assert 0 < found.visible < 40


def test_the_null_is_the_statistic_of_divided_retrained_runs() -> None:
    """Each group's T, computed for many groups at once, is that of its runs by the same explicit
    loop."""
    O, _, R, H = exact(simulated_arms(3, n=6, forget=8, control=10))
    parts = ((0, 1, 2), (3, 4))
    null = null_statistics(O, R, H, parts, 110, 7)
    pool, rng = stacked(R, H), np.random.default_rng(7)
    for T in null:
        order = rng.permutation(12)
        chosen, others = np.sort(order[:6]), np.sort(order[6:])
        slow = by_hand(O, pool.take(chosen), pool.take(others), pool, parts)
        assert pytest.approx(slow[0]) == T


def test_a_class_left_in_is_found_more_often_when_it_is_known_as_one() -> None:
    """Records of one part, all left in, none of them much remembered, are found more often if the
    test knows the part."""
    parts = [np.arange(k, k + 20) for k in range(0, 200, 20)]
    caught = {True: 0, False: 0}
    for seed in range(40):
        arms = exact(simulated_arms(seed, n=8, forget=200, control=200, gap=1, spared=20))
        for told in caught:
            found = spared(*arms, parts=parts if told else (), groups=199, seed=0, alpha=0.05)
            caught[told] += found.p <= 0.01
    assert caught[True] >= caught[False] + 3


def test_the_fewest_that_are_noticed_are_noticed() -> None:
    """With as many records left in as the test says it would notice, it finds them in most
    audits."""
    caught, fewest = [], []
    for seed in range(20):
        found = asked(simulated_arms(seed, forget=60, gap=4))
        assert found.fewest is not None
        fewest.append(found.fewest)
        caught.append(asked(simulated_arms(seed, forget=60, gap=4, spared=2 * found.fewest)).p <= 0.05)
    assert max(fewest) <= 5
    assert np.mean(caught) >= 0.7


def test_false_alarms_are_no_more_frequent_than_p_says() -> None:
    """If unlearned runs are like retrained ones, P(p <= .05) is at most .05, with few runs and with
    many."""
    for n in (3, 8):
        p = [asked(simulated_arms(seed, n=n, forget=20, control=40), 39).p for seed in range(AUDITS)]
        assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / AUDITS)


def test_a_few_spared_records_are_caught() -> None:
    """5 of 60 records that were never removed are found at p = .01 in most audits."""
    p = [asked(simulated_arms(seed, forget=60, spared=5)).p for seed in range(20)]
    assert np.mean(np.array(p) <= 0.01) >= 0.7


def test_a_noop_is_caught() -> None:
    """A procedure that does nothing has the smallest p-value there is."""
    arms = simulated_arms(1)
    assert asked(arms.claiming(arms.original)).p == 1 / 100


def test_p_is_the_larger_of_markov_and_the_groups() -> None:
    """p is the larger of exp(-T) and (1 + groups with as large a T) / (1 + groups)."""
    for seed, kept in ((0, 0), (1, 1), (2, 2), (3, 0)):
        found = asked(simulated_arms(seed, n=6, spared=kept))
        by_groups = (1 + sum(t >= found.T for t in found.null)) / (1 + len(found.null))
        assert pytest.approx(max(by_groups, min(1, math.exp(-found.T)))) == found.p
        assert len(found.null) == 99


def test_the_null_depends_on_its_seed_alone() -> None:
    """One seed gives one and the same null and p-value, another seed another null, and T is not
    touched by it."""
    arms = exact(simulated_arms(5))
    one, same, other = (spared(*arms, groups=20, seed=s, alpha=0.05) for s in (1, 1, 2))
    assert np.array_equal(one.null, same.null)
    assert one.p == same.p
    assert not np.array_equal(one.null, other.null)
    assert one.T == other.T


def test_nothing_visible_finds_nothing() -> None:
    """Where no record shows memory, no record takes part, T is 0 and p is 1."""
    arms = simulated_arms(0)
    found = asked(Arms(arms.retrained, arms.unlearned, arms.retrained, arms.honest, {}), 9)
    assert (found.visible, found.T, found.p) == (0, 0, 1)


def test_excess_spread_is_never_below_one() -> None:
    """κ is 1 for arms that agree better than chance or do not vary, and grows with a difference on
    control records."""
    rng = np.random.default_rng(0)
    R = rng.normal(size=(10, 200))
    assert excess_spread(R, R) == 1
    assert excess_spread(np.ones((3, 5)), np.zeros((3, 5))) == 1
    chance = excess_spread(rng.normal(size=(10, 200)), R)
    assert 1 <= chance < 1.4
    assert excess_spread(rng.normal(size=(10, 200)) + 2 * rng.normal(size=200), R) > 10


def test_shifting_control_records_hides_nothing_unsaid() -> None:
    """If a procedure shifts control records at will, records left in are found or the test says it
    is blind."""
    passed = []
    for seed in range(20):
        O, U, R, H = exact(simulated_arms(seed, forget=60, spared=6, gap=2))
        shift = np.random.default_rng(seed).normal(0, 2, (1, U.control.shape[1]))
        reference = R.control.mean(axis=0)
        a, b = drift_line(shift, reference)
        shift -= a + b * reference  # leaves the drift line as it was
        found = spared(O, Margins(U.forget, U.control + shift), R, H, groups=99, seed=0, alpha=0.05)
        passed.append(found.p > 0.05 and found.power >= POWER)
    assert np.mean(passed) <= 0.05


def test_an_honest_arm_leaves_the_test_its_sight() -> None:
    """Among retrained runs, planted records are noticed with the power that support asks for."""
    power = [asked(simulated_arms(seed, forget=60)).power for seed in range(20)]
    assert np.mean(np.array(power) >= POWER) >= 0.9
