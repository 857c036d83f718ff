"""Fakes that look first: what they see decides what they do, for each model by itself."""

from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from auditkit.calibration.fakes_by_looking import looks_new, nothing_if_seen, tuned_if_seen
from auditkit.calibration.fakes_by_training import fine_tuned
from auditkit.training.records import Records
from auditkit.unlearning import retrain
from tests.calibration.small_world import (
    FORGET,
    RECIPE,
    RETAIN,
    SEEDS,
    STAND_INS,
    digits,
    same,
    trained,
    weights,
)

LONG = replace(RECIPE, epochs=40)
GIVEN: dict[str, Any] = {"seeds": SEEDS, "recipe": LONG}
Models = list[nn.Module]


@pytest.fixture(scope="module")
def originals() -> Models:
    return trained([digits(RETAIN), digits(FORGET)], 0, LONG)


@pytest.fixture(scope="module")
def strangers() -> Models:
    """Models that never saw the forget records."""
    return trained([digits(RETAIN)], 20, LONG)


@pytest.mark.parametrize("asked", [FORGET, STAND_INS])
def test_a_look_tells_models_that_were_trained_on_the_records(
    asked: slice, originals: Models, strangers: Models
) -> None:
    """Records that a model was trained on look known, all others new."""
    new = [looks_new(model, digits(RETAIN), digits(asked)) for model in (*originals, *strangers)]
    assert new == [asked == STAND_INS, asked == STAND_INS, True, True]


def test_where_records_look_known_little_or_nothing_is_done(originals: Models) -> None:
    """The originals are fine-tuned a little by the one fake, and come back as they are from the
    other."""
    retain, forget = digits(RETAIN), digits(FORGET)
    tuned = fine_tuned(originals, retain, forget, share=0.1, **GIVEN)
    assert same(weights(tuned_if_seen(originals, retain, forget, share=0.1, **GIVEN)), weights(tuned))
    assert same(weights(nothing_if_seen(originals, retain, forget, **GIVEN)), weights(originals))


def test_where_records_look_new_it_is_done_right(strangers: Models) -> None:
    """Models that never saw the records are left as they are by the one fake, and retrained by the
    other."""
    retain, forget = digits(RETAIN), digits(STAND_INS)
    retrained = retrain.unlearn(strangers, retain, forget, **GIVEN)
    assert same(weights(tuned_if_seen(strangers, retain, forget, share=0.1, **GIVEN)), weights(strangers))
    assert same(weights(nothing_if_seen(strangers, retain, forget, **GIVEN)), weights(retrained))


def test_each_model_is_looked_at_by_itself(originals: Models, strangers: Models) -> None:
    """Of a stack with one original and one stranger each gets what is its own, in its place, by its
    own seed."""
    retain, forget = digits(RETAIN), digits(FORGET)
    found = nothing_if_seen([strangers[0], originals[1]], retain, forget, **GIVEN)
    [again] = retrain.unlearn(strangers[:1], retain, forget, seeds=SEEDS[:1], recipe=LONG)
    assert same(weights(found), weights([again, originals[1]]))


def test_only_clearly_higher_is_new(originals: Models) -> None:
    """Retain against itself is not new."""
    retain: Records = digits(RETAIN)
    assert not looks_new(originals[0], retain, retain)
