"""Small IDX data sets that the tests of this room write to disk."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auditkit.data.catalogue import STEMS, T10K_IMAGES, T10K_LABELS, TRAIN_IMAGES, TRAIN_LABELS


def idx_bytes(values: NDArray[np.uint8]) -> bytes:
    """An IDX file of unsigned bytes, written out by hand."""
    header = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    return header + values.tobytes()


def small_contents(shift: int = 0) -> dict[str, bytes]:
    """Four IDX files: 6 training and 4 test records of 2 × 3 pixels in two classes; `shift` changes
    the pixels."""
    rng = np.random.default_rng(7)
    return {
        TRAIN_IMAGES: idx_bytes(rng.integers(0, 200, (6, 2, 3)).astype(np.uint8) + np.uint8(shift)),
        TRAIN_LABELS: idx_bytes(np.array([0, 1, 0, 1, 0, 1], dtype=np.uint8)),
        T10K_IMAGES: idx_bytes(rng.integers(0, 200, (4, 2, 3)).astype(np.uint8) + np.uint8(shift)),
        T10K_LABELS: idx_bytes(np.array([1, 1, 0, 0], dtype=np.uint8)),
    }


def small_sums(contents: dict[str, bytes]) -> dict[str, str]:
    """The checksum of each content."""
    return {stem: hashlib.sha256(content).hexdigest() for stem, content in contents.items()}


def write_small(
    folder: Path, contents: dict[str, bytes], *, zipped: bool = True, dotted: bool = False
) -> Path:
    """Write the four files into `folder`, gzipped or raw, spelled with a hyphen or a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem in STEMS:
        name = stem.replace("-idx", ".idx") if dotted else stem
        content = contents[stem]
        (folder / (f"{name}.gz" if zipped else name)).write_bytes(
            gzip.compress(content, mtime=0) if zipped else content
        )
    return folder
