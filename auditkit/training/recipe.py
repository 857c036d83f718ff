"""How a model is trained: the part of a claim that every arm shares."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Recipe:
    """Minibatch training by cross-entropy descent, each epoch in a fresh random order.

    epochs: passes over the records. batch_size: records a step (the last batch of an epoch may be
    smaller). learning_rate, weight_decay: as torch.optim defines them for `optimiser`; "sgd" runs
    with momentum 0.9.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    optimiser: str = "adam"

    def optimise(self, parameters: Sequence[torch.Tensor]) -> torch.optim.Optimizer:
        """The optimiser over `parameters`. Adam and SGD act on each number by itself, so stacked
        runs stay independent of each other."""
        if self.optimiser == "adam":
            return torch.optim.Adam(
                parameters, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True
            )
        if self.optimiser == "sgd":
            return torch.optim.SGD(
                parameters, lr=self.learning_rate, weight_decay=self.weight_decay, momentum=0.9
            )
        raise ValueError(f"optimiser must be one of {OPTIMISERS}, got {self.optimiser!r}")


OPTIMISERS = ("adam", "sgd")
