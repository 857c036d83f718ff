"""The paper's learning and unlearning at its smallest size, on the embedded digits."""

import copy
import math
from dataclasses import asdict
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from auditkit.data import load
from auditkit.models.architectures import answer, cnn
from auditkit.reproduction.course import LAYERS, Trajectory, answers, start
from auditkit.reproduction.over_forgetting import top_k
from auditkit.reproduction.paper_attack import AttackModel
from auditkit.reproduction.published import (
    VARIANTS,
    generator,
    learn_and_unlearn,
    learned,
    one_shot,
    order_units,
)
from auditkit.reproduction.sizes import SIZES, Parts, split
from auditkit.training import initialise
from auditkit.unlearning.fnn_gates import set_time

TINY = SIZES["tiny"]
LOGISTIC: AttackModel = "logistic regression"


@cache
def parts() -> Parts:
    return split(load("digits"), TINY, 42)


@cache
def trained() -> Trajectory:
    """A network that has learned; not to be changed."""
    return learned(parts(), seed=1, first=TINY.first, attack=LOGISTIC)


def course() -> Trajectory:
    return copy.deepcopy(trained())


def plain() -> nn.Module:
    """The trained network as an ordinary one, without gates."""
    net = initialise(partial(cnn, parts().shape, 10), 0).eval()
    weights = trained().model.state_dict()
    for name, own in net.named_parameters():
        gated = ".parametrizations.".join(name.rsplit(".", 1)) + ".original"
        own.data = weights[gated if gated in weights else name].clone()
    return net


saw_tooth = partial(learn_and_unlearn, first=TINY.first, turns=TINY.turns, attack=LOGISTIC)


def test_the_curve_is_the_algorithm_written_out() -> None:
    """One turn gives the network that an ordinary one becomes, whose pre-activations hooks multiply
    by exp(-t/rank), under one Adam and a learning rate that falls with every epoch."""
    mine = start(parts(), gamma=0.07, seed=5)
    mine.learn()
    ranked = {name: (-mean).argsort(stable=True).argsort() + 1 for name, mean in mine.activations().items()}
    order_units(mine, "VFR-rank", generator(5))
    mine.unlearn(1)
    mine.unlearn(2)

    net = initialise(partial(cnn, parts().shape, 10), 5)
    clock = 0
    for name, rank in ranked.items():
        net.get_submodule(name).register_forward_hook(
            lambda _m, _i, z, rank=rank: z * torch.exp(-clock / rank)
        )
    optimiser, rng = torch.optim.Adam(net.parameters(), lr=0.01), np.random.default_rng(5)
    for epoch, (clock, records) in enumerate(((0, parts().train), (1, parts().forget), (2, parts().forget))):  # noqa: B007
        optimiser.param_groups[0]["lr"] = 0.01 * 0.07**epoch
        order = rng.permutation(len(records.y))
        torch.manual_seed(int(rng.integers(2**63)))
        for begin in range(0, len(order), 64):
            batch = order[begin : begin + 64]
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(records.x[batch]), records.y[batch]).backward()
            optimiser.step()
    x = parts().held_out.x
    np.testing.assert_allclose(answers(mine.model, x, 2)[0], answer(net, x), rtol=1e-3, atol=1e-4)


def test_units_are_ranked_by_all_forget_records() -> None:
    """The activations are the means over the whole forget set, after ReLU in the hidden layer,
    gates off."""
    given = course()
    set_time(given.model, 3)
    found = given.activations()
    net, hidden = plain(), []
    net.get_submodule("relu3").register_forward_hook(lambda _m, _i, output: hidden.append(output))
    logits = answer(net, parts().forget.x)
    torch.testing.assert_close(found["fc1"], hidden[0].mean(dim=0))
    torch.testing.assert_close(found["fc2"], torch.from_numpy(logits).mean(dim=0))


def test_the_learning_rate_falls_with_every_epoch() -> None:
    """After e epochs of either kind it is 0.01 x 0.07^e, and the epochs of a turn are one and
    two."""
    points = saw_tooth(parts(), "VFR-rank", seed=1)
    assert [(p.epoch, p.turn, p.phase, p.t) for p in points] == [
        (3 * turn + 1 + t, turn + 1, "unlearn" if t else "learn", t) for turn in range(2) for t in range(3)
    ]
    assert [p.learning_rate for p in points] == pytest.approx([0.01 * 0.07**e for e in range(6)])


@cache
def first_turn(variant: str) -> tuple[Any, ...]:
    """The first turn of a curve at seed 1, made once for all tests."""
    return tuple(saw_tooth(parts(), variant, seed=1, turns=1))


QUICK = ("FFR", "VFR-rank")
SLOW = [pytest.param(variant, marks=pytest.mark.slow) for variant in sorted(VARIANTS.keys() - set(QUICK))]


@pytest.mark.parametrize("variant", [*QUICK, *SLOW])
def test_a_curve_depends_on_its_seed_alone(variant: str) -> None:
    """The same seed gives the same points, in numbers that JSON has; and torch's generator is left
    as it was."""
    before = torch.get_rng_state()
    one, again = first_turn(variant), saw_tooth(parts(), variant, seed=1, turns=1)
    assert one == tuple(again)
    assert torch.equal(before, torch.get_rng_state())
    assert {type(value) for value in asdict(one[0])["seen"].values()} == {float}


def test_seeds_differ() -> None:
    """Another seed gives other points."""
    assert first_turn("FFR") != tuple(saw_tooth(parts(), "FFR", seed=2, turns=1))


def test_a_uniform_gate_on_the_logits_leaves_accuracy_unchanged() -> None:
    """Fixed rates on the logits alone are a temperature: every accuracy is the same with the gate
    on and off, at every t, while confidence falls; with weights that do not move, the whole curve
    is flat."""
    points = saw_tooth(parts(), "FFR", seed=1, layers=("fc2",), gamma=0.0)
    for point in points:
        on, off = point.seen, point.gate_off
        assert (on.held_out, on.official, on.retain, on.forget) == (
            off.held_out,
            off.official,
            off.retain,
            off.forget,
        )
        assert (on.confidence < off.confidence) == (point.t > 0)
    assert len({point.seen.held_out for point in points}) == 1
    assert points[0].seen.held_out > 0.5


def test_a_gate_at_time_zero_is_none() -> None:
    """At t = 0 the gates change nothing, to the last bit: the network answers as one without."""
    given = course()
    given.set_constants({"fc1": torch.rand(128), "fc2": torch.rand(10)})
    on, off = answers(given.model, parts().official.x, 0)
    np.testing.assert_array_equal(on, off)
    np.testing.assert_array_equal(off, answer(plain(), parts().official.x))


def test_gates_alone_erase_nothing() -> None:
    """In a one-shot run without gradient steps the network with its gates off is the same at every
    t, and the longer the time, the less is left of its confidence."""
    points = one_shot(parts(), "FFR", seed=1, longest=3, first=TINY.first, descent=False, attack=LOGISTIC)
    assert [(p.phase, p.t) for p in points] == [("learn", 0)] * 3 + [("unlearn", t) for t in (1, 2, 3)]
    assert all(point.gate_off == points[2].seen for point in points[3:])
    confidence = [point.seen.confidence for point in points[2:]]
    assert confidence == sorted(confidence, reverse=True)
    moving = one_shot(parts(), "FFR", seed=1, longest=1, first=TINY.first, attack=LOGISTIC)
    assert moving[:3] == points[:3]
    assert moving[3].gate_off != points[3].gate_off


def test_without_logits_the_answer_is_the_first_class() -> None:
    """With K = 10 or more of ten logits switched off all are 0: accuracy is the share of class 0,
    the loss ln 10, the attack's score chance; with K = 0 they only fade by rank."""
    given, labels = course(), parts().official.y
    none, all_off, more = top_k(given, "fc2", (0, 10, 30))
    assert none.seen.official > 0.5
    assert all_off.seen == more.seen
    assert all_off.seen.official == float((labels.numpy() == 0).mean())
    assert all_off.seen.loss == pytest.approx(math.log(10))
    assert all_off.seen.attack == 0.5


def test_switching_off_all_hidden_units_leaves_the_biases() -> None:
    """With all 128 hidden units off every record gets the same answer, and the other layer is not
    touched."""
    given = course()
    (found,) = top_k(given, "fc1", (128,))
    on, _ = answers(given.model, parts().official.x, 1)
    bias = plain().get_submodule("fc2").get_parameter("bias").detach().numpy()
    np.testing.assert_array_equal(on, np.tile(bias, (len(on), 1)))
    assert found.seen.official == float((parts().official.y.numpy() == bias.argmax()).mean())
    assert tuple(given.layers) == LAYERS
