"""The data sets known by name, and from the name of a source to a `Dataset`.

A new one is its reader and one line in SOURCES: `auditkit data list`, the checks of a claim and the
messages all read that table, and a test holds README's table against it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from auditkit.core.errors import UsageError
from auditkit.data.catalogue import (
    FASHION_MNIST,
    MNIST,
    T10K_IMAGES,
    T10K_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    IdxFiles,
)
from auditkit.data.dataset import Dataset, make_dataset
from auditkit.data.download import Progress, fetch_files
from auditkit.data.idx import read_idx
from auditkit.data.locations import files_in, find, find_in
from auditkit.data.user_data import load_npz, load_own

Arrays = tuple[NDArray[np.floating], NDArray[np.integer]]
"""(inputs (records, *shape), labels (records,))."""


@dataclass(frozen=True)
class Bundled:
    """Records that an installed library carries. place: where that is, in words. read: them."""

    place: str
    read: Callable[[], Arrays]


@dataclass(frozen=True)
class Source:
    """A data set known by name. where: how one comes by it, for README; records: how many; licence:
    under which terms it may be used, in words."""

    data: Bundled | IdxFiles
    where: str
    records: int
    licence: str


def _digits() -> Arrays:
    """The handwritten digits that scikit-learn carries: x (1797, 64) in 0..1."""
    pixels, labels = load_digits(return_X_y=True)
    return pixels / 16, labels


IDX = "IDX files: `directory` in the claim, `$AUDITKIT_DATA`, the user's cache, or download"

# One line a data set; commands, checks and README list them in this order. fmt: off
SOURCES: dict[str, Source] = {
    "digits": Source(
        Bundled("scikit-learn's bundled copy", _digits),
        "ships with scikit-learn",
        1_797,
        "CC BY 4.0 (UCI Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak 1998)",
    ),
    "mnist": Source(MNIST, IDX, 70_000, "CC BY-SA 3.0 (copyright Yann LeCun and Corinna Cortes)"),
    "fashion-mnist": Source(
        FASHION_MNIST,
        f"{IDX}; or Debian's package `dataset-fashion-mnist`",
        70_000,
        "MIT (copyright 2017 Zalando SE)",
    ),
}
# fmt: on


@dataclass(frozen=True)
class SourceStatus:
    """One named data set: where it was found, in words (None: it would be downloaded), its records,
    its licence."""

    name: str
    found: str | None
    records: int
    licence: str


def status() -> tuple[SourceStatus, ...]:
    """What is known of each named data set, without reading any: whether files are there, not
    whether they are right."""
    rows = []
    for name, source in SOURCES.items():
        rows.append(SourceStatus(name, _place(source.data), source.records, source.licence))
    return tuple(rows)


def _place(data: Bundled | IdxFiles) -> str | None:
    """Where the records are, in words; None if they would have to be downloaded."""
    if isinstance(data, Bundled):
        return data.place
    found = find(data)
    return None if found is None else found[0]


def load(
    source: str,
    directory: Path | None = None,
    *,
    folder: Path = Path(),
    progress: Progress | None = None,
) -> Dataset:
    """Load a data set. Files of a named one are searched in $AUDITKIT_DATA, in system packages and
    in the user's cache; what is in none of them is downloaded.

    Args:
        source: a name of SOURCES, a path ending in .npz, or a user's own function,
            "package.module:function" or "./file.py:function".
        directory: of the IDX files, for a source that has such; nowhere else is then searched.
        folder: where paths of a user's own files start.
        progress: called as bytes of a download arrive.

    Raises:
        UsageError: the source does not exist or cannot be used.
        IntegrityError: files are altered.
        AuditError: a download fails.
    """
    named = SOURCES.get(source)
    if named is None and not source.endswith(".npz") and ":" not in source:
        raise UsageError(
            f"a data source must be one of {', '.join(SOURCES)} or a path ending in .npz; "
            f"found {source!r}; name one of these, or your own function as './file.py:load_data'"
        )
    if directory is not None and (named is None or isinstance(named.data, Bundled)):
        raise UsageError(
            f"a directory must go with {' or '.join(_with_files())}; found directory {directory} with source "
            f"{source!r}; leave it out, and give an .npz file by its path"
        )
    if named is not None:
        return load_named(source, named, directory, progress=progress)
    if source.endswith(".npz"):
        return load_npz(folder / Path(source).expanduser())
    return load_own(source, folder)


def fetch(name: str, into: Path | None = None, *, progress: Progress | None = None) -> Path:
    """Download the files of a named data set, as `download.fetch_files` does.

    Returns:
        The directory they are in: `into`, or the user's cache.

    Raises:
        UsageError: no data set of this name is downloaded.
        IntegrityError, AuditError: as `fetch_files`.
    """
    files = _with_files()
    if name not in files:
        raise UsageError(
            f"a data set to fetch must be one of {', '.join(files)}; found {name!r}; name one of these"
        )
    return fetch_files(files[name], into, progress=progress)


def _with_files() -> dict[str, IdxFiles]:
    """The named data sets that come as files."""
    return {name: s.data for name, s in SOURCES.items() if isinstance(s.data, IdxFiles)}


def load_named(
    name: str, source: Source, directory: Path | None = None, *, progress: Progress | None = None
) -> Dataset:
    """The data set of one line of SOURCES; arguments and errors as `load`."""
    if isinstance(source.data, IdxFiles):
        return _load_idx(source.data, source.licence, directory, progress)
    x, y = source.data.read()
    ids = [f"{name}-{i:04d}" for i in range(len(y))]
    return make_dataset(name, x, y, ids, licence=source.licence, origin=source.data.place)


def _load_idx(wanted: IdxFiles, licence: str, directory: Path | None, progress: Progress | None) -> Dataset:
    """The official training records, then the t10k ones; x (records, pixels) in 0..1."""
    place, files = _located(wanted, directory, progress)
    part = {stem: read_idx(path, wanted.sums[stem]) for stem, path in files.items()}
    images = np.concatenate([part[TRAIN_IMAGES], part[T10K_IMAGES]])
    pixels = images.reshape(len(images), -1).astype(np.float32)
    pixels /= 255  # in place: these are 220 MB
    ids = [f"{wanted.name}-train-{i:05d}" for i in range(len(part[TRAIN_IMAGES]))]
    ids += [f"{wanted.name}-t10k-{i:05d}" for i in range(len(part[T10K_IMAGES]))]
    labels = np.concatenate([part[TRAIN_LABELS], part[T10K_LABELS]])
    origin = f"IDX files from {place}, checksums verified"
    return make_dataset(wanted.name, pixels, labels, ids, licence=licence, origin=origin)


def _located(
    wanted: IdxFiles, directory: Path | None, progress: Progress | None
) -> tuple[str, dict[str, Path]]:
    """(where the files are, in words; the file of each stem), downloaded if they are nowhere."""
    if directory is not None:
        return "the directory given", find_in(directory, wanted.name)
    if found := find(wanted):
        return found
    return "the user's cache", files_in(fetch_files(wanted, progress=progress))
