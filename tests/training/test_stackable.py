import copy
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from auditkit.models.architectures import cnn, mlp
from auditkit.models.residual import resnet
from auditkit.training import Recipe, fit, initialise, stackable
from tests.training.textbook import (
    PIXELS,
    assert_close_weights,
    assert_equal_weights,
    dropping,
    normalising,
    records,
    started,
    tied,
    train_alone,
)


class Own(nn.Module):
    """A user's own model, whose forward does as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(PIXELS, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.head(x))


class Branching(Own):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x if x.sum() > 0 else -x)


class BranchingInTraining(Own):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(-x if self.training and x.sum() > 0 else x)


class ReadingOut(Own):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x * x.mean().item())


class Counting(Own):
    """Keeps count, in training alone, in a buffer."""

    asked: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("asked", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.asked = self.asked + 1
        return super().forward(x)


class Scaled(Own):
    """Has a buffer that never changes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * self.get_buffer("scale")


class Hiding(Own):
    """Keeps a random number that is neither weight nor buffer: nobody sees that it differs between
    runs."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = torch.randn(())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x * self.factor)


class Blind(Own):
    """Its answers cannot be differentiated."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).detach()


def half_frozen() -> nn.Module:
    model = Own()
    model.head.bias.requires_grad_(False)
    return model


def batch_statistics() -> nn.Module:
    """Batch norm that keeps nothing between batches."""
    norm = nn.BatchNorm1d(8, track_running_stats=False)
    return nn.Sequential(nn.Linear(PIXELS, 8), norm, nn.ReLU(), nn.Linear(8, 3))


CAN: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: mlp((PIXELS,), 3, hidden=(8,)),
    "cnn": lambda: cnn((PIXELS,), 3),
    "resnet": lambda: resnet((PIXELS,), 3),
    "a module of the user's": Own,
    "dropout": dropping,
    "a constant buffer": Scaled,
    "frozen weights": half_frozen,
    "shared weights": tied,
    "batch norm without state": batch_statistics,
}
CANNOT: dict[str, Callable[[], nn.Module]] = {
    "batch norm": normalising,
    "a path by the data": Branching,
    "a path by the data in training": BranchingInTraining,
    "a number read out": ReadingOut,
    "a count": Counting,
    "a number of its own that is no buffer": Hiding,
    "no gradient": Blind,
}


def two(build: Callable[[], nn.Module]) -> list[nn.Module]:
    return [initialise(build, k) for k in (0, 1)]


def some() -> tuple[torch.Tensor, torch.Tensor]:
    x, y = records(4)
    return x.float(), y


@pytest.mark.parametrize("build", CAN.values(), ids=CAN)
def test_what_can_be_stacked(build: Callable[[], nn.Module]) -> None:
    """Our own architectures, dropout included, and any module that is a function of weights and
    records."""
    assert stackable(two(build), *some())


@pytest.mark.parametrize("build", CANNOT.values(), ids=CANNOT)
def test_what_cannot_be_stacked(build: Callable[[], nn.Module]) -> None:
    """A model that keeps state, takes its path by the data, reads a number out or has no gradient
    is trained alone."""
    assert not stackable(two(build), *some())


def scaled_otherwise(k: int) -> nn.Module:
    model = Scaled()
    model.get_buffer("scale").fill_(k)
    return model


@pytest.mark.parametrize("build", [batch_statistics, half_frozen])
def test_what_is_stacked_learns_as_alone(build: Callable[[], nn.Module]) -> None:
    """Models with batch norm without state, or with frozen weights, come out of a stack as out of a
    plain loop."""
    x, y = records()
    recipe, seeds = Recipe(2, 16, 0.01), [1, 2]
    stack = fit(started(build, seeds), x, y, recipe, seeds=seeds)
    for model, start, seed in zip(stack, started(build, seeds), seeds, strict=True):
        assert_close_weights(model, train_alone(start, x, y, recipe, seed, np.arange(len(x))))


def test_each_run_of_a_stack_has_its_own_buffers() -> None:
    """Two runs whose buffers differ are each trained with their own."""
    x, y = records()
    recipe, seeds = Recipe(2, 16, 0.01), [1, 2]

    def models() -> list[nn.Module]:
        return [initialise(partial(scaled_otherwise, k), k).double() for k in seeds]

    for model, start, seed in zip(fit(models(), x, y, recipe, seeds=seeds), models(), seeds, strict=True):
        assert_close_weights(model, train_alone(start, x, y, recipe, seed, np.arange(len(x))))
        assert model.get_buffer("scale") == seed


def test_models_that_are_not_alike_cannot_be_stacked() -> None:
    """Another class, other widths, or other weights frozen."""
    x, y = some()
    one, other = two(Own)
    other.get_parameter("head.bias").requires_grad_(False)
    assert not stackable([one, other], x, y)
    assert not stackable([Own(), Scaled()], x, y)
    assert not stackable([mlp((PIXELS,), 3, hidden=(n,)) for n in (4, 5)], x, y)


@pytest.mark.parametrize("build", [*CAN.values(), *CANNOT.values()], ids=[*CAN, *CANNOT])
@pytest.mark.parametrize("training", [False, True])
def test_asking_changes_nothing(build: Callable[[], nn.Module], training: bool) -> None:
    """The models keep their weights, buffers and mode, get no gradients, and torch's generator
    stays where it was."""
    models = [model.train(training) for model in two(build)]
    before, state = copy.deepcopy(models), torch.get_rng_state()
    stackable(models, *some())
    assert torch.equal(torch.get_rng_state(), state)
    for model, old in zip(models, before, strict=True):
        assert_equal_weights(model, old)
        assert all(module.training == training for module in model.modules())
        assert all(weight.grad is None for weight in model.parameters())
