"""A result as one safetensors file: named tensors behind a header with their metadata.

Only reading and writing tensors need torch.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from auditkit.core.canonical import canonical

if TYPE_CHECKING:
    import torch

Tensors = dict[str, "torch.Tensor"]

DTYPES = {
    "torch.float64": "F64",
    "torch.float32": "F32",
    "torch.float16": "F16",
    "torch.bfloat16": "BF16",
    "torch.int64": "I64",
    "torch.int32": "I32",
    "torch.int16": "I16",
    "torch.int8": "I8",
    "torch.uint8": "U8",
    "torch.bool": "BOOL",
}
"""The kinds of numbers that are kept: torch's name -> safetensors' name."""

LONGEST_HEADER = 100_000_000
"""Bytes. safetensors reads none that is longer."""


def read_tensors(path: Path, identity: str) -> Tensors | None:
    """The tensors in the file, or None if it is not whole or not of this identity."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            stated = file.metadata() or {}
            # Each is copied out of the mapped file: what is computed from it may be rounded
            # differently where memory is not aligned as torch aligns its own, and a resumed audit
            # must not differ.
            tensors = {name: file.get_tensor(name).clone() for name in sorted(file.keys())}
    except (SafetensorError, OSError):
        return None
    ours = stated.get("identity") == identity and stated.get("sha256") == fingerprint(tensors)
    return tensors if ours else None


def write_tensors(file: BinaryIO, tensors: Tensors, metadata: Mapping[str, str]) -> None:
    """Write the tensors as safetensors.

    Not with that library: its save_file writes aside under names that `prune` would not know, and
    its save needs memory for two more copies.
    """
    # The larger numbers first, so that each lies at a multiple of its size.
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, object] = {"__metadata__": metadata}
    at = 0
    for name in order:
        tensor = tensors[name]
        end = at + tensor.nbytes
        header[name] = {"dtype": _dtype(tensor), "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        file.write(_content(tensors[name]))


def fingerprint(tensors: Tensors) -> str:
    """SHA-256 over names, dtypes, shapes and bytes of all tensors, by name, hex."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(canonical([name, str(tensor.dtype), list(tensor.shape)]))
        total.update(_content(tensor))
    return total.hexdigest()


def read_header(path: Path) -> Any:
    """The JSON at the head of a safetensors file, behind its length in 8 bytes, little-endian."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(min(length, LONGEST_HEADER)))


def _dtype(tensor: "torch.Tensor") -> str:
    if (kind := str(tensor.dtype)) not in DTYPES:
        raise ValueError(f"a kept tensor must be of one of {', '.join(DTYPES)}; found {kind}")
    return DTYPES[kind]


def _content(tensor: "torch.Tensor") -> Any:
    """The tensor's bytes, uint8 (bytes,), not copied."""
    import torch

    return tensor.reshape(-1).view(torch.uint8).numpy()
