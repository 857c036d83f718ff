"""Small models with random weights, and records to ask them about."""

import copy
import functools
from collections.abc import Callable

import torch
from torch import nn

from auditkit.models.architectures import cnn, mlp
from auditkit.models.residual import resnet
from auditkit.training import Recipe, initialise
from auditkit.training.records import Records
from auditkit.unlearning.fnn_gates import attach, gateable, set_time

SIDE, CLASSES = 8, 3
SHAPE = (SIDE * SIDE,)
RECIPE = Recipe(epochs=1, batch_size=8, learning_rate=0.01, weight_decay=0.1)


def batch_normed() -> nn.Module:
    """A user's model with batch norm and a gate of its own in it."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 12), nn.BatchNorm1d(12), nn.GELU(), nn.Linear(12, CLASSES)
    )


def gated() -> nn.Module:
    """A perceptron with its forgetting gate switched on."""
    model = mlp(SHAPE, CLASSES, hidden=(12, 10))
    for name in gateable(model):
        layer = model.get_submodule(name)
        attach(layer, torch.arange(1.0, layer.get_parameter("weight").shape[0] + 1))
    set_time(model, 2.0)
    return model


BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "mlp": functools.partial(mlp, SHAPE, CLASSES, hidden=(12,)),
    "cnn": functools.partial(cnn, SHAPE, CLASSES),
    "resnet": functools.partial(resnet, SHAPE, CLASSES, width=4, groups=2, blocks=(1, 1)),
    "gated": gated,
    "batch norm": batch_normed,
}


@functools.cache
def _built(name: str) -> nn.Module:
    model = initialise(BUILDERS[name], 1)
    records = random_records(40, seed=9)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.running_mean.copy_(torch.linspace(-0.2, 0.2, 12))  # type: ignore[union-attr]
        # Every class is answered about as often as any other.
        head = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
        logits = model.eval()(records.x)
        if name != "gated":
            assert isinstance(head.bias, nn.Parameter)
            head.bias.sub_(logits.median(dim=0).values)
    return model


def built(name: str) -> nn.Module:
    """A model of its own for each test, always with the same weights, in eval mode."""
    return initialise(BUILDERS[name], 1).eval() if name == "gated" else copy.deepcopy(_built(name))


def random_records(n: int, seed: int = 0) -> Records:
    """n records of three blurred kinds in random order; the kind is the label."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, CLASSES, (n,), generator=generator)
    kinds = torch.rand((CLASSES, *SHAPE), generator=torch.Generator().manual_seed(77))
    return Records((kinds[y] + 0.3 * torch.randn((n, *SHAPE), generator=generator)).clamp(0, 1), y)


def answered_records(model: nn.Module, n: int, seed: int = 0) -> Records:
    """n records, most of which have the label that the model gives them."""
    records = random_records(n, seed)
    with torch.no_grad():
        y = model(records.x).argmax(dim=1)
    y[:3] = (y[:3] + 1) % CLASSES
    return Records(records.x, y)
