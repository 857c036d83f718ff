"""From the name of a source to a `Dataset`."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from auditkit.core.errors import UsageError
from auditkit.core.user_code import describe_error, resolve
from auditkit.data.catalogue import (
    CHECKSUMS,
    LICENCES,
    RECORDS,
    T10K_IMAGES,
    T10K_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
)
from auditkit.data.dataset import Dataset, make_dataset
from auditkit.data.download import Progress, fetch
from auditkit.data.idx import read_idx
from auditkit.data.locations import files_in, find, find_in

SOURCES = ("digits", "mnist", "fashion-mnist")
BUNDLED = "scikit-learn's bundled copy"
WORDS = ("ids", "groups", "licence")
"""What a user's own function may return besides x and y."""


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
    for name in SOURCES:
        place = (BUNDLED, {}) if name == "digits" else find(name)
        rows.append(SourceStatus(name, None if place is None else place[0], RECORDS[name], LICENCES[name]))
    return tuple(rows)


def load(
    source: str,
    directory: Path | None = None,
    *,
    folder: Path = Path(),
    progress: Progress | None = None,
) -> Dataset:
    """Load "digits", "mnist", "fashion-mnist", a path ending in .npz, or what a user's own function
    returns, "package.module:function" or "./file.py:function".

    `directory` holds the IDX files of mnist and fashion-mnist; without it $AUDITKIT_DATA, Debian's
    package and the user's cache are searched, and what is in none of them is downloaded. Paths of a
    user's own files start at `folder`. Raises UsageError for a source that does not exist or cannot
    be used, IntegrityError for altered files, AuditError where a download fails.
    """
    if source not in SOURCES and not source.endswith(".npz") and ":" not in source:
        raise UsageError(
            f"a data source must be one of {', '.join(SOURCES)} or a path ending in .npz; "
            f"found {source!r}; name one of these, or your own function as './file.py:load_data'"
        )
    if source in CHECKSUMS:
        return load_idx(source, directory, progress=progress)
    if directory is not None:
        raise UsageError(
            f"a directory must go with {' or '.join(CHECKSUMS)}; found directory {directory} with source "
            f"{source!r}; leave it out, and give an .npz file by its path"
        )
    if source == "digits":
        return load_embedded_digits()
    if source.endswith(".npz"):
        return load_npz(folder / Path(source).expanduser())
    return load_own(source, folder)


def load_embedded_digits() -> Dataset:
    """The 1,797 handwritten digits that scikit-learn carries: x (1797, 64) in 0..1."""
    pixels, labels = load_digits(return_X_y=True)
    return make_dataset(
        "digits",
        pixels / 16,
        labels,
        [f"digits-{i:04d}" for i in range(len(labels))],
        licence=LICENCES["digits"],
        origin=BUNDLED,
    )


def load_idx(
    name: str,
    directory: Path | None = None,
    *,
    sums: Mapping[str, str] | None = None,
    mirrors: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """MNIST or Fashion-MNIST: the official training records, then the t10k ones; x (records,
    pixels) in 0..1.

    `sums` and `mirrors` default to what is known of the data set; see `load` for the places and the
    errors.
    """
    known = CHECKSUMS[name] if sums is None else sums
    if directory is not None:
        words, files = "the directory given", find_in(directory, name)
    elif place := find(name):
        words, files = place
    else:
        words, files = (
            "the user's cache",
            files_in(fetch(name, mirrors=mirrors, sums=known, progress=progress)),
        )
    part = {stem: read_idx(path, known[stem]) for stem, path in files.items()}
    images = np.concatenate([part[TRAIN_IMAGES], part[T10K_IMAGES]])
    pixels = images.reshape(len(images), -1).astype(np.float32)
    pixels /= 255  # in place: these are 220 MB
    ids = [f"{name}-train-{i:05d}" for i in range(len(part[TRAIN_IMAGES]))]
    ids += [f"{name}-t10k-{i:05d}" for i in range(len(part[T10K_IMAGES]))]
    return make_dataset(
        name,
        pixels,
        np.concatenate([part[TRAIN_LABELS], part[T10K_LABELS]]),
        ids,
        licence=LICENCES[name],
        origin=f"IDX files from {words}, checksums verified",
    )


def load_npz(path: Path) -> Dataset:
    """A user's own data: arrays `x` and `y`, and if wanted `ids` and `groups`, as `make_dataset`
    takes them.

    Nothing is unpickled. Raises UsageError for a file that is missing, is no .npz, or lacks or
    hides arrays.
    """
    arrays = _npz_arrays(path)
    return make_dataset(
        path.stem,
        arrays["x"],
        arrays["y"],
        arrays.get("ids"),
        arrays.get("groups"),
        licence="not stated in the file",
        origin=f"the file {path.name}",
    )


def load_own(source: str, folder: Path = Path()) -> Dataset:
    """What a user's own function returns: (x, y), or a mapping with x and y and if wanted ids,
    groups and licence (words); the arrays as `make_dataset` takes them.

    folder: where the path of "./file.py:function" starts. Raises UsageError for a function that is
    not there, that fails, or that returns anything else.
    """
    function = resolve(source, folder, {}, "data.source")
    try:
        given = _named_arrays(function())
    except UsageError as error:
        raise UsageError(*(f"data.source = {source!r}: {problem}" for problem in error.problems)) from error
    except (Exception, SystemExit) as error:  # whatever the user's code raises is what they need to read
        raise UsageError(f"data.source = {source!r}: it failed: {describe_error(error)}; mend it") from error
    module, _, name = source.partition(":")
    return make_dataset(
        Path(module).name.removesuffix(".py"),
        given["x"],
        given["y"],
        given.get("ids"),
        given.get("groups"),
        licence=str(given.get("licence", "not stated by the function")),
        origin=f"the function {name} of {Path(module).name}",
    )


def _named_arrays(returned: object) -> dict[str, Any]:
    """What `load_data` returned, by name; all but the licence as arrays. UsageError if it is not
    what is asked for."""
    match returned:
        case (x, y):
            given: dict[str, Any] = {"x": x, "y": y}
        case Mapping():
            given = {str(key): value for key, value in returned.items() if value is not None}
        case _:
            raise UsageError(
                f"it must return (x, y) or a mapping with x and y, found {type(returned).__name__};"
                " return one"
            )
    if missing := {"x", "y"} - set(given):
        found = ", ".join(given) or "nothing"
        raise UsageError(f"it must return x and y, found {found}; add {' and '.join(sorted(missing))}")
    if unknown := sorted(set(given) - {"x", "y", *WORDS}):
        raise UsageError(
            f"it may return x, y, {', '.join(WORDS)}, found {', '.join(unknown)} too; leave it out"
        )
    return {key: value if key == "licence" else np.asarray(value) for key, value in given.items()}


def _npz_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays x and y, and ids and groups where the file holds them."""
    remedy = "save it with np.savez(path, x=..., y=...)"
    try:
        # Opened here and not by numpy, which leaves the file open where it turns out to be no zip.
        with path.expanduser().open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise UsageError(f"{path}: it must be an .npz file, found no zip archive; {remedy}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                if not {"x", "y"} <= set(archive.files):
                    found = ", ".join(archive.files) or "none"
                    raise UsageError(f"{path}: it must hold the arrays x and y, found {found}; {remedy}")
                return {name: archive[name] for name in ("x", "y", "ids", "groups") if name in archive.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise UsageError(
            f"{path}: it must be a whole .npz file, found it damaged: {error}; {remedy}"
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{path}: its arrays must be numbers or strings that load without pickle, found: {error}; "
            "convert them, e.g. ids to np.array(ids, dtype=str), and save it again"
        ) from error
    except OSError as error:
        raise UsageError(
            f"{path}: an .npz source must be a readable file, found: {error.strerror or error}; "
            "correct the path (a relative one starts at the working directory)"
        ) from error
