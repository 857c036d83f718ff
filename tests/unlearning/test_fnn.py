import copy
import inspect
import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from auditkit.core.errors import UsageError
from auditkit.models.architectures import answer, cnn, mlp
from auditkit.probes.copies import plain_copy
from auditkit.training import Recipe, fit, initialise, run_seed
from auditkit.training.records import Records
from auditkit.unlearning import UNLEARNERS, fnn
from auditkit.unlearning.binding import bind_procedure, option_problems
from auditkit.unlearning.fnn_gates import gateable, mean_activations, set_time
from auditkit.unlearning.fnn_rates import Rates, ranks
from auditkit.unlearning.fnn_steps import wrong_labels

RECIPE = Recipe(epochs=3, batch_size=8, learning_rate=0.01)
SIDE, CLASSES, SEED = 8, 4, 5


def perceptron() -> nn.Module:
    return mlp((SIDE, SIDE), CLASSES, hidden=(10, 8))


def convolutional() -> nn.Module:
    return cnn((SIDE, SIDE), CLASSES)


def model(build: Callable[[], nn.Module] = perceptron, seed: int = 1) -> nn.Module:
    return initialise(build, seed).double().eval()


def records(n: int = 30, seed: int = 2) -> Records:
    x = torch.randn(n, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)).double()
    return Records(x, torch.arange(n) % CLASSES)


RETAIN, FORGET = records(20), records(12, seed=3)


def unlearned(net: nn.Module, *, recipe: Recipe = RECIPE, seed: int = SEED, **options: Any) -> nn.Module:
    """One model after FNN."""
    (found,) = fnn.unlearn([net], RETAIN, FORGET, seeds=[seed], recipe=recipe, **options)
    return found


def faded(net: nn.Module, **options: Any) -> nn.Module:
    """One model after FNN, folded, and nothing repaired."""
    return unlearned(net, repair_epochs=0, **options)


def trained(net: nn.Module, recipe: Recipe, phase: str, turn: int = 0, lesson: Records = RETAIN) -> nn.Module:
    (found,) = fit([net], *lesson, recipe, seeds=[run_seed(SEED, phase, turn)])
    return found


def logits(net: nn.Module) -> np.ndarray[Any, np.dtype[np.float64]]:
    """In the models' own numbers."""
    with torch.no_grad():
        return np.asarray(net.eval()(records(seed=4).x).numpy())


def weights(net: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in net.named_parameters()}


def assert_same(one: nn.Module, other: nn.Module) -> None:
    """To the last bit."""
    expected = weights(other)
    assert weights(one).keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in weights(one).items())


def scaled(net: nn.Module, phi: Mapping[str, Sequence[float]]) -> nn.Module:
    """A copy with row i of weight and bias of the named layers times phi_i."""
    net = copy.deepcopy(net)
    with torch.no_grad():
        for name, factors in phi.items():
            for kind in ("weight", "bias"):
                for row, factor in zip(net.get_submodule(name).get_parameter(kind), factors, strict=True):
                    row.mul_(factor)
    return net


def assert_close(one: nn.Module, other: nn.Module, tolerance: float = 1e-6) -> None:
    """Up to rounding; rates are multiplied in single precision."""
    torch.testing.assert_close(weights(one), weights(other), rtol=tolerance, atol=1e-9)


by_build = pytest.mark.parametrize("build", [perceptron, convolutional])
by_rates = pytest.mark.parametrize("rates", get_args(Rates))


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


def fade_by_rank(
    net: nn.Module, t: float, activation: Callable[[nn.Module], Mapping[str, torch.Tensor]]
) -> nn.Module:
    phi = {name: np.exp(-t / ranks(mean).numpy()).tolist() for name, mean in activation(net).items()}
    return scaled(net, phi)


def forget_means(net: nn.Module) -> dict[str, torch.Tensor]:
    return mean_activations(net, gateable(net), FORGET.x)


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


def redrawn(name: str) -> dict[str, torch.Tensor]:
    """Weight and bias of a fresh draw, in the order of the model's layers under the seed of the
    run's first turn."""
    fresh = model()

    def draw() -> nn.Module:
        for each in gateable(fresh):
            layer = fresh.get_submodule(each)
            assert isinstance(layer, nn.Linear)
            layer.reset_parameters()
        return fresh

    return weights(initialise(draw, run_seed(SEED, "fresh", 0)).get_submodule(name))


def test_what_has_faded_for_good_is_drawn_anew() -> None:
    """With fresh = 1 and endless time, every row is that of a layer that has never been trained."""
    found = faded(model(), t=1e6, fresh=1.0)
    for name in gateable(model()):
        assert_same_tensors(weights(found.get_submodule(name)), redrawn(name))


def assert_same_tensors(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("epochs", [1, 2])
@pytest.mark.parametrize("fresh", [0.0, 0.3, 1.0])
def test_fresh_mixes_a_new_draw_into_what_has_faded(fresh: float, epochs: int) -> None:
    """Row i of weight and bias becomes phi_i w_i + fresh (1 - phi_i) w_new,i, and the units that do
    not fade stay."""
    found = faded(model(), t=2.0 / epochs, unlearning_epochs=epochs, fresh=fresh)
    for name, mean in forget_means(model()).items():
        old, new = weights(model().get_submodule(name)), redrawn(name)
        got = weights(found.get_submodule(name))
        for unit, rank in enumerate(ranks(mean).tolist()):
            phi = math.exp(-2.0 / rank)
            for kind in ("weight", "bias"):
                expected = phi * old[kind][unit] + fresh * (1 - phi) * new[kind][unit]
                torch.testing.assert_close(got[kind][unit], expected, rtol=1e-6, atol=1e-9)
    one_layer = faded(model(), t=2.0, fresh=fresh, layers=["1"])
    assert_same(one_layer.get_submodule("3"), model().get_submodule("3"))
    assert_same(faded(model(), t=0.0, fresh=fresh), model())


def forward(x: torch.Tensor, values: Sequence[torch.Tensor], phi: Sequence[torch.Tensor]) -> torch.Tensor:
    """The perceptron, with h = relu(phi (W h + b)) written out."""
    h = x.flatten(1)
    for layer, factor in enumerate(phi):
        h = factor * (h @ values[2 * layer].T + values[2 * layer + 1])
        h = h.relu() if layer < len(phi) - 1 else h
    return h


def naive_steps(
    net: nn.Module, t: float, unlearning: str, learning_rates: Sequence[float], turn: int = 0
) -> nn.Module:
    """Plain gradient descent, or ascent, through the gates, batch by batch, one epoch for each
    learning rate."""
    net = copy.deepcopy(net)
    values = list(net.parameters())
    tau = [ranks(mean) for mean in forget_means(net).values()]
    for epoch, rate in enumerate(learning_rates):
        seed = run_seed(run_seed(SEED, "unlearning", turn), "epoch", epoch)
        phi = [torch.exp(-t * (epoch + 1) / each) for each in tau]
        labels = wrong_labels(net, FORGET, seed) if unlearning == "random labels" else FORGET.y
        order = np.random.default_rng(seed).permutation(len(labels))
        for start in range(0, len(order), 8):
            batch = order[start : start + 8]
            loss = cross_entropy(forward(FORGET.x[batch], values, phi), labels[batch])
            with torch.no_grad():
                for value, slope in zip(values, torch.autograd.grad(loss, values), strict=True):
                    value.add_(slope, alpha=rate if unlearning == "ascent" else -rate)
    return net


@pytest.mark.parametrize("unlearning", ["descent", "ascent", "random labels"])
def test_steps_are_taken_through_the_gate(unlearning: str) -> None:
    """Two epochs of descent, ascent or descent on wrong labels, at t and 2 t, are those of a loop
    that writes the gates and the steps out: the weights under the gate are its, and folded they
    have faded by the last phi."""
    recipe = replace(RECIPE, optimiser="sgd", momentum=0.0, learning_rate=0.5)
    options: dict[str, Any] = {"t": 1.0, "unlearning": unlearning, "unlearning_epochs": 2, "recipe": recipe}
    by_hand = naive_steps(model(), 1.0, unlearning, [0.5, 0.5])
    under = plain_copy(unlearned(model(), state="gate off", **options))
    assert_close(under, by_hand)
    assert not np.allclose(logits(under), logits(model()), atol=1e-3)
    assert_close(
        faded(model(), **options),
        fade_by_rank(by_hand, 2.0, lambda _: forget_means(model())),
    )


@pytest.mark.parametrize(
    ("schedule", "learning_rates"),
    [("constant", [0.5, 0.5]), ("cosine", [0.5, 0.25]), ("step", [0.5, 0.05])],
)
def test_unlearning_follows_the_schedule_of_the_recipe(schedule: str, learning_rates: list[float]) -> None:
    """Epochs of unlearning are taken at the rates that the recipe has for so many epochs."""
    recipe = replace(RECIPE, optimiser="sgd", momentum=0.0, learning_rate=0.5, schedule=schedule, gamma=0.1)
    options: dict[str, Any] = {"unlearning": "descent", "unlearning_epochs": 2, "recipe": recipe, "t": 1.0}
    under = plain_copy(unlearned(model(), **options, state="gate off"))
    assert_close(under, naive_steps(model(), 1.0, "descent", learning_rates))


def test_ascent_raises_the_loss_that_descent_lowers() -> None:
    """On the forget records, seen through the gate, after the same number of steps."""

    def loss(unlearning: str) -> float:
        on = unlearned(model(), unlearning=unlearning, unlearning_epochs=3, t=0.1, state="gate on")
        return cross_entropy(on(FORGET.x), FORGET.y).item()

    # The gate of three epochs is the same, whatever is done through it.
    assert loss("descent") < loss("gate") < loss("ascent")
    assert loss("gate") < loss("random labels")


def test_layers_that_are_not_trained_fade_and_are_not_trained() -> None:
    """A frozen layer is left alone by the steps and stays frozen, but fades as all others do."""
    net = model()
    net.get_submodule("1").requires_grad_(False)
    found = unlearned(net, t=2.0, unlearning="descent")
    assert_same(found.get_submodule("1"), faded(model(), t=2.0).get_submodule("1"))
    trainable = {name: weight.requires_grad for name, weight in found.named_parameters()}
    assert trainable == {name: weight.requires_grad for name, weight in net.named_parameters()}
    assert not torch.equal(weights(found)["3.weight"], weights(faded(model(), t=2.0))["3.weight"])


def test_random_labels_are_wrong_and_otherwise_by_chance() -> None:
    """No record is given its own label; each other class is as likely, and the draw is the
    seed's."""
    many = records(3000)
    labels = wrong_labels(model(), many, seed=1)
    assert (labels != many.y).all()
    shifts = torch.bincount((labels - many.y) % CLASSES, minlength=CLASSES) / len(many.y)
    assert shifts.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3], abs=4 * math.sqrt(2 / 9 / 3000))
    assert torch.equal(labels, wrong_labels(model(), many, seed=1))
    assert not torch.equal(labels, wrong_labels(model(), many, seed=2))


@pytest.mark.parametrize(
    ("options", "learnt"),
    [
        ({"repair_rate": 0.5}, {"learning_rate": 0.005}),
        ({"repair_schedule": "cosine"}, {"schedule": "cosine"}),
        ({"repair_schedule": "constant"}, {"schedule": "constant"}),
        ({}, {}),
    ],
)
def test_repair_is_the_recipe_at_its_own_rate(options: dict[str, Any], learnt: dict[str, Any]) -> None:
    """Repair is training on what is left by the recipe, its learning rate times repair_rate, by
    repair_schedule."""
    recipe = replace(RECIPE, schedule="step", gamma=0.5)
    found = unlearned(model(), t=2.0, repair_epochs=4, recipe=recipe, **options)
    expected = trained(faded(model(), t=2.0), replace(recipe, epochs=4, **learnt), "repair")
    assert_same(found, expected)


def test_learning_on_all_sees_the_forget_records_too() -> None:
    """With learn = "all" a repair is training on retain and forget records, as in the public
    code."""
    everything = Records(torch.cat([RETAIN.x, FORGET.x]), torch.cat([RETAIN.y, FORGET.y]))
    found = unlearned(model(), t=2.0, repair_epochs=2, learn="all")
    expected = trained(faded(model(), t=2.0), replace(RECIPE, epochs=2), "repair", lesson=everything)
    assert_same(found, expected)


def test_without_folding_gates_alone_leave_no_trace_on_what_is_learnt() -> None:
    """If only the last turn is folded, the turns before it are plain learning, as their gate is
    switched off."""
    net = model()
    for turn in range(2):
        net = trained(net, replace(RECIPE, epochs=1), "repair", turn)
    learnt = copy.deepcopy(net)
    expected = trained(faded(net, t=2.0), replace(RECIPE, epochs=1), "repair", 2)
    options: dict[str, Any] = {"t": 2.0, "turns": 3, "repair_epochs": 1, "fold": "last turn"}
    assert_same(unlearned(model(), **options), expected)
    assert_same(plain_copy(unlearned(model(), **options, state="gate off")), learnt)


@by_build
@pytest.mark.parametrize("unlearning", ["gate", "descent"])
def test_gate_on_and_off_differ_by_the_gate_alone(build: Callable[[], nn.Module], unlearning: str) -> None:
    """The published end state and its gate switched off hold the same weights: what the gate hides
    is all there."""
    options: dict[str, Any] = {"turns": 2, "t": 3.0, "fold": "last turn", "repair_epochs": 1, "learn": "all"}
    on, off = (
        unlearned(model(build), **options, unlearning=unlearning, state=state)
        for state in ("gate on", "gate off")
    )
    assert_same(on, off)
    assert not np.allclose(logits(on), logits(off))
    set_time(on, 0)
    np.testing.assert_array_equal(logits(on), logits(off))


def test_switching_off_the_published_gate_brings_the_memory_back() -> None:
    """A model that knows its forget records knows them as well as ever once the gate of "fnn-rank"
    is off, and worse while it is on."""
    recipe = Recipe(epochs=40, batch_size=8, learning_rate=0.01)
    everything = Records(torch.cat([RETAIN.x, FORGET.x]), torch.cat([RETAIN.y, FORGET.y]))
    original = trained(model(), recipe, "original", lesson=everything)

    def loss(net: nn.Module) -> float:
        return cross_entropy(net(FORGET.x), FORGET.y).item()

    on, off = (
        UNLEARNERS["fnn-rank"].function([original], RETAIN, FORGET, seeds=[SEED], recipe=recipe, state=state)[
            0
        ]
        for state in ("gate on", "gate off")
    )
    assert loss(off) <= loss(original)
    assert loss(off) < loss(on)


def test_linear_layers_are_the_fully_connected_ones() -> None:
    """layers = "linear" is fc1 and fc2 of the paper's CNN; the convolutions do not fade."""
    options: dict[str, Any] = {"t": 2.0}
    found = faded(model(convolutional), layers="linear", **options)
    assert_same(found, faded(model(convolutional), layers=["fc1", "fc2"], **options))
    for name in ("conv1", "conv2"):
        assert_same(found.get_submodule(name), model(convolutional).get_submodule(name))
    assert not torch.equal(weights(found)["fc1.weight"], weights(model(convolutional))["fc1.weight"])


NO_SUCH_LAYERS = (
    "layers must name layers of the model that can fade (1, 3, 5), found {}; name some of them, or leave it"
    " out and all of them fade"
)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"layers": ["1", "2"]}, NO_SUCH_LAYERS.format("['1', '2']")),
        ({"layers": []}, NO_SUCH_LAYERS.format("[]")),
        (
            {"span": (2.0, 1.0)},
            "span must be (least, most) with 0 < least <= most, found (2.0, 1.0); correct it",
        ),
        (
            {"rates": "fixed", "spacing": "linear"},
            "fixed rates have one constant, tau, found spacing = 'linear'; leave it out",
        ),
        (
            {"rates": "ordered", "by": "contrast"},
            "rates = 'ordered' look at no activation, found by = 'contrast'; leave it out",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], told: str) -> None:
    """Each is refused at the start, with what is wrong and what to do."""
    with pytest.raises(UsageError) as caught:
        unlearned(model(), **options)
    assert str(caught.value) == told


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Several wrong options are several problems of one error."""
    with pytest.raises(UsageError) as caught:
        unlearned(model(), layers=["no"], span=(0.0, 1.0), rates="fixed", spacing="geometric", by="contrast")
    assert len(caught.value.problems) == 4


def test_fresh_needs_layers_that_can_be_drawn() -> None:
    """A layer without reset_parameters is refused by name, but only if something fresh is asked
    for."""

    class Fixed(nn.Linear):
        reset_parameters = None  # type: ignore[assignment]

        def __init__(self) -> None:
            nn.Module.__init__(self)
            self.weight, self.bias = nn.Parameter(torch.ones(CLASSES, 64)), nn.Parameter(torch.ones(CLASSES))

    net = nn.Sequential(nn.Flatten(), Fixed()).double()
    faded(net)
    with pytest.raises(UsageError, match=r"found '1', a Fixed without reset_parameters; give it one"):
        faded(net, fresh=0.5)


PUBLISHED: dict[str, Any] = {
    "turns": 10,
    "clock": "turn",
    "t": 1.0,
    "unlearning": "descent",
    "unlearning_epochs": 2,
    "fold": "last turn",
    "learn": "all",
    "repair_epochs": 1,
    "layers": "linear",
    "spacing": "equidistant",
    "by": "forget",
    "recompute": True,
    "fresh": 0.0,
    "state": "gate on",
}
"""What the public code does, written out."""

VARIANTS: dict[str, dict[str, Any]] = {
    "fnn-ffr": {"rates": "fixed", "tau": 30.0},
    "fnn-ordered": {"rates": "ordered"},
    "fnn-random": {"rates": "random subset"},
    "fnn-rank": {"rates": "rank"},
    "fnn-top": {"rates": "top", "top": 30},
    "fnn-reversed": {"rates": "reversed"},
}


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_presets_are_the_published_protocol(name: str) -> None:
    """Each named variant does what the protocol of the public code does, with its rates, to the
    letter."""
    known = inspect.signature(UNLEARNERS[name].function).parameters
    written = {**PUBLISHED, **VARIANTS[name]}
    assert {option: known[option].default for option in written} == written
    (found,) = UNLEARNERS[name].function([model()], RETAIN, FORGET, seeds=[SEED], recipe=RECIPE)
    expected = unlearned(model(), **PUBLISHED, **VARIANTS[name])
    assert_same(found, expected)
    np.testing.assert_array_equal(logits(found), logits(expected))


def test_a_published_run_ends_right_after_unlearning() -> None:
    """Two turns of the protocol are: unlearn, learn, unlearn, and the gate of the second stays at t
    = 2."""
    recipe = replace(RECIPE, optimiser="sgd", momentum=0.0, learning_rate=0.1)
    everything = Records(torch.cat([RETAIN.x, FORGET.x]), torch.cat([RETAIN.y, FORGET.y]))
    found = unlearned(model(), recipe=recipe, **{**PUBLISHED, "turns": 2}, rates="rank")
    net = naive_steps(model(), 1.0, "descent", [0.1, 0.1])
    net = trained(net, replace(recipe, epochs=1), "repair", lesson=everything)
    before = forget_means(net)
    net = naive_steps(net, 1.0, "descent", [0.1, 0.1], turn=1)
    np.testing.assert_allclose(
        logits(found), logits(fade_by_rank(net, 2.0, lambda _: before)), rtol=1e-5, atol=1e-9
    )


def test_every_preset_is_a_procedure_with_its_states() -> None:
    """Each preset is in the table; its last state is the one it is in if a claim says nothing."""
    for name in ("fnn", *fnn.PRESETS):
        default = inspect.signature(UNLEARNERS[name].function).parameters["state"].default
        assert UNLEARNERS[name].states[-1] == default
        assert sorted(UNLEARNERS[name].states) == sorted(fnn.STATES)


@pytest.mark.parametrize("name", sorted(fnn.PRESETS))
def test_a_claim_may_set_any_option_of_a_preset_otherwise(name: str, tmp_path: Path) -> None:
    """The options of a preset are those of FNN, read as strictly; what a claim sets counts before
    the preset."""
    every: dict[str, Any] = {
        "rates": "rank", "spacing": "geometric", "tau": 3.0, "span": [1.0, 9.0], "top": 2, "by": "contrast",
        "recompute": False, "layers": ["1", "5"], "t": 2.0, "clock": "constant", "unlearning": "ascent",
        "unlearning_epochs": 1, "fold": "every turn", "fresh": 0.5, "learn": "retain", "turns": 2,
        "repair_epochs": 1, "repair_rate": 0.5, "repair_schedule": "cosine", "state": "folded and repaired",
    }  # fmt: skip
    assert option_problems(UNLEARNERS[name], every) == []
    assert option_problems(UNLEARNERS[name], {"layers": "linear"}) == []
    for wrong in ({"layers": "conv"}, {"turns": 0}, {"fresh": 2.0}, {"rates": "best"}, {"speed": 1}):
        assert len(option_problems(UNLEARNERS[name], wrong)) > 0
    (found,) = bind_procedure(name, tmp_path, every, RECIPE)([model()], RETAIN, FORGET, [SEED])
    assert_same(found, unlearned(model(), **every))


@pytest.mark.parametrize("name", sorted(fnn.PRESETS))
def test_presets_can_be_sent_to_a_worker(name: str) -> None:
    """Pickled and back, a preset is the same function with the same options."""
    sent = pickle.loads(pickle.dumps(UNLEARNERS[name])).function
    assert (sent.func, sent.keywords) == (fnn.unlearn, dict(fnn.PRESETS[name]))


def test_answers_are_in_the_models_own_numbers() -> None:
    """Whatever the family does, a float32 model stays one, without a gate where it is folded."""
    net = initialise(convolutional, 1)
    (found,) = fnn.unlearn(
        [net],
        *(Records(part.x.float(), part.y) for part in (RETAIN, FORGET)),
        seeds=[SEED],
        recipe=RECIPE,
        fresh=0.5,
        unlearning="ascent",
        spacing="geometric",
        by="contrast",
    )
    assert {value.dtype for value in found.state_dict().values()} == {torch.float32}
    assert np.isfinite(answer(found, FORGET.x.float())).all()
