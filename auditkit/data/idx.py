"""IDX, the format of MNIST: two zero bytes, a type, the number of dimensions, the dimensions, the
values."""

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auditkit.core.errors import IntegrityError, UsageError

GZIP = b"\x1f\x8b"
UBYTE = 0x08
AGAIN = "delete the file and get it again"


def read_idx(path: Path, sha256: str | None) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, raw or gzipped (told apart by content).

    Args:
        path: of the file.
        sha256: (hex) of the decompressed content, so that a raw and a gzipped copy share one
            checksum; None checks the form alone.

    Returns:
        uint8, of the file's own shape.

    Raises:
        UsageError: there is no such file.
        IntegrityError: it is corrupt, truncated, over-long, of another type or another checksum.
    """
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[3] == 0:
        raise IntegrityError(
            f"{path}: an IDX file must begin with 00 00, a type and a number of dimensions, "
            f"found {content[:4].hex(' ') or 'nothing'}; {AGAIN}"
        )
    if content[2] != UBYTE:
        raise IntegrityError(
            f"{path}: the values must be unsigned bytes (type 08), found type {content[2]:02x}; "
            "convert the file, or give the data as .npz"
        )
    start = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4))
    expected = start + math.prod(shape)
    # A file cut inside its header has no dimensions to go by: the header alone is then what it
    # lacks.
    if len(content) < start or len(content) != expected:
        wanted = f"at least {start}" if len(content) < start else f"{expected}"
        how = "truncated" if len(content) < expected or len(content) < start else "too long"
        raise IntegrityError(
            f"{path}: {how}: expected {wanted} bytes from its dimensions, found {len(content)}; {AGAIN}"
        )
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise IntegrityError(
            f"{path}: the SHA-256 of the decompressed content must be {sha256}, found {found}; "
            f"{AGAIN}, or name the directory that holds the right data set"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def content_sha256(path: Path) -> str | None:
    """SHA-256 (hex) of the decompressed content of a raw or gzipped file; None where the gzip is
    corrupt."""
    try:
        return hashlib.sha256(_content(path)).hexdigest()
    except IntegrityError:
        return None


def _content(path: Path) -> bytes:
    """The bytes of a file, decompressed if they are gzip's."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path}: an IDX file must be readable, found: {error.strerror}; name the directory that holds it"
        ) from error
    if not raw.startswith(GZIP):
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise IntegrityError(f"{path}: corrupt or truncated gzip, found: {error}; {AGAIN}") from error
