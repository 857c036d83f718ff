"""How a model is trained: the part of a claim that every arm shares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Recipe:
    """Minibatch training by cross-entropy descent, each epoch in a fresh random order.

    Attributes:
        epochs: Passes over the records.
        batch_size: Records a step (the last batch of an epoch may be smaller).
        learning_rate: Of the first epoch, as torch.optim defines it for `optimiser`.
        weight_decay: As torch.optim defines it.
        optimiser: One of OPTIMISERS.
        momentum: SGD's; the others have none.
        schedule: One of SCHEDULES. The learning rate of epoch e of E (0-based) is multiplied by 1
            ("constant"), (1 + cos(pi e / E)) / 2 ("cosine", Loshchilov & Hutter 2017, eq. 5 without
            restarts) or gamma^e ("step").
        gamma: Of the schedule "step".
        augment: What is done to an image each time it is seen: "shift", "flip", see
            `auditkit.training.augmentation`.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    optimiser: str = "adam"
    momentum: float = 0.9
    schedule: str = "constant"
    gamma: float = 0.1
    augment: tuple[str, ...] = ()

    def optimise(self, parameters: Sequence[torch.Tensor]) -> torch.optim.Optimizer:
        """The optimiser over some weights. All of them act on each number by itself, so stacked
        runs stay independent of each other.

        Args:
            parameters: The weights that learn, of any shapes, on one device.

        Raises:
            ValueError: For a name that is not in OPTIMISERS.
        """
        rate, decay = self.learning_rate, self.weight_decay
        match self.optimiser:
            case "adam":
                return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=True)
            case "adamw":
                return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
            case "sgd":
                return torch.optim.SGD(
                    parameters, lr=rate, weight_decay=decay, momentum=self.momentum, fused=True
                )
        raise ValueError(f"optimiser must be one of {OPTIMISERS}, got {self.optimiser!r}")

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch.

        Args:
            epoch: Counted from 0.

        Raises:
            ValueError: For a schedule that is not in SCHEDULES.
        """
        match self.schedule:
            case "constant":
                return self.learning_rate
            case "cosine":
                return self.learning_rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
            case "step":
                return self.learning_rate * float(self.gamma**epoch)
        raise ValueError(f"schedule must be one of {SCHEDULES}, got {self.schedule!r}")


OPTIMISERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "step")
