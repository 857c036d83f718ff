"""What the tests of the store share: results to keep, and how they are looked at."""

import os
import time
from pathlib import Path

import torch

from auditkit.core.canonical import digest
from auditkit.engine.store import (
    load,
    store_directory,
)
from auditkit.engine.tensor_file import Tensors

RUN = {"what": "2 original runs of digits", "lr": 0.1}


TENSORS: Tensors = {
    "weight": torch.arange(12.0).reshape(2, 3, 2).transpose(1, 2),  # not contiguous
    "half": torch.tensor([1.5, -0.0, float("nan")], dtype=torch.bfloat16),
    "count": torch.tensor(2**60 + 1),  # of no dimension
    "mask": torch.tensor([True, False, True]),
    "nothing": torch.empty(0, 3),
}


OLD = 2.5 * 86_400


def file_of(identity: dict[str, object]) -> Path:
    return store_directory() / f"{digest(identity)}.safetensors"


def same(first: Tensors, second: Tensors) -> bool:
    """Equal names, dtypes, shapes and numbers, NaN included."""
    return first.keys() == second.keys() and all(
        torch.equal(torch.isnan(first[name]), torch.isnan(second[name]))
        and first[name].dtype == second[name].dtype
        and torch.equal(torch.nan_to_num(first[name]), torch.nan_to_num(second[name]))
        for name in first
    )


def kept(identity: dict[str, object], told: list[str] | None = None) -> Tensors:
    """What is stored, which must be there."""
    tensors = load(identity, None if told is None else told.append)
    assert tensors is not None
    return tensors


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def flipped_in_the_data(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
