"""What holds for every attack of the battery, whatever it goes by."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from auditkit.attacks import ATTACKS, NotApplicable
from auditkit.core.ids import ORIGINAL, RETRAINED, UNLEARNED
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats
from auditkit.statistics.roc import auc
from tests.attacks.synthetic_signals import (
    CANDIDATES,
    CLASSES,
    CONTROL,
    FORGET,
    OUTSIDE,
    RECORDS,
    TARGETS,
    only,
    quantised,
    synthetic_signals,
)

SIGNALS = synthetic_signals()

FITTED = ("shokri-rf", "shokri-gb", "shokri-nn", "shokri-lr", "shokri-svm", "quantile-regression")
"""Attacks that fit a model: in another order, sums differ in their last bits, and a forest in its
draws."""
every_attack = pytest.mark.parametrize("name", ATTACKS)


def scores(name: str, signals: Signals, target: int = 0) -> Floats:
    """The scores of the records whose membership is asked for."""
    return ATTACKS[name].score(signals, target)[CANDIDATES]


def needs_shadows(name: str) -> bool:
    """Whether the attack learns from the attacker's own runs."""
    learns = name.endswith("per-class") and name != "attack-p-per-class"
    return learns or ATTACKS[name].family in ("reference models", "shadow models")


@every_attack
def test_a_score_a_record(name: str) -> None:
    """Every attack gives each record, in question or not, a float64, and one in question a finite
    one, for every run."""
    for target in TARGETS:
        s = ATTACKS[name].score(SIGNALS, target)
        assert s.shape == (RECORDS,)
        assert s.dtype == np.float64
        assert np.isfinite(s[CANDIDATES]).all()


@every_attack
def test_members_score_higher(name: str) -> None:
    """Where members have larger margins every attack ranks them above non-members, and without
    members it ranks nobody; U-LiRA, which asks for unlearned runs, finds those."""
    arm = {"u-lira": UNLEARNED}.get(name, ORIGINAL)
    found, retrained = (
        np.mean(
            [
                auc(s[FORGET], s[CONTROL])
                for s in (scores(name, SIGNALS, int(run)) for run in SIGNALS.runs_of(a))
            ]
        )
        for a in (arm, RETRAINED)
    )
    assert found > 0.6
    assert retrained == pytest.approx(0.5, abs=0.12)


@every_attack
def test_in_every_class_members_score_higher(name: str) -> None:
    """An attack finds members class by class too, and does not live on what differs between
    classes."""
    arm = {"u-lira": UNLEARNED}.get(name, ORIGINAL)
    for label in range(CLASSES):
        inside, outside = (part[SIGNALS.labels[part] == label] for part in (FORGET, CONTROL))
        found = [
            auc(s[inside], s[outside]) for s in (scores(name, SIGNALS, int(r)) for r in SIGNALS.runs_of(arm))
        ]
        assert np.mean(found) > 0.55


@every_attack
def test_an_attack_is_deterministic(name: str) -> None:
    """Equal signals give equal scores, attack models fitted anew, and without touching the
    logits."""
    before = SIGNALS.logits.copy()
    first = scores(name, SIGNALS)
    assert np.array_equal(first, scores(name, synthetic_signals()))
    assert np.array_equal(SIGNALS.logits, before)


@every_attack
def test_a_constant_added_to_logits_changes_nothing(name: str) -> None:
    """Adding a constant to all logits of a record leaves its score as it was: only probabilities
    count."""
    rng = np.random.default_rng(1)
    constants = quantised(rng.normal(0, 4, (*SIGNALS.logits.shape[:2], 1)))
    moved = replace(SIGNALS, logits=SIGNALS.logits + constants)
    assert np.array_equal(scores(name, moved), scores(name, SIGNALS))


@pytest.mark.parametrize("name", [name for name in ATTACKS if ATTACKS[name].family != "shadow models"])
def test_records_that_are_alike_score_alike(name: str) -> None:
    """Two candidates with the same answers in every run, the same label and the same input tie; but
    not where each half of the records is scored by an attack model of its own."""
    signals = synthetic_signals()
    for observed in signals.observed.values():
        observed[:, 7] = observed[:, 3]
    signals.logits[:, 7], signals.member[:, 7] = signals.logits[:, 3], signals.member[:, 3]
    assert signals.inputs is not None
    signals.inputs[7], signals.labels[7] = signals.inputs[3], signals.labels[3]
    for target in (TARGETS[0], TARGETS[-1]):
        s = scores(name, signals, target)
        assert s[7] == pytest.approx(s[3], rel=1e-9, abs=1e-12)


@every_attack
def test_the_order_of_records_changes_nothing(name: str) -> None:
    """Records in another order have the same scores in that order; those of a fitted model nearly
    so."""
    order = np.random.default_rng(2).permutation(RECORDS)
    there = ATTACKS[name].score(only(SIGNALS, order), 0)
    here = ATTACKS[name].score(SIGNALS, 0)[order]
    asked = np.isfinite(here)
    if name in FITTED:
        assert stats.spearmanr(there[asked], here[asked]).statistic > 0.9
    else:
        assert np.array_equal(there, here, equal_nan=True)


@every_attack
def test_the_membership_of_the_target_is_not_looked_at(name: str) -> None:
    """An attack does not know which candidates were members of the run it attacks: that may be
    anything."""
    member = SIGNALS.member.copy()
    member[np.ix_(TARGETS, range(CANDIDATES.stop))] ^= True
    assert np.array_equal(scores(name, replace(SIGNALS, member=member)), scores(name, SIGNALS))


@every_attack
def test_only_some_attacks_need_shadow_runs(name: str) -> None:
    """Without shadow runs the attacks that learn from them say so, and the others go on as
    before."""
    alone = synthetic_signals(shadows=0)
    if needs_shadows(name):
        with pytest.raises(NotApplicable, match="there are 0"):
            scores(name, alone)
    else:
        assert np.isfinite(scores(name, alone)).all()


@pytest.mark.parametrize("name", [name for name in ATTACKS if needs_shadows(name)])
def test_one_shadow_run_is_enough_or_too_few(name: str) -> None:
    """With a single shadow run an attack either gives finite scores to those it can judge or says
    that it does not apply."""
    try:
        s = scores(name, synthetic_signals(shadows=1))
    except NotApplicable as error:
        assert error.reason  # noqa: PT017 -- either answer will do
    else:
        assert np.isfinite(s).any()


@pytest.mark.parametrize("name", [name for name in ATTACKS if ATTACKS[name].observes])
def test_what_was_not_observed_is_not_guessed(name: str) -> None:
    """Without what must be measured with the model in hand, or with nothing but gaps, the attack
    says that it does not apply; a record that was not asked about has no score."""
    with pytest.raises(NotApplicable):
        scores(name, replace(SIGNALS, observed={}))
    what = ATTACKS[name].observes
    assert what is not None
    values = SIGNALS.observed[what].copy()
    values[:, 5] = np.nan
    s = scores(name, replace(SIGNALS, observed={what: values}))
    assert np.flatnonzero(np.isnan(s)).tolist() == [5]
    with pytest.raises(NotApplicable):
        scores(name, replace(SIGNALS, observed={what: values * np.nan}))


@pytest.mark.parametrize(
    "name", ["rmia-online", "rmia-offline", "attack-p", "attack-p-per-class", "quantile-regression"]
)
def test_without_known_non_members_some_attacks_do_not_apply(name: str) -> None:
    """Where every record was in some training set, attacks that learn from non-members say so."""
    with pytest.raises(NotApplicable, match="that no run was trained on"):
        scores(name, only(SIGNALS, np.arange(OUTSIDE[0])))
