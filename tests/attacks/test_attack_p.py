from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from auditkit.attacks import attack_p, loss
from auditkit.attacks.errors import NotApplicable
from auditkit.attacks.per_class import Score
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import auc

CLASSES = 3


def target_signals(seed: int = 0, records: int = 600, bump: float = 0.0) -> Signals:
    """One run of two on the first third; the second third was asked of no one, the last is the
    population. The classes differ in how sure the run is of them, and its members by `bump`."""
    rng = np.random.default_rng(seed)
    member = np.zeros((2, records), dtype=bool)
    member[0, : records // 3] = True
    member[1, records // 3 : 2 * records // 3] = True
    labels = rng.integers(0, CLASSES, records)
    logits = rng.normal(size=(2, records, CLASSES))
    logits[:, np.arange(records), labels] += 2.0 * labels + bump * member
    ids = np.array([f"r{i:04d}" for i in rng.permutation(records)])
    return Signals(logits.astype(np.float32), member, labels, ids, np.array(["original"] * 2), seed)


def test_p_values_by_hand() -> None:
    """Among the losses 1, 3 and 3 the p-values are those of straight lines through (0, 0), (1,
    1/6), (3, 2/3)."""
    found = attack_p.p_values(np.array([0.0, 0.5, 1.0, 2.0, 3.0, 7.0]), np.array([3.0, 1.0, 3.0]))
    assert found == pytest.approx([0, 1 / 12, 1 / 6, (1 / 6 + 2 / 3) / 2, 2 / 3, 1 - 1 / 3 / 2])


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_p_values_count_the_population(decimals: int) -> None:
    """The p-value is the share of the population with a smaller loss, ties half, exactly at its
    losses and to half a step between them."""
    rng = np.random.default_rng(decimals)
    population = np.round(rng.exponential(2, 40), decimals)
    losses = np.concatenate([population, rng.exponential(3, 200)])
    found = attack_p.p_values(losses, population)
    for p, value in zip(found, losses, strict=True):
        smaller = sum(other < value for other in population)
        equal = sum(other == value for other in population)
        if equal:
            assert p == pytest.approx((smaller + equal / 2) / 40)
        else:
            below = max((other for other in population if other < value), default=-1.0)
            above = min((other for other in population if other > value), default=-1.0)
            step = max(sum(other == neighbour for other in population) for neighbour in (below, above))
            assert abs(p - smaller / 40) <= step / 80 + 1e-12
    assert ((found >= 0) & (found < 1)).all()


def test_p_values_are_strictly_increasing() -> None:
    """A larger loss has a larger p-value, also far below and above the whole population, whatever
    the ties in it."""
    losses = np.append(0.0, np.logspace(-300, 2, 2_000))
    for population in ([2.0, 2.0, 5.0], [1e-8, 0.5], [0.3]):
        assert (np.diff(attack_p.p_values(losses, np.array(population))) > 0).all()
    losses = np.append(0.0, np.logspace(-12, 2, 2_000))
    for population in ([0.0, 0.0, 1.0], [0.0, 0.0]):
        assert (np.diff(attack_p.p_values(losses, np.array(population))) > 0).all()


def test_it_ranks_as_the_loss() -> None:
    """With one threshold for all records it is the loss attack on another scale."""
    signals = target_signals(bump=1.0)
    p, plain = attack_p.score(signals, 0), loss.score(signals, 0)
    assert np.array_equal(stats.rankdata(p), stats.rankdata(plain))
    assert ((p > -1) & (p <= 0)).all()


def test_of_nonmembers_as_many_as_it_says_are_accused() -> None:
    """Of non-members the share alpha has a p-value of at most alpha: in every class if learnt class
    by class, but not if learnt on all."""
    signals = target_signals(1, 30_000)
    fresh = np.arange(10_000, 20_000)
    together, apart = -attack_p.score(signals, 0)[fresh], -attack_p.score_per_class(signals, 0)[fresh]
    for alpha in (0.01, 0.1, 0.5):
        error = 5 * np.sqrt(2 * alpha / 3_000)
        assert np.mean(together <= alpha) == pytest.approx(alpha, abs=error)
        for label in range(CLASSES):
            own = signals.labels[fresh] == label
            assert np.mean(apart[own] <= alpha) == pytest.approx(alpha, abs=error)
    assert np.mean(together[signals.labels[fresh] == 0] <= 0.1) < 0.01


def test_per_class_is_the_same_within_each_class() -> None:
    """Class by class the score is that of the attack on this class alone."""
    signals = target_signals(2)
    found = attack_p.score_per_class(signals, 0)
    for label in range(CLASSES):
        own = np.flatnonzero(signals.labels == label)
        alone = Signals(
            signals.logits[:, own],
            signals.member[:, own],
            signals.labels[own],
            signals.ids[own],
            signals.arms,
            0,
        )
        assert np.array_equal(found[own], attack_p.score(alone, 0))


def test_a_class_without_population_is_judged_by_all() -> None:
    """Records of a class that has no population record have the p-value among all of them."""
    signals = target_signals(3)
    kept = np.flatnonzero((signals.labels != 1) | signals.member.any(axis=0))
    signals = Signals(
        signals.logits[:, kept],
        signals.member[:, kept],
        signals.labels[kept],
        signals.ids[kept],
        signals.arms,
        0,
    )
    own = signals.labels == 1
    found = attack_p.score_per_class(signals, 0)
    assert np.array_equal(found[own], attack_p.score(signals, 0)[own])
    assert not np.array_equal(found[~own], attack_p.score(signals, 0)[~own])


@pytest.mark.parametrize("attack", [attack_p.score, attack_p.score_per_class])
def test_members_are_found_and_nobody_else(attack: Score) -> None:
    """Members with larger margins rank higher; where members are no different the AUC is 1/2."""

    def found(bump: float) -> list[float]:
        scores: list[tuple[Floats, Signals]] = [
            (attack(s, 0), s) for s in (target_signals(seed, bump=bump) for seed in range(12))
        ]
        return [auc(s[:200], s[200:400]) for s, _ in scores]

    assert np.mean(found(1.5)) > 0.6
    assert np.mean(found(0.0)) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("attack", [attack_p.score, attack_p.score_per_class])
def test_the_order_of_records_changes_nothing(attack: Score) -> None:
    """Records in another order have the same scores in that order."""
    s = target_signals(4)
    order = np.random.default_rng(0).permutation(len(s.labels))
    other = replace(
        s, logits=s.logits[:, order], member=s.member[:, order], labels=s.labels[order], ids=s.ids[order]
    )
    assert np.array_equal(attack(other, 0), attack(s, 0)[order])


@pytest.mark.parametrize("attack", [attack_p.score, attack_p.score_per_class])
def test_without_a_population_it_does_not_apply(attack: Score) -> None:
    """Where every record was trained on by some run, the attack says that it lacks non-members."""
    signals = target_signals(5)
    with pytest.raises(NotApplicable, match="no run was trained on"):
        attack(replace(signals, member=np.ones_like(signals.member)), 0)
