"""What a procedure costs."""

import torch
from torch import nn

from auditkit.reproduction.cost import counted
from auditkit.training import Recipe, fit
from auditkit.training.records import Records
from auditkit.unlearning.ssd import unlearn as dampen


def a_model() -> nn.Sequential:
    """A perceptron whose gradient is written out."""
    return nn.Sequential(nn.Linear(20, 7), nn.ReLU(), nn.Linear(7, 3))


def some(n: int) -> Records:
    """n records."""
    return Records(torch.randn(n, 20), torch.arange(n) % 3)


def test_training_is_counted_product_by_product() -> None:
    """An epoch of a perceptron is three products a layer but for the first, whose inputs need no
    gradient: two operations for each number that is multiplied."""
    records = some(64)
    cost = counted(lambda: fit([a_model()], *records, Recipe(3, 16, 0.01), seeds=[0]))
    assert cost.flops == 3 * 64 * 2 * (2 * 20 * 7 + 3 * 7 * 3)
    assert cost.seconds > 0
    stack = counted(lambda: fit([a_model(), a_model()], *records, Recipe(3, 16, 0.01), seeds=[0, 1]))
    assert stack.flops == 2 * cost.flops


def test_gradients_of_single_records_are_counted() -> None:
    """Under vmap too, where the batch is a dimension of the product."""
    retain, forget = some(30), some(10)
    cost = counted(lambda: dampen([a_model()], retain, forget, seeds=[0]))
    alone = 2 * (2 * 20 * 7 + 3 * 7 * 3)
    assert 40 * alone <= cost.flops <= 60 * alone


def test_nothing_costs_nothing() -> None:
    """What multiplies nothing takes no operation."""
    assert counted(lambda: None).flops == 0
