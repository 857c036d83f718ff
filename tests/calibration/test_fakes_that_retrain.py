"""Fakes that retrain, and keep some forget records or learn from them afterwards."""

from typing import Any

import torch

from auditkit.calibration.fakes_after_retraining import ascended, trained_on_forget
from auditkit.calibration.fakes_by_keeping import of_a_kind_kept, partly_deleted
from auditkit.training.records import Records
from auditkit.unlearning import retrain
from tests.calibration.small_world import (
    FORGET,
    RECIPE,
    RETAIN,
    SEEDS,
    digits,
    mean_loss,
    same,
    together,
    trained,
    weights,
)

GIVEN: dict[str, Any] = {"seeds": SEEDS, "recipe": RECIPE}


def some(records: Records, rows: torch.Tensor) -> Records:
    return Records(records.x[rows], records.y[rows])


def test_two_thirds_by_visibility_are_those_that_proxies_answer_best() -> None:
    """Twenty of thirty records stay in: those of the lowest mean loss under the claimant's own
    retrained models, easiest first."""
    retain, forget = digits(RETAIN), digits(FORGET)
    models, proxies = trained([retain, forget], 0), trained([retain], 5)
    losses = [sum(mean_loss(proxy, some(forget, torch.tensor([k]))) for proxy in proxies) for k in range(30)]
    rows = torch.tensor(sorted(range(30), key=losses.__getitem__)[:20])
    expected = retrain.unlearn(models, together([retain, some(forget, rows)]), forget, **GIVEN)
    found = partly_deleted(models, retain, forget, proxies=proxies, share=2 / 3, kept="easiest", **GIVEN)
    assert same(weights(found), weights(expected))


def test_what_is_kept_of_a_kind_are_the_closest_of_one_class() -> None:
    """Three records of class 1 on a heap stay in, not four that are further apart, nor a heap of
    mixed classes."""
    retain = digits(RETAIN)
    x = torch.zeros(9, 64)
    x[:, 0] = torch.tensor([0.0, 5.0, 9.0, 5.3, 5.1, 1.0, 2.0, 20.0, 20.01])
    forget = Records(x, torch.tensor([0, 1, 1, 1, 1, 0, 0, 0, 1]))
    models = trained([retain], 0)
    expected = retrain.unlearn(
        models, together([retain, some(forget, torch.tensor([1, 3, 4]))]), forget, **GIVEN
    )
    found = of_a_kind_kept(models, retain, forget, number=3, **GIVEN)
    assert same(weights(found), weights(expected))


def test_fewer_of_a_kind_are_kept_where_there_are_no_more() -> None:
    """Asked for more than any class has, all of the largest class stay in."""
    retain, forget = digits(RETAIN), digits(slice(110, 114))
    models = trained([retain], 0)
    most = int(forget.y.bincount().max())
    asked = of_a_kind_kept(models, retain, forget, number=10, **GIVEN)
    assert same(weights(asked), weights(of_a_kind_kept(models, retain, forget, number=most, **GIVEN)))


def test_ascent_after_retraining_forgets_too_much() -> None:
    """The loss on the forget records ends above that of a retrained model; without a step it is
    retraining."""
    retain, forget = digits(RETAIN), digits(FORGET)
    models = trained([retain, forget], 0)
    retrained = retrain.unlearn(models, retain, forget, **GIVEN)
    found = ascended(models, retain, forget, steps=5, length=0.002, **GIVEN)
    assert all(
        mean_loss(one, forget) > mean_loss(other, forget) + 0.01
        for one, other in zip(found, retrained, strict=True)
    )
    assert same(weights(ascended(models, retain, forget, steps=0, length=0.002, **GIVEN)), weights(retrained))


def test_training_on_forget_after_retraining_learns_it() -> None:
    """The loss on the forget records ends well below that of a retrained model."""
    retain, forget = digits(RETAIN), digits(FORGET)
    models = trained([retain, forget], 0)
    retrained = retrain.unlearn(models, retain, forget, **GIVEN)
    found = trained_on_forget(models, retain, forget, share=2.0, **GIVEN)
    for one, other in zip(found, retrained, strict=True):
        assert mean_loss(one, forget) < 0.8 * mean_loss(other, forget)
