"""What an unlearning procedure is given."""

from typing import NamedTuple

import torch


class Records(NamedTuple):
    """Some records. x: float32 (records, *shape); y: int64 (records,)."""

    x: torch.Tensor
    y: torch.Tensor
