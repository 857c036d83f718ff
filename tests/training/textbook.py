"""A second opinion on training: small networks, some records, and the loop of any textbook."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from auditkit.models.architectures import mlp
from auditkit.models.residual import resnet
from auditkit.training import Recipe, initialise

PIXELS, CLASSES = 36, 3


class Wrapped(nn.Module):
    """A network inside a module of another class, which nobody can take for a perceptron."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.net(x))


def perceptron() -> nn.Module:
    return mlp((PIXELS,), CLASSES, hidden=(8, 6))


def wrapped() -> nn.Module:
    return Wrapped(perceptron())


def convolutional() -> nn.Module:
    image, pool = nn.Unflatten(1, (1, 6, 6)), nn.MaxPool2d(2, stride=1)
    first, second = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 4, 2)
    return nn.Sequential(image, first, nn.ReLU(), pool, second, nn.Flatten(), nn.Linear(16, CLASSES))


def residual() -> nn.Module:
    return resnet((PIXELS,), CLASSES, width=4, blocks=(1, 1), groups=2)


def dropping(share: float = 0.5) -> nn.Module:
    hidden = nn.Linear(PIXELS, 8), nn.Dropout(share), nn.ReLU()
    return nn.Sequential(*hidden, nn.Linear(8, CLASSES))


def normalising() -> nn.Module:
    return nn.Sequential(nn.Linear(PIXELS, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, CLASSES))


def tied() -> nn.Module:
    """A perceptron two layers of which have one weight."""
    first, second = nn.Linear(PIXELS, PIXELS), nn.Linear(PIXELS, PIXELS)
    second.weight = first.weight
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Linear(PIXELS, CLASSES))


NETS: dict[str, Callable[[], nn.Module]] = {
    "by hand": perceptron,
    "through vmap": wrapped,
    "convolutional": convolutional,
    "residual": residual,
}


def started(build: Callable[[], nn.Module], seeds: Sequence[int]) -> list[nn.Module]:
    """Fresh models in double precision, in which rounding hides nothing."""
    return [initialise(build, seed).double() for seed in seeds]


def records(n: int = 50, pixels: int = PIXELS) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.normal(size=(n, pixels))), torch.from_numpy(rng.integers(0, CLASSES, n))


def train_alone(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    recipe: Recipe,
    seed: int,
    members: npt.NDArray[np.int64],
) -> nn.Module:
    """The textbook loop for one run."""
    optimiser = _optimiser(model, recipe)
    schedule = _schedule(optimiser, recipe)
    rng = np.random.default_rng(seed)
    model.train()
    for _ in range(recipe.epochs):
        order = rng.permutation(members)
        for start in range(0, len(order), recipe.batch_size):
            batch = order[start : start + recipe.batch_size]
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimiser.step()
        schedule.step()
    return model.eval()


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    weights, rate, decay = list(model.parameters()), recipe.learning_rate, recipe.weight_decay
    match recipe.optimiser:
        case "adam":
            return torch.optim.Adam(weights, lr=rate, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(weights, lr=rate, weight_decay=decay)
    return torch.optim.SGD(weights, lr=rate, weight_decay=decay, momentum=recipe.momentum)


def _schedule(optimiser: torch.optim.Optimizer, recipe: Recipe) -> lr_scheduler.LRScheduler:
    match recipe.schedule:
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimiser, T_max=recipe.epochs)
        case "step":
            return lr_scheduler.StepLR(optimiser, step_size=1, gamma=recipe.gamma)
    return lr_scheduler.ConstantLR(optimiser, factor=1.0)


def assert_equal_weights(one: nn.Module, other: nn.Module) -> None:
    """To the last bit, buffers too."""
    mine, theirs = one.state_dict(), other.state_dict()
    assert mine.keys() == theirs.keys()
    for name in mine:
        assert torch.equal(mine[name], theirs[name]), name


def assert_close_weights(one: nn.Module, other: nn.Module) -> None:
    """Up to rounding in double precision, buffers too."""
    torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=1e-7, atol=1e-9)


OPTIMISERS = {
    "adam": Recipe(3, 16, 0.01, weight_decay=0.01),
    "adamw": Recipe(3, 16, 0.01, weight_decay=0.1, optimiser="adamw"),
    "sgd": Recipe(3, 16, 0.05, weight_decay=0.01, optimiser="sgd", momentum=0.8),
}
MEMBERS = np.stack([np.arange(0, 40), np.arange(5, 45), np.arange(49, 9, -1)])
SEEDS = [11, 12, 13]
RECIPE = Recipe(2, 16, 0.01)

by_net = pytest.mark.parametrize("build", NETS.values(), ids=NETS)
