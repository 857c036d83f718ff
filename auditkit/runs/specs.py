"""What a task asks for: how its models come to be, and how they are looked at. Arrays and names
alone, so that a task can be sent to another machine."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from auditkit.core.ids import Recovery
from auditkit.training import Recipe


@dataclass(frozen=True, eq=False)
class Train:
    """Train the stack from scratch. members: (runs, n), positions among the task's records. own:
    name and folder of the user's own `train(model, data, seed) -> model`, in place of the
    recipe."""

    members: npt.NDArray[np.int64]
    recipe: Recipe
    own: tuple[str, Path] | None = None


@dataclass(frozen=True, eq=False)
class LoadedWeights:
    """The stack as it was trained before. weights: name -> (runs, ...)."""

    weights: Mapping[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Unlearn:
    """Make the stack from trained runs by a procedure. weights: of those runs. retain, forget:
    positions among the task's records. procedure, folder, options, recipe: see
    `auditkit.unlearning.binding.bind_procedure`. proxies: weights of as many models of the
    claimant's own, which a procedure is given that asks for them."""

    weights: Mapping[str, torch.Tensor]
    retain: npt.NDArray[np.int64]
    forget: npt.NDArray[np.int64]
    procedure: str
    folder: Path
    options: Mapping[str, Any]
    recipe: Recipe
    proxies: Mapping[str, torch.Tensor] | None = None


@dataclass(frozen=True, eq=False)
class ProbeSpec:
    """What is looked at with the models in hand. observed: name in `auditkit.probes.OBSERVATIONS`
    -> which of the near records are asked about. recovered: names in RECOVERIES. retain, forget,
    control: positions among the task's records; near records are forget, then control. recipe: how
    the models were trained. seed: the same for every run, so that runs are told apart by what they
    are alone."""

    observed: Mapping[str, npt.NDArray[np.int64]]
    recovered: Sequence[Recovery]
    retain: npt.NDArray[np.int64]
    forget: npt.NDArray[np.int64]
    control: npt.NDArray[np.int64]
    recipe: Recipe
    seed: int

    def commitment(self) -> bytes:
        """SHA-256 over all of it but the recipe."""
        total = hashlib.sha256(repr((list(self.observed), list(self.recovered), self.seed)).encode())
        for positions in (*self.observed.values(), self.retain, self.forget, self.control):
            total.update(f"{len(positions)}\0".encode() + positions.tobytes())
        return total.digest()
