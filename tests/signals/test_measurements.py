"""Answers become arms: every value from the runs and records that it is said to be of."""

from dataclasses import replace

import numpy as np
import pytest

from auditkit.attacks.battery import run_battery
from auditkit.core.ids import (
    COMPARED,
    EXACT,
    HONEST,
    PLACEBO,
    RETRAINED,
    STRESS,
    UNLEARNED,
    VARIANT,
    ArmKey,
    Jitter,
    Recovered,
)
from auditkit.signals.hinge_margin import hinge
from auditkit.signals.measurements import accuracy, build_arm, build_arms, group_records
from auditkit.statistics.roc import auc
from tests.signals.answers import SETS, example

NEAR = Jitter(0.1)


def test_accuracy_is_the_share_of_right_answers() -> None:
    """Accuracy counts, run by run, the asked records whose label has the highest logit."""
    signals = example().signals
    records = np.array([3, 1, 17])
    right = [
        [signals.logits[run][i].argmax() == signals.labels[i] for i in records]
        for run in signals.runs_of(UNLEARNED)
    ]
    assert accuracy(signals, UNLEARNED, records).tolist() == pytest.approx([sum(r) / 3 for r in right])


def test_an_arm_holds_the_margins_of_its_own_places() -> None:
    """Exact margins are those of the arm's own runs on the forget and control places; jittered
    ones, given for both together, are parted."""
    measured = example()
    signals, beside = measured.signals, measured.other_margins[RETRAINED]
    arm = build_arm(measured, RETRAINED, beside, {})
    h = hinge(signals.logits[signals.runs_of(RETRAINED)], signals.labels)
    assert np.array_equal(arm.margins[EXACT].forget, h[:, 4:8])
    assert np.array_equal(arm.margins[EXACT].control, h[:, 8:12])
    assert np.array_equal(arm.margins[NEAR].forget, beside[NEAR][:, :4])
    assert np.array_equal(arm.margins[NEAR].control, beside[NEAR][:, 4:])
    assert arm.accuracy.tolist() == accuracy(signals, RETRAINED, SETS.test).tolist()


def test_one_run_at_a_time_is_all_runs_at_once_to_the_last_bit() -> None:
    """Margins and accuracies, and how they lie in memory, are those of the same arithmetic on all
    runs together."""
    measured = example()
    signals = measured.signals
    for key in COMPARED:
        beside = measured.other_margins[key]
        arm = build_arm(measured, key, beside, {})
        logits = signals.logits[signals.runs_of(key)]
        exact = hinge(logits, signals.labels)
        right = logits[:, SETS.test].argmax(axis=-1) == signals.labels[SETS.test]
        for found, expected in (
            (arm.margins[EXACT].forget, exact[:, SETS.forget]),
            (arm.margins[EXACT].control, exact[:, SETS.control]),
            (arm.margins[NEAR].forget, beside[NEAR][:, :4]),
            (arm.margins[NEAR].control, beside[NEAR][:, 4:]),
            (arm.accuracy, right.mean(axis=1)),
        ):
            assert np.array_equal(found, expected)
            assert found.strides == expected.strides  # a sum over records depends on it in its last bits


def test_every_compared_arm_is_measured_from_its_own_runs() -> None:
    """Each arm has the AUCs, margins and accuracies of the runs that bear its name."""
    measured = example()
    signals = measured.signals
    battery = run_battery(signals, ["loss", "shokri-rf"], SETS)
    arms = build_arms(measured, battery.scores, battery.skipped)
    assert list(arms.skipped) == ["shokri-rf"]
    for key in COMPARED:
        arm = getattr(arms, key.kind)
        by_arm = battery.scores["loss"][key]
        assert arm.scores["loss"].auc().tolist() == [
            auc(f, c) for f, c in zip(by_arm.forget, by_arm.control, strict=True)
        ]
        assert list(arm.scores) == ["loss"]
        assert np.array_equal(arm.accuracy, accuracy(signals, key, SETS.test))
        exact = hinge(signals.logits[signals.arms == str(key)], signals.labels)
        assert np.array_equal(arm.margins[EXACT].forget, exact[:, SETS.forget])
        assert np.array_equal(arm.margins[NEAR].forget, measured.other_margins[key][NEAR][:, :4])


def test_a_query_that_one_arm_lacks_is_asked_of_none() -> None:
    """A recovery that the models of one arm could not be put through is in no arm, and every other
    query is in all."""
    measured = example(Recovered("probe"), lacking={HONEST})
    arms = build_arms(measured, {}, {})
    for key in COMPARED:
        assert list(getattr(arms, key.kind).margins) == [EXACT, NEAR]
    arms = build_arms(example(Recovered("probe")), {}, {})
    assert list(arms.honest.margins) == [EXACT, NEAR, Recovered("probe")]


EVERY = (*COMPARED, PLACEBO, VARIANT)


def test_arms_that_are_there_are_compared() -> None:
    """Placebo and variant are compared where there are any, in the world that they are of."""
    assert example().compared == COMPARED
    assert example(arms=EVERY).compared == EVERY
    arms = build_arms(example(), {}, {})
    assert (arms.placebo, arms.variant, arms.stress) == (None, None, None)
    stress = tuple(key.within(STRESS) for key in (*COMPARED, PLACEBO))
    both = example(arms=(*EVERY, *stress))
    assert (both.compared, both.compared_in(STRESS)) == (EVERY, stress)


def test_placebo_and_variant_are_measured_from_their_own_runs() -> None:
    """Each has the margins, scores and accuracies of the runs that bear its name; the placebo's
    accuracy is over the test records that it was not asked to forget."""
    measured = example(arms=EVERY)
    signals = measured.signals
    battery = run_battery(signals, ["loss"], SETS, measured.compared)
    arms = build_arms(measured, battery.scores, battery.skipped)
    kept = {PLACEBO: SETS.test[2:], VARIANT: SETS.test}
    for key, test in kept.items():
        arm = getattr(arms, key.kind)
        exact = hinge(signals.logits[signals.arms == str(key)], signals.labels)
        assert np.array_equal(arm.margins[EXACT].forget, exact[:, SETS.forget])
        assert np.array_equal(arm.margins[NEAR].control, measured.other_margins[key][NEAR][:, 4:])
        assert np.array_equal(arm.scores["loss"].forget, battery.scores["loss"][key].forget)
        assert np.array_equal(arm.accuracy, accuracy(signals, key, test))
    assert measured.test_of(UNLEARNED) is measured.sets.test
    every = replace(measured, stand_ins=SETS.test)
    assert every.test_of(PLACEBO) is every.sets.test  # there are no others


def test_a_world_has_the_arms_of_its_own_runs() -> None:
    """The arms of the stress world are the runs that bear its name, though the plain world's are
    there as well."""
    stress = tuple(key.within(STRESS) for key in (*COMPARED, PLACEBO))
    measured = example(arms=(*EVERY, *stress))
    arms = build_arms(measured, {}, {}, STRESS)
    for key in stress:
        exact = hinge(measured.signals.logits[measured.signals.arms == str(key)], measured.signals.labels)
        assert np.array_equal(getattr(arms, key.kind).margins[EXACT].forget, exact[:, SETS.forget])
        right = accuracy(measured.signals, key, SETS.test[2:])  # the others have wrong labels
        assert np.array_equal(getattr(arms, key.kind).accuracy, right)
    assert (arms.variant, arms.stress) == (None, None)


@pytest.mark.parametrize("lacking", [PLACEBO, VARIANT])
def test_what_the_variant_lacks_is_asked_of_the_others(lacking: ArmKey) -> None:
    """A query that the placebo lacks is asked of no arm; the variant, there for a control alone,
    takes nothing from the others."""
    arms = build_arms(example(Recovered("probe"), lacking={lacking}, arms=EVERY), {}, {})
    asked = [EXACT, NEAR] if lacking == PLACEBO else [EXACT, NEAR, Recovered("probe")]
    assert arms.variant is not None
    assert all(list(arm.margins) == asked for arm in arms.judged)
    assert list(arms.variant.margins) == [EXACT, NEAR]


def test_records_of_one_owner_belong_together() -> None:
    """Two or more records with one owner are a group, whatever the kind of owner; one alone is
    none."""
    classes, people = np.array([3, 0, 3, 1, 0]), np.array(["a", "b", "b", "c", "b"])
    assert [rows.tolist() for rows in group_records(classes, people)] == [[1, 4], [0, 2], [1, 2, 4]]
    assert group_records() == []
