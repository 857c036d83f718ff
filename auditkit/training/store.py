"""Never train a run twice: results kept under a content hash of everything they depend on."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from auditkit.errors import AuditError
from auditkit.evidence.canonical import digest

Tensors = dict[str, torch.Tensor]


def store_directory() -> Path:
    """Where results are kept: $AUDITKIT_CACHE, else auditkit/runs in the user's cache directory."""
    if chosen := os.environ.get("AUDITKIT_CACHE"):
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "auditkit" / "runs"


def stored(identity: Mapping[str, object], compute: Callable[[], Tensors]) -> Tensors:
    """The tensors that `compute` gives, from the store where they are already there.

    identity: all that the result depends on; its hash is the name of the file. A file that cannot be
    read is computed again. A result is written aside and renamed, so a killed audit leaves no half file.
    """
    path = store_directory() / f"{digest(identity)}.safetensors"
    try:
        if path.exists():
            return load_file(path)
    except (SafetensorError, OSError):
        pass  # it is replaced below
    result = {name: tensor.contiguous() for name, tensor in compute().items()}
    aside = path.with_name(f".{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        save_file(result, aside)
        os.replace(aside, path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise AuditError(
            f"{path.parent}: trained runs must be kept here, found: {error.strerror or error}; make room, or "
            "name another place in $AUDITKIT_CACHE"
        ) from error
    return result
