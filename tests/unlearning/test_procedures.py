import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from auditkit.models.architectures import answer, mlp
from auditkit.probes.copies import plain_copy
from auditkit.training import Recipe, fit, initialise, run_seed
from auditkit.training.records import Records
from auditkit.unlearning import UNLEARNERS, fnn, noop, retrain, sisa
from auditkit.unlearning.fnn_gates import gateable, mean_activations

RECIPE = Recipe(epochs=20, batch_size=16, learning_rate=0.01)
SHORT = Recipe(epochs=3, batch_size=16, learning_rate=0.01)
SEEDS = [1, 2, 3]


def perceptron() -> nn.Module:
    return mlp((6,), 4, hidden=(10, 8))


def convolutional() -> nn.Module:
    image = nn.Unflatten(1, (1, 2, 3))
    return nn.Sequential(image, nn.Conv2d(1, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(10, 4))


def normalising() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 10), nn.BatchNorm1d(10), nn.ReLU(), nn.Linear(10, 4))


def model(build: Callable[[], nn.Module] = perceptron, seed: int = 1) -> nn.Module:
    return initialise(build, seed).double().eval()


def models(build: Callable[[], nn.Module] = perceptron) -> list[nn.Module]:
    """Three different ones."""
    return [model(build, seed) for seed in (7, 8, 9)]


def suited(name: str, build: Callable[[], nn.Module] = perceptron) -> Callable[[], nn.Module]:
    """What builds models that the procedure can unlearn: any, but for SISA, which needs an ensemble
    of them."""
    return partial(sisa.Ensemble, build, SHORT, 2) if name == "sisa" else build


def x(n: int = 30) -> torch.Tensor:
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(2)).double()


def some_records() -> tuple[Records, Records]:
    labels = torch.arange(30) % 4
    return Records(x()[:20], labels[:20]), Records(x()[20:], labels[20:])


def options_of(name: str, recipe: Recipe = SHORT) -> dict[str, Any]:
    known = inspect.signature(UNLEARNERS[name].function).parameters
    few = {"turns": 2} if name in fnn.PRESETS else {}  # of ten that are alike
    return {"recipe": recipe, **few} if "recipe" in known else {}


def forgotten(net: nn.Module, recipe: Recipe = SHORT, seed: int = 1, **options: Any) -> nn.Module:
    """One model after FNN."""
    (found,) = fnn.unlearn([net], *some_records(), seeds=[seed], recipe=recipe, **options)
    return found


def assert_same(one: nn.Module, other: nn.Module) -> None:
    """To the last bit."""
    np.testing.assert_array_equal(answer(one, x()), answer(other, x()))


by_name = pytest.mark.parametrize("name", sorted(UNLEARNERS))
by_build = pytest.mark.parametrize("build", [perceptron, convolutional])


@by_name
@by_build
def test_procedures_leave_the_models_they_are_given_alone(name: str, build: Callable[[], nn.Module]) -> None:
    """Every procedure returns new, ordinary models in eval mode, and repeats itself for the same
    seeds."""
    build = suited(name, build)
    given, before = models(build), models(build)
    one = UNLEARNERS[name].function(given, *some_records(), seeds=SEEDS, **options_of(name))
    two = UNLEARNERS[name].function(given, *some_records(), seeds=SEEDS, **options_of(name))
    assert len(one) == len(two) == 3
    for returned, again, untouched, start in zip(one, two, given, before, strict=True):
        assert all(returned is not other for other in (*given, *two))
        assert not returned.training
        assert not untouched.training
        assert list(plain_copy(returned).state_dict()) == list(start.state_dict())  # but for a gate left on
        assert all(torch.equal(start.state_dict()[k], v) for k, v in untouched.state_dict().items())
        assert all(weight.requires_grad and weight.grad is None for weight in untouched.parameters())
        assert_same(returned, again)


@by_name
@by_build
def test_a_list_of_models_is_unlearned_as_each_alone(name: str, build: Callable[[], nn.Module]) -> None:
    """What becomes of a model depends on itself and its seed: it is the same, up to rounding, in a
    list of three and alone, and they are not all the same."""
    options, build = options_of(name), suited(name, build)
    together = UNLEARNERS[name].function(models(build), *some_records(), seeds=SEEDS, **options)
    for found, own, seed in zip(together, models(build), SEEDS, strict=True):
        (alone,) = UNLEARNERS[name].function([own], *some_records(), seeds=[seed], **options)
        torch.testing.assert_close(found.state_dict(), alone.state_dict(), rtol=1e-7, atol=1e-9)
    assert not np.allclose(answer(together[0], x()), answer(together[1], x()))


@by_name
def test_the_seed_of_a_run_is_its_own(name: str) -> None:
    """Equal models part where their seeds do, unless the procedure draws nothing."""
    given = [model(suited(name)) for _ in range(3)]
    options = options_of(
        name, replace(SHORT, batch_size=4)
    )  # fewer than the forget records, or order is nothing
    one, same, other = UNLEARNERS[name].function(given, *some_records(), seeds=[1, 1, 2], **options)
    assert_same(one, same)
    assert (answer(one, x()) == answer(other, x())).all() == (name in {"noop", "ssd"})


@by_name
def test_procedures_leave_the_global_generator_alone(name: str) -> None:
    """None moves torch's global random state."""
    before = torch.get_rng_state()
    UNLEARNERS[name].function(models(suited(name)), *some_records(), seeds=SEEDS, **options_of(name))
    assert torch.equal(before, torch.get_rng_state())


@by_name
def test_a_model_with_batch_norm_can_be_unlearned_alone(name: str) -> None:
    """A model that keeps running statistics goes through every procedure by itself, and comes out
    with them."""
    given = model(suited(name, normalising))
    (found,) = UNLEARNERS[name].function([given], *some_records(), seeds=[1], **options_of(name))
    assert list(plain_copy(found).state_dict()) == list(given.state_dict())
    assert np.isfinite(answer(found, x())).all()


@by_build
@pytest.mark.parametrize("state", ["gate on", "gate off"])
def test_gates_of_a_list_are_those_of_each_alone(state: str, build: Callable[[], nn.Module]) -> None:
    """Before anything is repaired, a list comes out as each model alone to the last bit."""
    options: Mapping[str, Any] = {"recipe": SHORT, "t": 2.0, "state": state}
    together = fnn.unlearn(models(build), *some_records(), seeds=SEEDS, **options)
    for found, own in zip(together, models(build), strict=True):
        assert_same(found, forgotten(own, t=2.0, state=state))


def test_gate_off_is_the_original_model() -> None:
    """With the gate only switched off again nothing has been forgotten: suppression is not
    erasure."""
    for found, own in zip(
        fnn.unlearn(models(), *some_records(), seeds=SEEDS, recipe=RECIPE, state="gate off"),
        models(),
        strict=True,
    ):
        assert_same(found, own)


def test_gate_on_is_the_rank_rule_written_out() -> None:
    """The published state: each row of each layer scaled by exp(-t/rank) of its unit, model by
    model."""
    _, forget = some_records()
    gated = fnn.unlearn(models(), *some_records(), seeds=SEEDS, recipe=RECIPE, t=2.0, state="gate on")
    for on, by_hand in zip(gated, models(), strict=True):
        means = mean_activations(by_hand, gateable(by_hand), forget.x)
        with torch.no_grad():
            for name, activation in means.items():
                layer = by_hand.get_submodule(name)
                order = sorted(range(len(activation)), key=lambda i: -activation[i].item())
                for rank, unit in enumerate(order, start=1):
                    layer.get_parameter("weight")[unit] *= np.exp(-2.0 / rank)
                    layer.get_parameter("bias")[unit] *= np.exp(-2.0 / rank)
        np.testing.assert_allclose(answer(on, x()), answer(by_hand, x()), rtol=1e-5, atol=1e-6)


def test_fixed_rates_fade_the_named_layers_alone() -> None:
    """FFR scales every unit of the named layers by exp(-t/tau), and no other layer."""
    on = forgotten(model(), rates="fixed", tau=4.0, t=2.0, layers=["1"], state="gate on")
    by_hand = model()
    with torch.no_grad():
        for parameter in by_hand.get_submodule("1").parameters():
            parameter.mul_(np.exp(-0.5))
    np.testing.assert_allclose(answer(on, x()), answer(by_hand, x()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("state", ["gate on", "gate off", "folded and repaired"])
def test_two_turns_are_one_turn_after_another(state: str) -> None:
    """Without repair, the second turn ranks and fades what the first has left, and is seen in the
    state asked for."""

    def turned(net: nn.Module, turns: int, state: str = "folded and repaired") -> nn.Module:
        return forgotten(net, t=2.0, turns=turns, repair_epochs=0, state=state)

    assert_same(turned(model(), 2, state), turned(turned(model(), 1), 1, state))
    assert not np.allclose(answer(turned(model(), 2), x()), answer(turned(model(), 1), x()))


def test_repair_is_training_on_what_is_left() -> None:
    """A turn is: fade, then `repair_epochs` of the recipe on the retain records, with seeds of its
    own."""
    retain, _ = some_records()
    faded = [forgotten(own, t=2.0, repair_epochs=0) for own in models()]
    repair = Recipe(epochs=4, batch_size=16, learning_rate=0.01)
    again = [run_seed(seed, "repair", 0) for seed in SEEDS]
    found = fnn.unlearn(models(), *some_records(), seeds=SEEDS, recipe=RECIPE, t=2.0, repair_epochs=4)
    for one, other in zip(found, fit(faded, *retain, repair, seeds=again), strict=True):
        assert_same(one, other)


def test_repair_learns_the_retain_records_again() -> None:
    """After a fade, repair brings the loss on retain down without looking at the labels of the
    forget records."""
    retain, forget = some_records()

    def repaired(epochs: int, shift: int = 0) -> nn.Module:
        given = Records(forget.x, (forget.y + shift) % 4)  # other labels, the same activations
        (net,) = fnn.unlearn([model()], retain, given, seeds=[1], recipe=RECIPE, t=3.0, repair_epochs=epochs)
        return net

    def loss(net: nn.Module) -> float:
        return nn.functional.cross_entropy(net(retain.x), retain.y).item()

    assert loss(repaired(20)) < loss(repaired(0))
    assert_same(repaired(3), repaired(3, shift=1))


def test_retraining_is_training_from_scratch_on_retain() -> None:
    """A retrained model is one that is built anew from its seed and trained on the retain
    records."""
    retain, forget = (Records(part.x.float(), part.y) for part in some_records())
    given = [model.float() for model in models()]
    found = retrain.unlearn(given, retain, forget, seeds=SEEDS, recipe=SHORT)
    fresh = [initialise(perceptron, seed) for seed in SEEDS]
    for one, other in zip(found, fit(fresh, *retain, SHORT, seeds=SEEDS), strict=True):
        torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)


@by_build
def test_retraining_owes_nothing_to_the_models_it_is_given(build: Callable[[], nn.Module]) -> None:
    """Retraining gives the same models whatever the originals were, and never sees a forget record:
    not even one that is no number."""
    retain, forget = some_records()
    unseen = Records(torch.full_like(forget.x, float("nan")), forget.y)
    broken = models(build)
    with torch.no_grad():
        for parameter in (p for net in broken for p in net.parameters()):
            parameter.fill_(float("nan"))
    one = retrain.unlearn(models(build), retain, forget, seeds=SEEDS, recipe=SHORT)
    two = retrain.unlearn(broken, retain, unseen, seeds=SEEDS, recipe=SHORT)
    for found, other in zip(one, two, strict=True):
        assert np.isfinite(answer(found, x())).all()
        assert_same(found, other)


def test_noop_forgets_nothing() -> None:
    """The no-op answers exactly as its originals."""
    for found, own in zip(noop.unlearn(models(), *some_records(), seeds=SEEDS), models(), strict=True):
        assert_same(found, own)
