"""A hundred and forty digits and a small perceptron: a world in which a case is made in no time."""

from collections.abc import Sequence

import torch
from sklearn.datasets import load_digits
from torch import nn

from auditkit.models.architectures import mlp
from auditkit.training import Recipe, fit, initialise
from auditkit.training.records import Records

RUNS, SEEDS = 2, [11, 12]
RECIPE = Recipe(epochs=4, batch_size=16, learning_rate=0.01)
Weights = list[dict[str, torch.Tensor]]


def digits(rows: slice) -> Records:
    """Some of scikit-learn's digits."""
    loaded = load_digits()
    return Records(torch.from_numpy(loaded.data[rows] / 16).float(), torch.from_numpy(loaded.target[rows]))


RETAIN, FORGET, STAND_INS = slice(0, 110), slice(110, 140), slice(140, 150)
"""Which digits; stand-ins for the forget records are fewer, and no model is trained on them."""


def together(parts: Sequence[Records]) -> Records:
    """The records of all parts."""
    return Records(torch.cat([part.x for part in parts]), torch.cat([part.y for part in parts]))


def trained(
    parts: Sequence[Records], first: int, recipe: Recipe = RECIPE, runs: int = RUNS
) -> list[nn.Module]:
    """Models trained on all parts, from the seeds `first` on."""
    seeds = range(first, first + runs)
    models = [initialise(lambda: mlp((64,), 10, hidden=(16,)), seed) for seed in seeds]
    return fit(models, *together(parts), recipe, seeds=seeds)


def weights(models: Sequence[nn.Module]) -> Weights:
    """Copies of what the models hold."""
    return [{name: value.clone() for name, value in model.state_dict().items()} for model in models]


def same(a: Weights, b: Weights) -> bool:
    """Whether weights are the same to the last bit."""
    return all(torch.equal(one[k], other[k]) for one, other in zip(a, b, strict=True) for k in one)


@torch.no_grad()
def mean_loss(model: nn.Module, records: Records) -> float:
    """The mean cross-entropy of a model."""
    return float(nn.functional.cross_entropy(model(records.x), records.y))
