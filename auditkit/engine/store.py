"""Never train a run twice: results kept under a content hash of everything they depend on.

A result is one safetensors file. Its metadata holds the canonical JSON of its identity, and a
SHA-256 over its tensors; both are checked when it is read, so a damaged file or another run's is
never used. Only `load` and `save` need torch.
"""

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from auditkit.core.canonical import canonical, digest
from auditkit.core.errors import AuditError

if TYPE_CHECKING:
    import torch

Tensors = dict[str, "torch.Tensor"]

UNFINISHED, NOT_READABLE = "unfinished", "not readable"

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

FINISHED = re.compile(r"[0-9a-f]{64}\.safetensors")
PART = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f.]+\.part")

DAY, HOUR = 86_400.0, 3_600.0
"""In seconds. No result takes an hour to write: an older part is what a killed writer left."""

LONGEST_HEADER = 100_000_000
"""Bytes. safetensors reads none that is longer."""


@dataclass(frozen=True)
class StoredResult:
    """A file in the store.

    what: what it holds, in human words, or UNFINISHED, or NOT_READABLE. last_used: POSIX seconds.
    """

    name: str
    what: str
    bytes: int
    last_used: float


def store_directory() -> Path:
    """Where results are kept: $AUDITKIT_CACHE, else auditkit/runs in the user's cache directory."""
    if chosen := os.environ.get("AUDITKIT_CACHE"):
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "auditkit" / "runs"


def load(identity: Mapping[str, object], tell: Callable[[str], None] | None = None) -> Tensors | None:
    """The tensors stored for `identity`, by name in sorted order, or None where there are none to
    be used.

    tell: gets one line if there is a file that cannot be used; the next `save` replaces it. Raises
    ValueError for an identity without "what".
    """
    path = _path(identity)
    if not os.path.exists(path):
        return None
    tensors = _read(path, canonical(identity).decode())
    if tensors is None:
        if tell is not None:
            tell(f"{path}: damaged or not ours, trained again")
        return None
    with suppress(OSError):  # in a store that may only be read, nobody will ask when it was last used
        os.utime(path)
    return tensors


def save(identity: Mapping[str, object], tensors: Tensors) -> None:
    """Keep `tensors` under `identity`: all that they depend on, and "what", a few human words that
    say what they are. They are written aside and renamed, so a killed audit leaves no half result.

    Raises ValueError for an identity without "what" or a dtype that is not in DTYPES, AuditError
    where the file cannot be written.
    """
    path = _path(identity)
    aside = path.with_name(f".{path.stem}.{os.getpid()}.{secrets.token_hex(8)}.part")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"identity": canonical(identity).decode(), "sha256": _fingerprint(plain)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            _write(file, plain, metadata)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as error:
        raise AuditError(
            f"{path}: trained runs must be kept here, found: {error.strerror or error}; make room, remove"
            " what is in the way, or name another place in $AUDITKIT_CACHE"
        ) from error
    finally:
        with suppress(OSError):  # gone already where all went well
            aside.unlink()


def contents() -> list[StoredResult]:
    """Every file in the store, the longest unused first; links and directories are passed over.

    Raises AuditError where the store cannot be read.
    """
    directory = store_directory()
    try:
        with os.scandir(directory) as items:
            entries = [entry for item in items if (entry := _entry(item)) is not None]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AuditError(
            f"{directory}: trained runs must be kept here, found: {error.strerror or error}; name another "
            "place in $AUDITKIT_CACHE"
        ) from error
    return sorted(entries, key=lambda entry: (entry.last_used, entry.name))


def prune(unused_days: float | None) -> tuple[int, int]:
    """Remove the results not used for `unused_days` (None: all of them) and what killed writers
    left. Returns how many files were removed, and their bytes.

    Only plain files with names that `save` gives are removed. Raises AuditError where one cannot
    be.
    """
    now = time.time()
    removed = [entry for entry in contents() if _expired(entry, unused_days, now) and _remove(entry)]
    return len(removed), sum(entry.bytes for entry in removed)


def _path(identity: Mapping[str, object]) -> Path:
    """Where the result is kept. ValueError for an identity that does not say what it is."""
    if not _is_words(identity.get("what")):
        raise ValueError(
            'identity["what"] must say in a few printable words what is kept, as in "20 original runs of '
            f'digits", found {identity.get("what")!r}'
        )
    return store_directory() / f"{digest(identity)}.safetensors"


def _is_words(value: object) -> bool:
    return isinstance(value, str) and value.strip() != "" and value.isprintable()


def _read(path: Path, identity: str) -> Tensors | None:
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
    ours = stated.get("identity") == identity and stated.get("sha256") == _fingerprint(tensors)
    return tensors if ours else None


def _write(file: BinaryIO, tensors: Tensors, metadata: Mapping[str, str]) -> None:
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


def _dtype(tensor: "torch.Tensor") -> str:
    if (kind := str(tensor.dtype)) not in DTYPES:
        raise ValueError(f"a kept tensor must be of one of {', '.join(DTYPES)}; found {kind}")
    return DTYPES[kind]


def _content(tensor: "torch.Tensor") -> Any:
    """The tensor's bytes, uint8 (bytes,), not copied."""
    import torch

    return tensor.reshape(-1).view(torch.uint8).numpy()


def _fingerprint(tensors: Tensors) -> str:
    """SHA-256 over names, dtypes, shapes and bytes of all tensors, by name, hex."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(canonical([name, str(tensor.dtype), list(tensor.shape)]))
        total.update(_content(tensor))
    return total.hexdigest()


def _entry(item: os.DirEntry[str]) -> StoredResult | None:
    """The file as an entry; None for links, directories, and what another process has just
    removed."""
    try:
        if not item.is_file(follow_symlinks=False):
            return None
        status = item.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return StoredResult(item.name, _what(Path(item.path)), status.st_size, status.st_mtime)


def _what(path: Path) -> str:
    """What the file holds, as far as its name and its header tell; its tensors are not looked
    at."""
    if PART.fullmatch(path.name):
        return UNFINISHED
    if not FINISHED.fullmatch(path.name):
        return NOT_READABLE
    try:
        identity = _header(path)["__metadata__"]["identity"].encode()
        what = json.loads(identity)["what"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return NOT_READABLE  # any JSON at all may be found there
    ours = hashlib.sha256(identity).hexdigest() == path.stem and _is_words(what)
    return str(what) if ours else NOT_READABLE


def _header(path: Path) -> Any:
    """The JSON at the head of a safetensors file, behind its length in 8 bytes, little-endian."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(min(length, LONGEST_HEADER)))


def _expired(entry: StoredResult, unused_days: float | None, now: float) -> bool:
    unused = now - entry.last_used
    if PART.fullmatch(entry.name):
        return unused > HOUR
    return FINISHED.fullmatch(entry.name) is not None and (unused_days is None or unused >= unused_days * DAY)


def _remove(entry: StoredResult) -> bool:
    """Remove the file. False if another process was faster."""
    path = store_directory() / entry.name
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise AuditError(
            f"{path}: cannot be removed: {error.strerror or error}; remove it as the user it belongs to"
        ) from error
    return True
