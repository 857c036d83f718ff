"""What the engine must know of a task: nothing of models, training or unlearning."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from auditkit.engine.plan import Plan

if TYPE_CHECKING:
    import torch

Tensors = dict[str, "torch.Tensor"]


class Task(Protocol):
    """Work on one stack of runs. what: in words. seeds: of its runs. plan: how it is done. It can
    be pickled."""

    @property
    def what(self) -> str:
        """In words."""

    @property
    def seeds(self) -> Sequence[int]:
        """Of its runs."""

    @property
    def plan(self) -> Plan:
        """How it is done."""

    def perform(self) -> Tensors:
        """Do it; arrays in and arrays out."""
