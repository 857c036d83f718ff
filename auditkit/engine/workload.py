"""What is to be trained, as far as its cost goes: memory and operations, not yet seconds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from auditkit.models.architectures import Build
from auditkit.training import Recipe, initialise

OPTIMISER_COPIES = 4
"""Weights, gradients and the two moments of Adam."""


@dataclass(frozen=True, eq=False)
class TrainingWorkload:
    """What is to be trained, as far as its cost goes.

    records: of each run, at most. runs: what may share a stack, by name -> how many. x, y: some
    records to try steps on. data_bytes: of all records a worker is given.
    """

    build: Build
    x: torch.Tensor
    y: torch.Tensor
    recipe: Recipe
    records: int
    runs: Mapping[str, int]
    data_bytes: int

    @property
    def steps(self) -> int:
        """Steps of one run."""
        return self.recipe.epochs * math.ceil(self.records / self.recipe.batch_size)


def weight_bytes(work: TrainingWorkload) -> int:
    """The size of one run's weights."""
    weights: int = sum(p.numel() * p.element_size() for p in initialise(work.build, 0).parameters())
    return weights


def stack_bytes(work: TrainingWorkload) -> int:
    """The memory that one run of a stack takes while a step is made: its weights, gradients and
    optimiser state, and what backward needs of a batch, measured."""
    model = initialise(work.build, 0).train()
    batch = work.x[: min(work.recipe.batch_size, work.records)]
    saved: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.random.fork_rng(devices=[]), torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        model(batch)
    # Forward results and their gradients lie side by side for a while.
    activations: int = sum(saved.values())
    return OPTIMISER_COPIES * weight_bytes(work) + 2 * activations


def flops(work: TrainingWorkload) -> int:
    """Floating-point operations of all matrix products and convolutions of training, forward and
    backward."""
    n = min(work.recipe.batch_size, work.records, len(work.x))
    model: nn.Module = initialise(work.build, 0).train()
    with torch.random.fork_rng(devices=[]), FlopCounterMode(display=False) as counter:
        model(work.x[:n]).sum().backward()
    a_record: float = counter.get_total_flops() / n
    return round(a_record * work.records * work.recipe.epochs * sum(work.runs.values()))
