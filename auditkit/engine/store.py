"""Never train a run twice: results kept under a content hash of everything they depend on.

A result is one safetensors file (`auditkit.engine.tensor_file`). Its metadata holds the canonical
JSON of its identity, and a SHA-256 over its tensors; both are checked when it is read, so a damaged
file or another run's is never used. Only `load` and `save` need torch.
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

from auditkit.core.canonical import canonical, digest
from auditkit.core.errors import AuditError
from auditkit.engine.tensor_file import Tensors, fingerprint, read_header, read_tensors, write_tensors

UNFINISHED, NOT_READABLE = "unfinished", "not readable"

FINISHED = re.compile(r"[0-9a-f]{64}\.safetensors")
PART = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f.]+\.part")

DAY, HOUR = 86_400.0, 3_600.0
"""In seconds. No result takes an hour to write: an older part is what a killed writer left."""


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
    """What is stored under an identity.

    Args:
        identity: all that the result depends on, and "what", as `save` was given it.
        tell: gets one line if there is a file that cannot be used; the next `save` replaces it.

    Returns:
        Tensors by name, names sorted, of the shapes and dtypes that were saved; None where there
        are none to be used.

    Raises:
        ValueError: for an identity without "what".
    """
    path = _path(identity)
    if not os.path.exists(path):
        return None
    tensors = read_tensors(path, canonical(identity).decode())
    if tensors is None:
        if tell is not None:
            tell(f"{path}: damaged or not ours, trained again")
        return None
    with suppress(OSError):  # in a store that may only be read, nobody will ask when it was last used
        os.utime(path)
    return tensors


def save(identity: Mapping[str, object], tensors: Tensors) -> None:
    """Keep a result. It is written aside and renamed, so a killed audit leaves no half result.

    Args:
        identity: all that the result depends on, and "what", a few human words that say what it is.
        tensors: by name, of the dtypes in `tensor_file.DTYPES`, of any shape, on any device.

    Raises:
        ValueError: for an identity without "what", or another dtype.
        AuditError: where the file cannot be written.
    """
    path = _path(identity)
    aside = path.with_name(f".{path.stem}.{os.getpid()}.{secrets.token_hex(8)}.part")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"identity": canonical(identity).decode(), "sha256": fingerprint(plain)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            write_tensors(file, plain, metadata)
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
    """Remove what has not been used lately, and what killed writers left.

    Only plain files with names that `save` gives are removed.

    Args:
        unused_days: results used since then are kept; None removes all of them.

    Returns:
        How many files were removed, and their bytes.

    Raises:
        AuditError: where one cannot be removed.
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
        identity = read_header(path)["__metadata__"]["identity"].encode()
        what = json.loads(identity)["what"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return NOT_READABLE  # any JSON at all may be found there
    ours = hashlib.sha256(identity).hexdigest() == path.stem and _is_words(what)
    return str(what) if ours else NOT_READABLE


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
