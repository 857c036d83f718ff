import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from auditkit.models.architectures import mlp
from auditkit.unlearning import fnn
from auditkit.unlearning.fnn_gates import gateable, mean_activations
from auditkit.unlearning.fnn_rates import Rates
from tests.unlearning.fnn_by_hand import (
    CLASSES,
    FORGET,
    RECIPE,
    SEED,
    SIDE,
    assert_close,
    assert_same,
    by_build,
    by_rates,
    fade_by_rank,
    faded,
    forget_means,
    logits,
    model,
    records,
    scaled,
    unlearned,
    weights,
)


@by_build
@pytest.mark.parametrize("t", [0.5, 3.0, 100.0])
def test_a_uniform_gate_on_the_logits_is_a_temperature(build: Callable[[], nn.Module], t: float) -> None:
    """FFR on the last layer divides all logits by e^(t/tau), in every state: no accuracy changes,
    at any t."""
    net = model(build)
    options: dict[str, Any] = {"rates": "fixed", "tau": 10.0, "t": t, "layers": gateable(net)[-1:]}
    for found in (unlearned(net, **options, state="gate on"), faded(net, **options)):
        np.testing.assert_allclose(logits(found), logits(net) / np.exp(t / 10), rtol=1e-6, atol=1e-12)
        np.testing.assert_array_equal(logits(found).argmax(1), logits(net).argmax(1))


@pytest.mark.parametrize("t", [0.5, 3.0, 1e6])
def test_a_uniform_gate_on_a_hidden_layer_acts_through_the_next_bias_alone(t: float) -> None:
    """With logits z = W h + b, it makes them phi z + (1 - phi) b: without that bias a temperature
    again."""
    net = model(lambda: mlp((SIDE, SIDE), CLASSES, hidden=(10,)))
    phi = math.exp(-t / 7)
    bias = net.get_submodule(gateable(net)[-1]).get_parameter("bias").detach().numpy()
    found = unlearned(net, rates="fixed", tau=7.0, t=t, layers=["1"], state="gate on")
    np.testing.assert_allclose(logits(found), phi * logits(net) + (1 - phi) * bias, rtol=1e-6, atol=1e-9)


@by_build
@by_rates
def test_no_time_is_the_identity(build: Callable[[], nn.Module], rates: Rates) -> None:
    """At t = 0 no answer of any member of the family changes by a bit, in no state."""
    for state in fnn.STATES:
        found = faded(model(build), rates=rates, t=0.0, state=state, turns=2, unlearning_epochs=2)
        np.testing.assert_array_equal(logits(found), logits(model(build)))


@by_build
@pytest.mark.parametrize("tau", [1e20, math.inf])
def test_infinite_time_constants_are_the_identity(build: Callable[[], nn.Module], tau: float) -> None:
    """As tau grows phi is 1, in double precision from t / tau = 1e-17 on, and no answer changes by
    a bit."""
    for state in fnn.STATES:
        found = faded(model(build), rates="fixed", tau=tau, state=state)
        np.testing.assert_array_equal(logits(found), logits(model(build)))


@by_build
@pytest.mark.parametrize("rates", ["fixed", "rank"])
@pytest.mark.parametrize("unlearning", ["gate", "descent"])
def test_folding_is_leaving_the_gate_on(
    build: Callable[[], nn.Module], rates: Rates, unlearning: str
) -> None:
    """Folded, a model answers to the last bit what it answers with its gate on."""
    options: dict[str, Any] = {"rates": rates, "t": 2.0, "unlearning": unlearning, "unlearning_epochs": 2}
    on, folded = unlearned(model(build), **options, state="gate on"), faded(model(build), **options)
    np.testing.assert_array_equal(logits(on), logits(folded))
    assert not np.allclose(logits(on), logits(model(build)))
    assert weights(folded).keys() == weights(model(build)).keys()


@by_build
def test_over_forgetting_leaves_one_class(build: Callable[[], nn.Module]) -> None:
    """When K is at least the number of logits and time is long, all logits are 0 and class 0 is
    always chosen: the collapse of the published top-20 variant."""
    for top in (CLASSES, 20):
        found = faded(model(build), rates="top", top=top, t=1e4, layers=gateable(model(build))[-1:])
        np.testing.assert_array_equal(logits(found), 0)
    mild = faded(model(build), rates="top", top=CLASSES - 1, t=1e4, layers=gateable(model(build))[-1:])
    assert (np.abs(logits(mild)).max(0) > 0).sum() == 0  # rank 4 at t = 10,000 too
    spared = faded(model(build), rates="top", top=CLASSES - 1, t=30.0, layers=gateable(model(build))[-1:])
    least = int(mean_activations(model(build), gateable(model(build)), FORGET.x).popitem()[1].argmin())
    assert (np.abs(logits(spared)).max(0) > 1e-8).nonzero()[0].tolist() == [least]


@pytest.mark.parametrize(
    ("clock", "folded", "read"),
    [
        ("turn", "every turn", [2, 2, 2]),
        ("constant", "every turn", [1, 1, 1]),
        ("cumulative", "every turn", [2, 4, 6]),
        ("turn", "last turn", [2]),
        ("constant", "last turn", [1]),
        ("cumulative", "last turn", [6]),
    ],
)
def test_clocks_read_what_is_said(clock: str, folded: str, read: list[int]) -> None:
    """After three turns of two epochs the weights have faded by phi of each reading at which they
    were folded, in units of t: 2, 2, 2 by the clock of the turn, 1, 1, 1 by the constant one, 2, 4,
    6 by the cumulative one."""
    found = faded(
        model(), rates="fixed", tau=7.0, t=0.5, turns=3, unlearning_epochs=2, clock=clock, fold=folded
    )
    phi = math.prod(math.exp(-0.5 * units / 7) for units in read)
    rows = {
        name: [phi] * len(model().get_submodule(name).get_parameter("bias")) for name in gateable(model())
    }
    assert_close(found, scaled(model(), rows))


@pytest.mark.parametrize(("clock", "reading"), [("turn", 2), ("constant", 1), ("cumulative", 6)])
def test_a_gate_left_on_stands_at_the_last_reading(clock: str, reading: int) -> None:
    """The state "gate on" of three turns of two epochs is the model at the last time the clock
    read."""
    on = unlearned(
        model(),
        t=0.5,
        turns=3,
        unlearning_epochs=2,
        clock=clock,
        fold="last turn",
        state="gate on",
        repair_epochs=0,
    )
    expected = unlearned(model(), t=0.5 * reading, state="gate on")
    np.testing.assert_array_equal(logits(on), logits(expected))


def test_ranks_are_frozen_or_recomputed() -> None:
    """Frozen, the second turn goes by the ranks of the given model; recomputed, by those of what is
    left of it."""
    found = {recompute: faded(model(), t=2.0, turns=2, recompute=recompute) for recompute in (False, True)}
    once = fade_by_rank(model(), 2.0, forget_means)
    assert_close(found[True], fade_by_rank(once, 2.0, forget_means))
    assert_close(found[False], fade_by_rank(once, 2.0, lambda _: forget_means(model())))
    assert not np.allclose(logits(found[False]), logits(found[True]))


@by_build
def test_contrast_ranks_by_forget_less_retain(build: Callable[[], nn.Module]) -> None:
    """By contrast the first rank goes to the unit that the forget records excite most above the
    retain records, however many of these there are."""
    retain, net = records(1100), model(build)
    options: dict[str, Any] = {"by": "contrast", "t": 2.0, "repair_epochs": 0}
    (found,) = fnn.unlearn([net], retain, FORGET, seeds=[SEED], recipe=RECIPE, **options)

    def contrast(net: nn.Module) -> dict[str, torch.Tensor]:
        usual = mean_activations(net, gateable(net), retain.x)
        return {name: mean - usual[name] for name, mean in forget_means(net).items()}

    assert_close(found, fade_by_rank(net, 2.0, contrast))
    assert not np.allclose(logits(found), logits(faded(net, t=2.0)))


@pytest.mark.parametrize("rates", ["random", "random subset"])
def test_random_rates_are_drawn_from_the_seed_of_the_run(rates: Rates) -> None:
    """Runs of one seed fade alike and runs of others do not; frozen rates are drawn once, others at
    each turn."""
    one, same, other = (faded(model(), rates=rates, t=2.0, seed=seed) for seed in (1, 1, 2))
    assert_same(one, same)
    assert not np.allclose(logits(one), logits(other))
    frozen, drawn = (
        faded(model(), rates=rates, t=2.0, turns=2, recompute=again, seed=1) for again in (False, True)
    )
    if rates == "random":
        twice = faded(model(), rates=rates, t=4.0, seed=1)  # exp(-2/tau)^2 = exp(-4/tau)
        assert_close(frozen, twice)
    assert not np.allclose(logits(frozen), logits(drawn))
