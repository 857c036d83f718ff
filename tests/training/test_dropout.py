import copy

import numpy as np
import pytest
import torch
from torch import nn

from auditkit.training import Recipe, fit
from tests.training.textbook import (
    RECIPE,
    SEEDS,
    assert_equal_weights,
    dropping,
    records,
    started,
)


def twins(share: float) -> list[nn.Module]:
    """Two runs with equal weights, records and orders: but for dropout they are one."""
    x, y = records()
    model = started(lambda: dropping(share), [1])[0]
    return fit([model, copy.deepcopy(model)], x, y, RECIPE, seeds=[2, 2])


def test_dropout_differs_between_the_runs_of_a_stack() -> None:
    """Runs that are equal in all but dropout come out different with it, and equal without it."""
    one, other = twins(0.5)
    for weight, same in zip(one.parameters(), other.parameters(), strict=True):
        assert not torch.equal(weight, same)
    assert_equal_weights(*twins(0.0))


def test_dropout_drops_the_share_it_says() -> None:
    """In one step on one record, half of the units of 300 equal runs that would learn do not."""
    x, y = records(1)
    start = started(dropping, [1])[0]
    weight, bias = start.get_parameter("0.weight"), start.get_parameter("0.bias")
    runs = [copy.deepcopy(start) for _ in range(300)]
    fit(runs, x, y, Recipe(1, 1, 1.0, optimiser="sgd"), seeds=list(range(300)))
    learnt = torch.stack([(run.get_parameter("0.weight") != weight).any(1) for run in runs])
    share = learnt[:, weight @ x[0] + bias > 0].double().mean(0)
    assert ((share - 0.5).abs() < 4 * 0.5 / np.sqrt(300)).all()


def test_dropout_trained_alone_comes_from_the_seed() -> None:
    """A model trained by itself on one record draws its dropout from its seed: another seed,
    another model."""
    x, y = records(1)
    one, same, other = (fit(started(dropping, [1]), x, y, RECIPE, seeds=[seed])[0] for seed in (2, 2, 3))
    assert_equal_weights(one, same)
    assert not torch.equal(one.get_parameter("3.bias"), other.get_parameter("3.bias"))


@pytest.mark.parametrize("n", [1, 2])
def test_models_are_trained_in_training_mode(n: int) -> None:
    """A model that comes in eval mode, as one to be repaired does, is trained with its dropout all
    the same."""
    x, y = records()
    asked = [model.eval() for model in started(dropping, SEEDS[:n])]
    fitted = fit(started(dropping, SEEDS[:n]), x, y, RECIPE, seeds=SEEDS[:n])
    for one, other in zip(fit(asked, x, y, RECIPE, seeds=SEEDS[:n]), fitted, strict=True):
        assert_equal_weights(one, other)


@pytest.mark.parametrize("n", [1, 2])
def test_dropout_does_not_act_on_a_fitted_model(n: int) -> None:
    """What training returns answers the same each time."""
    x, y = records()
    for model in fit(started(dropping, SEEDS[:n]), x, y, RECIPE, seeds=SEEDS[:n]):
        assert torch.equal(model(x), model(x))


@pytest.mark.parametrize("n", [1, 2])
def test_training_leaves_the_global_generator_alone(n: int) -> None:
    """Neither dropout nor the orders of records move torch's or numpy's global random state."""
    x, y = records()
    models = started(dropping, SEEDS[:n])
    before, numpys = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"]
    fit(models, x, y, RECIPE, seeds=SEEDS[:n])
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(np.random.get_state(legacy=False)["state"]["key"], numpys)
