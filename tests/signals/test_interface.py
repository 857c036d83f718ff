"""What models do not say: never seen in honest answers, seen where it is, and withheld from others
alike."""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from auditkit.models.architectures import MODELS, answer
from auditkit.signals.interface import NOTHING, Interface, apply_interface, merge_interfaces
from auditkit.signals.interface_detection import detect_interface
from auditkit.training import Recipe, fit, initialise

Logits = npt.NDArray[np.float32]


def digits(classes: int, n: int = 500) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = load_digits(return_X_y=True)
    few = y < classes
    return torch.from_numpy((x[few][:n] / 16).astype(np.float32)), torch.from_numpy(y[few][:n])


def linear(classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))


def recipe(epochs: int, learning_rate: float) -> Recipe:
    return Recipe(epochs=epochs, batch_size=32, learning_rate=learning_rate)


class LogProbabilities(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.model = MODELS["mlp"]((64,), classes, hidden=(32,))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.model(x).log_softmax(dim=1)
        return found


HONEST: dict[str, tuple[Callable[[int], nn.Module], int, Recipe]] = {
    "mlp": (lambda c: MODELS["mlp"]((64,), c), 10, recipe(20, 0.003)),
    "two classes": (lambda c: MODELS["mlp"]((64,), c), 2, recipe(20, 0.003)),
    "three classes": (lambda c: MODELS["mlp"]((64,), c), 3, recipe(20, 0.003)),
    "saturated": (lambda c: MODELS["mlp"]((64,), c), 10, recipe(40, 0.1)),
    "saturated, two classes": (lambda c: MODELS["mlp"]((64,), c), 2, recipe(40, 0.3)),
    "one unit": (lambda c: MODELS["mlp"]((64,), c, hidden=(1,)), 10, recipe(20, 0.05)),
    "one unit, two classes": (
        lambda c: MODELS["mlp"]((64,), c, hidden=(1,)),
        2,
        recipe(20, 0.05),
    ),
    "linear": (linear, 10, recipe(20, 0.01)),
    "linear, two classes": (linear, 2, recipe(20, 0.01)),
    "log-probabilities, saturated": (LogProbabilities, 10, recipe(40, 0.05)),
    "log-probabilities, two classes": (LogProbabilities, 2, recipe(40, 0.05)),
    "resnet": (lambda c: MODELS["resnet"]((8, 8), c), 10, recipe(1, 0.003)),
    "cnn": (lambda c: MODELS["cnn"]((8, 8), c), 10, recipe(1, 0.003)),
}


@pytest.mark.parametrize("kind", HONEST)
def test_nothing_is_withheld_by_honest_models(kind: str) -> None:
    """In what an honest model answers nothing is found to be withheld, trained or not, on records
    asked twice."""
    build, classes, how = HONEST[kind]
    x, y = digits(classes)
    fresh = [initialise(partial(build, classes), seed) for seed in range(3)]
    before = np.stack([answer(m, x) for m in fresh])
    trained = fit(fresh, x, y, how, seeds=list(range(3)))
    after = np.stack([answer(m, torch.cat([x, x[:200], torch.zeros_like(x[:20])])) for m in trained])
    assert np.isfinite(after).all()
    for logits in (before, after, after * np.float32(1000), after[:, :40], after[:, :5]):
        assert detect_interface(logits) == NOTHING


def drawn(classes: int = 10) -> Logits:
    """Honest logits (4 runs, 800 records, classes), with a mean that is not 0."""
    rng = np.random.default_rng(classes)
    z = 4 * rng.normal(size=(4, 800, classes)) + rng.normal(size=classes) + 1.3
    return z.astype(np.float32)


def probabilities(z: Logits) -> Logits:
    return np.asarray(torch.from_numpy(z).softmax(dim=-1).numpy(), np.float32)


def differences(z: Logits) -> Logits:
    return np.asarray(z - z.max(axis=-1, keepdims=True))


def one_hot(z: Logits, *, high: float = 1.0, low: float = 0.0) -> Logits:
    hot = np.arange(z.shape[-1]) == z.argmax(axis=-1)[..., None]
    return np.where(hot, high, low).astype(np.float32)


def largest(z: Logits, k: int, others: float) -> Logits:
    kth = np.sort(z, axis=-1)[..., -k][..., None]
    found: Logits = np.where(z >= kth, z, others).astype(np.float32)
    return found


def spread(z: Logits) -> Logits:
    """The probability of the predicted class, the rest evenly over the others."""
    p = probabilities(z).max(axis=-1, keepdims=True)
    found: Logits = np.where(one_hot(z) > 0, p, (1 - p) / (z.shape[-1] - 1)).astype(np.float32)
    return found


# How answers are cut down -> what is to be recognised.
CUT: dict[str, tuple[Callable[[Logits], Logits], Interface]] = {
    "labels": (one_hot, Interface(labels=True)),
    "scaled labels": (partial(one_hot, high=10), Interface(labels=True)),
    "smoothed labels": (partial(one_hot, high=0.91, low=0.01), Interface(labels=True)),
    "clipped below": (lambda z: z.clip(-3), Interface(lowest=-3)),
    "clipped on both sides": (lambda z: z.clip(-3, 5), Interface(lowest=-3, highest=5)),
    "clipped below the largest": (
        lambda z: differences(z).clip(-3),
        Interface(scale="below the largest", lowest=-3),
    ),
    "clipped below the largest, shifted": (
        lambda z: np.maximum(z, z.max(axis=-1, keepdims=True) - np.float32(3)),
        Interface(scale="below the largest", lowest=-3),
    ),
    "rounded": (lambda z: z.round(1), Interface(step=0.1)),
    "rounded to integers": (np.round, Interface(step=1)),
    "differences, rounded": (
        lambda z: differences(z).round(1),
        Interface(scale="below the largest", step=0.1),
    ),
    "probabilities": (probabilities, Interface(scale="probabilities")),
    "probabilities, rounded": (
        lambda z: probabilities(z).round(2),
        Interface(scale="probabilities", step=0.01),
    ),
    "probabilities, clipped": (
        lambda z: probabilities(z).clip(0.0078125, 0.9921875),
        Interface(scale="probabilities", lowest=0.0078125, highest=0.9921875),
    ),
    "three logits": (partial(largest, k=3, others=-100), Interface(top=3, fill=-100)),
    "three probabilities": (
        lambda z: largest(probabilities(z), 3, 0),
        Interface(scale="probabilities", top=3, fill=0),
    ),
    "one probability": (spread, Interface(scale="probabilities", top=1)),
}
TWO_CLASSES = (
    "labels",
    "scaled labels",
    "clipped below",
    "clipped on both sides",
    "clipped below the largest",
    "rounded",
    "probabilities",
    "probabilities, rounded",
)


@pytest.mark.parametrize(
    ("how", "classes"), [*((how, 10) for how in CUT), *((how, 2) for how in TWO_CLASSES)]
)
def test_what_is_withheld_is_recognised_and_withheld_alike(how: str, classes: int) -> None:
    """What one arm withholds is recognised, and through the same interface whole answers come to
    the same as its."""
    cut, expected = CUT[how]
    z = drawn(classes)
    assert detect_interface(cut(z)) == expected
    whole, claimed = (differences(apply_interface(expected, answers)) for answers in (z, cut(z)))
    # Sums of float32, and what lies half-way between two steps, come out one way or the other.
    off = np.abs(whole - claimed) > 0.002
    assert off.mean() < (0.03 if expected.top and expected.scale == "probabilities" else 0.001)
    assert np.abs(whole - claimed).mean() < 0.01
    if expected.highest is None:
        assert (whole.argmax(axis=-1) == z.argmax(axis=-1)).mean() > 0.85


def test_labels_have_one_scale() -> None:
    """However labels are written, they come to 1 for the predicted class and 0 for the others."""
    z = drawn()
    for written in (z, one_hot(z, high=100), one_hot(z, high=0.91, low=0.01)):
        assert np.array_equal(apply_interface(Interface(labels=True), written), one_hot(z))


def test_nothing_withheld_leaves_answers_as_they_are() -> None:
    """Through an interface that withholds nothing every bit comes back."""
    z = drawn()
    assert apply_interface(NOTHING, z) is z
    assert NOTHING.words == ()


def test_answers_that_are_not_finite_are_not_hidden() -> None:
    """A run that diverged is seen to have diverged through any interface, and none is recognised in
    it."""
    z = drawn()
    z[0, :, 3], z[1, 7] = np.nan, np.inf
    for _, interface in CUT.values():
        found = apply_interface(interface, z)
        assert np.isnan(found[0]).all()
        assert np.isnan(found[1, 7]).all()
        assert np.isfinite(found[2:]).all()
    assert detect_interface(z[:1]) == NOTHING


def test_what_any_run_withholds_counts() -> None:
    """Of several runs the coarsest answers count; runs that say all add nothing."""
    z = drawn()
    mixed = np.concatenate([z[:2], z[2:3].clip(-3), z[3:].clip(-2)])
    assert detect_interface(mixed) == Interface(lowest=-2)
    assert detect_interface(np.concatenate([z[:3], one_hot(z[3:])])) == Interface(labels=True)
    assert merge_interfaces([]) == NOTHING
    assert merge_interfaces([Interface(step=0.1), NOTHING, Interface(step=1, highest=4)]) == Interface(
        step=1, highest=4
    )


def test_what_is_withheld_is_said_in_words() -> None:
    """Every kind of restriction has its phrase."""
    assert Interface(labels=True).words == ("only the predicted class is answered",)
    assert Interface(scale="probabilities", top=3, lowest=0.01, highest=0.99, step=0.01).words == (
        "probabilities are answered in place of logits",
        "only the 3 largest are answered",
        "probabilities below 0.01 are answered as that",
        "probabilities above 0.99 are answered as that",
        "probabilities are rounded to multiples of 0.01",
    )
    assert Interface(scale="below the largest", lowest=-3).words == (
        "logits, as differences from the largest, below -3 are answered as that",
    )
