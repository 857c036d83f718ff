import numpy as np
import pytest
from scipy import stats

from auditkit.attacks import ATTACKS, NotApplicable
from auditkit.attacks.battery import ARMS, run_battery
from auditkit.attacks.per_class import best_threshold, class_thresholds
from auditkit.signals import Signals
from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import auc
from tests.attacks.synthetic_signals import CLASSES, RECORDS, only, quantised, synthetic_signals

NEEDS_SHADOWS = [name for name in ATTACKS if name.endswith("per-class") or name == "shokri"]
SIGNALS = synthetic_signals()

every_attack = pytest.mark.parametrize("name", ATTACKS)


def scores(name: str, signals: Signals, target: int = 0) -> Floats:
    return ATTACKS[name].score(signals, target)


@every_attack
def test_a_score_a_record(name: str) -> None:
    """Every attack gives each record one finite float64, for every run."""
    for target in range(4):
        s = scores(name, SIGNALS, target)
        assert s.shape == (RECORDS,)
        assert s.dtype == np.float64
        assert np.isfinite(s).all()


@every_attack
def test_members_score_higher(name: str) -> None:
    """Where members have larger margins every attack ranks them above non-members, and without members it ranks nobody."""
    forget, control = slice(0, 60), slice(60, 100)
    original = [auc(s[forget], s[control]) for s in (scores(name, SIGNALS, run) for run in (0, 1))]
    retrained = [auc(s[forget], s[control]) for s in (scores(name, SIGNALS, run) for run in (2, 3))]
    assert np.mean(original) > 0.6
    assert np.mean(retrained) == pytest.approx(0.5, abs=0.12)


@every_attack
def test_an_attack_is_deterministic(name: str) -> None:
    """The same signals give the same scores, attack models fitted anew, and without touching the logits."""
    before = SIGNALS.logits.copy()
    first = scores(name, SIGNALS)
    assert np.array_equal(first, scores(name, synthetic_signals()))
    assert np.array_equal(SIGNALS.logits, before)


@every_attack
def test_a_constant_added_to_logits_changes_nothing(name: str) -> None:
    """Adding a constant to all logits of a record leaves its score as it was: only probabilities count."""
    rng = np.random.default_rng(1)
    constants = quantised(rng.normal(0, 4, (*SIGNALS.logits.shape[:2], 1)))
    moved = Signals(
        SIGNALS.logits + constants, SIGNALS.member, SIGNALS.labels, SIGNALS.ids, SIGNALS.arms, SIGNALS.seed
    )
    assert np.array_equal(scores(name, moved), scores(name, SIGNALS))


@pytest.mark.parametrize("name", [n for n in ATTACKS if n != "shokri"])
def test_the_order_of_records_changes_nothing(name: str) -> None:
    """Records in another order have the same scores in that order."""
    order = np.random.default_rng(2).permutation(RECORDS)
    assert np.array_equal(scores(name, only(SIGNALS, order)), scores(name, SIGNALS)[order])


def test_the_order_of_records_hardly_changes_the_shadow_attack() -> None:
    """The random forest draws other rows if they stand in another order: its scores then agree only closely."""
    order = np.random.default_rng(2).permutation(RECORDS)
    agreement = stats.spearmanr(scores("shokri", only(SIGNALS, order)), scores("shokri", SIGNALS)[order])
    assert agreement.statistic > 0.9


@every_attack
def test_the_membership_of_the_target_is_not_looked_at(name: str) -> None:
    """An attack does not know who was a member of the run it attacks: that may be anything."""
    member = SIGNALS.member.copy()
    member[:4] = ~member[:4]
    blind = Signals(SIGNALS.logits, member, SIGNALS.labels, SIGNALS.ids, SIGNALS.arms, SIGNALS.seed)
    assert np.array_equal(scores(name, blind), scores(name, SIGNALS))


@every_attack
def test_only_some_attacks_need_shadow_runs(name: str) -> None:
    """Without shadow runs the attacks that learn from them say so, and the others go on as before."""
    alone = synthetic_signals(shadows=0)
    if name in NEEDS_SHADOWS:
        with pytest.raises(NotApplicable, match="there are 0 shadow runs"):
            scores(name, alone)
    else:
        assert scores(name, alone).shape == (RECORDS,)


@pytest.mark.parametrize("name", NEEDS_SHADOWS)
def test_one_shadow_run_is_enough_or_too_few(name: str) -> None:
    """With a single shadow run an attack either gives finite scores or says that it does not apply."""
    try:
        assert np.isfinite(scores(name, synthetic_signals(shadows=1))).all()
    except NotApplicable as error:
        assert error.reason  # noqa: PT017 -- either answer will do


def test_thresholds_are_learnt_class_by_class_on_the_population() -> None:
    """Each class has the best threshold of the shadow runs' own records of that class."""
    loss = ATTACKS["loss"].score
    thresholds = class_thresholds(loss, SIGNALS)
    shadows = range(4, 10)
    drawn = np.flatnonzero(
        SIGNALS.member[4:].any(axis=0)
    )  # a population record no shadow run drew is left out
    for c in range(CLASSES):
        inside = [
            loss(SIGNALS, r)[i]
            for r in shadows
            for i in range(RECORDS)
            if SIGNALS.member[r, i] and SIGNALS.labels[i] == c
        ]
        outside = [
            loss(SIGNALS, r)[i]
            for r in shadows
            for i in drawn
            if not SIGNALS.member[r, i] and SIGNALS.labels[i] == c
        ]
        assert thresholds[c] == pytest.approx(best_threshold(np.array(inside), np.array(outside)))
    expected = loss(SIGNALS, 0) - thresholds[SIGNALS.labels]
    assert np.array_equal(scores("loss-per-class", SIGNALS), expected)


def test_a_class_the_shadow_runs_never_saw_gets_the_common_threshold() -> None:
    """A class without shadow members is judged by the threshold of all classes together."""
    absent = np.flatnonzero((SIGNALS.labels != 3) | (np.arange(RECORDS) < 100))
    signals = only(SIGNALS, absent)
    loss = ATTACKS["loss"].score
    own = signals.member[4:].any(axis=0)
    values = np.stack([loss(signals, run)[own] for run in range(4, 10)])
    member = signals.member[4:, own]
    assert class_thresholds(loss, signals)[3] == best_threshold(values[member], values[~member])


def test_thresholds_do_not_outlive_their_signals() -> None:
    """Attacking other signals in between does not mix up what was learnt on either."""
    other = synthetic_signals(9, bump=0.5)
    fresh = scores("entropy-per-class", synthetic_signals(9, bump=0.5))
    for name in ("entropy-per-class", "shokri"):
        first = scores(name, SIGNALS)
        scores(name, other)
        assert np.array_equal(scores(name, SIGNALS), first)
    assert np.array_equal(scores("entropy-per-class", other), fresh)


def test_the_battery_attacks_every_compared_run() -> None:
    """The battery has the scores of every run of every compared arm, in order, and a reason for each attack it skipped."""
    signals = synthetic_signals(shadows=0)
    arms = np.array(ARMS)
    signals = Signals(signals.logits, signals.member, signals.labels, signals.ids, arms, 0)
    forget, control = np.array([5, 2]), np.array([70, 61, 80])
    found, skipped = run_battery(signals, ["loss", "shokri", "gap"], forget, control)
    assert list(found) == ["loss", "gap"]
    assert skipped == {
        "shokri": "the attack learns from shadow runs, some trained on a record and some not; there are 0 shadow runs"
    }
    for run, arm in enumerate(ARMS):
        s = scores("gap", signals, run)
        assert np.array_equal(found["gap"][arm].forget, s[None, forget])
        assert np.array_equal(found["gap"][arm].control, s[None, control])
