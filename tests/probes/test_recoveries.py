import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from auditkit.models.architectures import answer
from auditkit.probes import RECOVERIES, NotObservable
from auditkit.probes.probing import RIDGE, linear_probe
from auditkit.probes.relearning import halves, relearn
from auditkit.probes.rescaling import rescale
from auditkit.training import fit
from auditkit.training.records import Records
from auditkit.unlearning.fnn_gates import attach, fold, gateable, set_time
from tests.probes.asked_models import RECIPE, built, random_records

RETAIN, FORGET, CONTROL = random_records(60, 1), random_records(11, 2), random_records(7, 3)
ASKED = torch.cat([FORGET.x, CONTROL.x])


def gate(model: nn.Module, t: float) -> nn.Module:
    """A copy with a gate on every unit, tau from 1 up, at time t."""
    model = copy.deepcopy(model)
    for name in gateable(model):
        layer = model.get_submodule(name)
        attach(layer, torch.arange(1.0, layer.get_parameter("weight").shape[0] + 1))
    set_time(model, t)
    return model


def test_no_answer_comes_from_a_model_that_learnt_the_record_again() -> None:
    """A record's own label changes none of its own relearned answers, and every answer of the other
    half."""
    before = relearn(built("mlp"), RETAIN, FORGET, CONTROL.x, RECIPE, 0)
    for half, others in (halves(11, 0), halves(11, 0)[::-1]):
        for i in half:
            y = FORGET.y.clone()
            y[i] = (y[i] + 1) % 3
            after = relearn(built("mlp"), RETAIN, Records(FORGET.x, y), CONTROL.x, RECIPE, 0)
            assert np.array_equal(after[half], before[half])
            assert (after[others] != before[others]).any(axis=1).all()
            assert (after[11:] != before[11:]).any(axis=1).all()


def test_halves_are_a_random_split() -> None:
    """Every record is in one half, whichever seed; the seed alone decides in which."""
    first, second = halves(11, 4)
    assert (len(first), len(second)) == (5, 6)
    assert sorted([*first, *second]) == list(range(11))
    assert np.array_equal(halves(11, 4)[0], first)
    assert not np.array_equal(halves(11, 5)[0], first)


def test_relearning_is_training_on_the_other_half() -> None:
    """Each answer is that of a model which the trainer fitted on the other half in one batch,
    without weight decay."""
    for optimiser in ("adam", "sgd"):
        recipe = replace(RECIPE, optimiser=optimiser)
        plain = replace(recipe, epochs=50, batch_size=100, weight_decay=0.0)
        found = relearn(built("mlp"), RETAIN, FORGET, CONTROL.x, recipe, 0)
        control = []
        for learnt, asked in (halves(11, 0), halves(11, 0)[::-1]):
            [tuned] = fit([built("mlp")], FORGET.x[learnt], FORGET.y[learnt], plain, seeds=[1])
            assert found[asked] == pytest.approx(answer(tuned, FORGET.x[asked]), rel=1e-3, abs=1e-3)
            control.append(answer(tuned, CONTROL.x))
        assert found[11:] == pytest.approx(np.mean(control, axis=0), rel=1e-3, abs=1e-3)


def test_the_probe_is_a_logistic_regression() -> None:
    """The probe answers what scikit-learn's regression on the standardised features of retain
    records answers."""
    model = built("mlp")
    assert isinstance(model, nn.Sequential)
    with torch.no_grad():
        learnt, asked = (model[:-1](x).double().numpy() for x in (RETAIN.x, ASKED))
    centre, scale = learnt.mean(axis=0), learnt.std(axis=0)
    scale[scale == 0] = np.inf
    sklearn = LogisticRegression(C=1 / (RIDGE * len(RETAIN.y)), tol=1e-8, max_iter=5000)
    sklearn.fit((learnt - centre) / scale, RETAIN.y.numpy())
    expected = sklearn.decision_function((asked - centre) / scale)
    found = linear_probe(model, RETAIN, FORGET, CONTROL.x, RECIPE, 0)
    centred = found - found.mean(axis=1, keepdims=True)
    assert centred == pytest.approx(expected - expected.mean(axis=1, keepdims=True), abs=0.02)


def test_the_probe_sees_through_a_changed_head_and_faded_features() -> None:
    """Another last layer, or features at a billionth of their size, change no answer of the
    probe."""
    model = built("mlp")
    before = linear_probe(model, RETAIN, FORGET, CONTROL.x, RECIPE, 0)
    assert isinstance(model, nn.Sequential)
    with torch.no_grad():
        model[-1].weight.normal_()  # type: ignore[operator]
        model[1].weight.mul_(2.0**-30)  # type: ignore[operator]
        model[1].bias.mul_(2.0**-30)  # type: ignore[operator]
    assert linear_probe(model, RETAIN, FORGET, CONTROL.x, RECIPE, 0) == pytest.approx(before, abs=1e-4)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (nn.Sequential(nn.Unflatten(1, (1, 64)), nn.Conv1d(1, 3, 64), nn.Flatten()), "has none"),
        (nn.Sequential(nn.Linear(64, 3), nn.Softplus()), "do not come from it"),
        (
            nn.Sequential(nn.Linear(64, 9), nn.Unflatten(1, (3, 3)), nn.AvgPool1d(3), nn.Flatten()),
            "do not come",
        ),
    ],
)
def test_the_probe_needs_a_last_linear_layer(model: nn.Module, reason: str) -> None:
    """Where the logits are not what a Linear layer answers, the reason says so."""
    with pytest.raises(NotObservable, match=reason):
        linear_probe(model.eval(), RETAIN, FORGET, CONTROL.x, RECIPE, 0)


@pytest.mark.parametrize("kind", ["mlp", "cnn", "resnet"])
def test_factors_on_units_are_undone(kind: str) -> None:
    """A model whose units of linear layers and convolutions were multiplied by positive factors,
    however small, is rescaled to the same answers."""
    model = built(kind)
    before = rescale(model, RETAIN, FORGET, CONTROL.x, RECIPE, 0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in model.modules():
            if not isinstance(layer, nn.Linear | nn.Conv2d):
                continue
            for row in range(layer.get_parameter("weight").shape[0]):
                factor = 2.0 ** float(-torch.randint(0, 100, (), generator=generator))
                for part in layer.parameters(recurse=False):
                    part[row] *= factor
    assert answer(model, ASKED) != pytest.approx(before, rel=0.1)
    assert rescale(model, RETAIN, FORGET, CONTROL.x, RECIPE, 0) == pytest.approx(before, rel=1e-5)


@pytest.mark.parametrize("t", [2.0, 1000.0])
def test_what_lies_under_a_gate_comes_back(t: float) -> None:
    """A gate that is still there, even one that has faded to exact zeros, is lifted to the exact
    original."""
    model = built("mlp")
    expected = rescale(model, RETAIN, FORGET, CONTROL.x, RECIPE, 0)
    assert np.array_equal(rescale(gate(model, t), RETAIN, FORGET, CONTROL.x, RECIPE, 0), expected)


def test_a_folded_gate_comes_back() -> None:
    """A gate that was folded into the weights is undone up to rounding."""
    model = built("cnn")
    expected = rescale(model, RETAIN, FORGET, CONTROL.x, RECIPE, 0)
    found = rescale(fold(gate(model, 20.0)), RETAIN, FORGET, CONTROL.x, RECIPE, 0)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_rescaling_a_relu_network_without_biases_is_one_factor_a_class() -> None:
    """Where only the lengths of hidden units differ from one in common, labels stay what they
    were."""
    model = nn.Sequential(nn.Linear(64, 9, bias=False), nn.ReLU(), nn.Linear(9, 3, bias=False)).eval()
    with torch.no_grad():
        for layer in (model[0], model[2]):
            rows = layer.weight
            rows.mul_(3 / rows.norm(dim=1, keepdim=True))  # type: ignore[operator]
    found = rescale(model, RETAIN, FORGET, CONTROL.x, RECIPE, 0)
    assert found * 9 == pytest.approx(answer(model, ASKED), rel=1e-4)


def test_layer_units_of_zeros_stay() -> None:
    """A row of zeros has no direction and stays as it is."""
    model = built("mlp")
    with torch.no_grad():
        next(iter(model.parameters()))[3] = 0
    assert np.isfinite(rescale(model, RETAIN, FORGET, CONTROL.x, RECIPE, 0)).all()


@pytest.mark.parametrize("name", ["relearned", "probe"])
def test_a_gate_is_seen_as_what_it_does(name: str) -> None:
    """These recoveries find the same in a gate that is on and in one that was folded."""
    on, folded = gate(built("mlp"), 3.0), fold(gate(built("mlp"), 3.0))
    found, expected = (RECOVERIES[name](m, RETAIN, FORGET, CONTROL.x, RECIPE, 0) for m in (on, folded))
    assert np.array_equal(found, expected)


def test_one_forget_record_cannot_be_relearned() -> None:
    """There is no other half to be reminded by."""
    one = Records(FORGET.x[:1], FORGET.y[:1])
    with pytest.raises(NotObservable, match="one forget record"):
        relearn(built("mlp"), RETAIN, one, CONTROL.x, RECIPE, 0)
