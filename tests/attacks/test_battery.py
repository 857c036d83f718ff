"""The battery as a whole, and the thresholds per class that some of its attacks learn."""

from dataclasses import replace

import numpy as np
import pytest

from auditkit.attacks import ATTACKS
from auditkit.attacks.battery import near_aucs, run_battery
from auditkit.attacks.per_class import class_thresholds
from auditkit.core.ids import COMPARED, HONEST, RETRAINED, SHADOW, UNLEARNED, Jitter
from auditkit.signals.interface import Interface
from auditkit.signals.measurements import Measured, SetIndices
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Ints
from auditkit.statistics.roc import best_threshold
from tests.attacks.synthetic_signals import (
    CLASSES,
    CONTROL,
    FORGET,
    OUTSIDE,
    RECORDS,
    only,
    quantised,
    synthetic_signals,
)
from tests.attacks.test_attack_contract import SIGNALS, scores


def test_thresholds_are_learnt_class_by_class_on_the_population() -> None:
    """Each class has the best threshold of the shadow runs' own records of that class."""
    loss = ATTACKS["loss"].score
    thresholds = class_thresholds(loss, SIGNALS)
    shadows = SIGNALS.runs_of(SHADOW)
    drawn = np.arange(OUTSIDE[0])
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
    assert np.array_equal(ATTACKS["loss-per-class"].score(SIGNALS, 0), expected)


def test_a_class_the_shadow_runs_never_saw_gets_the_common_threshold() -> None:
    """A class without shadow members is judged by the threshold of all classes together."""
    absent = np.flatnonzero((SIGNALS.labels != 3) | (np.arange(RECORDS) >= OUTSIDE[0]))
    signals = only(SIGNALS, absent)
    loss = ATTACKS["loss"].score
    shadows = signals.runs_of(SHADOW)
    own = signals.member[shadows].any(axis=0)
    values = np.stack([loss(signals, int(run))[own] for run in shadows])
    member = signals.member[np.ix_(shadows, np.flatnonzero(own))]
    assert class_thresholds(loss, signals)[3] == best_threshold(values[member], values[~member])


def test_thresholds_do_not_outlive_their_signals() -> None:
    """Attacking other signals in between does not mix up what was learnt on either."""
    other = synthetic_signals(9, bump=0.5)
    fresh = scores("entropy-per-class", synthetic_signals(9, bump=0.5))
    for name in ("entropy-per-class", "shokri-rf"):
        first = scores(name, SIGNALS)
        scores(name, other)
        assert np.array_equal(scores(name, SIGNALS), first)
    assert np.array_equal(scores("entropy-per-class", other), fresh)


def test_the_battery_attacks_every_compared_run() -> None:
    """The battery has the scores of every run of every compared arm, in order, and a reason for
    each attack it skipped."""
    signals = replace(
        only(SIGNALS, np.arange(RECORDS)),
        arms=np.array([*map(str, COMPARED), *["other"] * (len(SIGNALS.arms) - 4)]),
    )
    sets = places(forget=np.array([5, 2]), control=np.array([170, 161, 180]))
    battery = run_battery(signals, ["loss", "shokri-rf", "gap"], sets)
    assert list(battery.scores) == ["loss", "gap"]
    assert battery.skipped == {
        "shokri-rf": (
            "the attack learns from shadow runs, some trained on a record and some not; there are 0 shadow"
            " runs"
        )
    }
    for run, arm in enumerate(COMPARED):
        s = ATTACKS["gap"].score(signals, run)
        assert np.array_equal(battery.scores["gap"][arm].forget, s[None, sets.forget])
        assert np.array_equal(battery.scores["gap"][arm].control, s[None, sets.control])


def places(forget: Ints, control: Ints) -> SetIndices:
    """Where forget and control records stand, of which alone the battery keeps the scores."""
    none = np.arange(0)
    return SetIndices(none, forget, control, none, none)


def compared(signals: Signals) -> Signals:
    """These signals with a fourth compared arm: the last two shadow runs pass for the honest
    control."""
    arms = signals.arms.astype("U9")
    arms[-2:] = str(HONEST)
    return replace(signals, arms=arms)


def test_an_attack_that_nobody_was_asked_for_is_skipped() -> None:
    """Where no forget record has what an attack needs in every run, the battery skips it and says
    so."""
    signals = compared(synthetic_signals())
    norms = signals.observed["gradient norm"].copy()
    norms[0, FORGET[: len(FORGET) // 2]], norms[1, FORGET[len(FORGET) // 2 :]] = np.nan, np.nan
    battery = run_battery(
        replace(signals, observed={"gradient norm": norms}), ["gradient-norm"], places(FORGET, CONTROL)
    )
    assert battery.scores == {}
    assert list(battery.skipped) == ["gradient-norm"]


def test_near_the_records_the_same_attacks_are_mounted() -> None:
    """The battery near the records has the AUCs that the attacks have on signals in which the
    candidates' answers are those near them and all others are as they were; what needs the model in
    hand has none."""
    signals = compared(SIGNALS)
    names = ["loss", "lira-online", "attack-p", "gradient-norm"]
    candidates = np.concatenate([FORGET, CONTROL])
    noise = np.random.default_rng(5).normal(size=(1, len(candidates), CLASSES))
    beside, sets = quantised(signals.logits[:, candidates] + noise), places(FORGET, CONTROL)
    near = near_aucs(
        Measured(signals, sets, {}, {Jitter(0.1): beside}, parts=(), interface=Interface()), names
    )
    logits = signals.logits.copy()
    logits[:, candidates] = beside
    scores = run_battery(replace(signals, logits=logits), names, sets).scores
    assert list(near) == ["loss", "lira-online", "attack-p"]
    for name in near:
        assert list(near[name][Jitter(0.1)]) == [UNLEARNED, RETRAINED]
        for arm in (UNLEARNED, RETRAINED):
            assert np.array_equal(near[name][Jitter(0.1)][arm], scores[name][arm].auc())
