"""A user's own records: from an .npz file, or from a function of theirs."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditkit.core.errors import UsageError
from auditkit.core.user_code import describe_error, resolve
from auditkit.data.dataset import Dataset, make_dataset

WORDS = ("ids", "groups", "licence")
"""What a user's own function may return besides x and y."""


def load_npz(path: Path) -> Dataset:
    """A user's own data from a file. Nothing is unpickled.

    Args:
        path: an .npz file with arrays `x` and `y`, and if wanted `ids` and `groups`, as
            `make_dataset` takes them.

    Raises:
        UsageError: the file is missing, is no .npz, or lacks or hides arrays.
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
    """A user's own data from a function without arguments, which returns (x, y), or a mapping with
    x and y and if wanted ids, groups and licence (words); the arrays as `make_dataset` takes them.

    Args:
        source: the function, as "package.module:function" or "./file.py:function".
        folder: where the path of "./file.py:function" starts.

    Raises:
        UsageError: the function is not there, fails, or returns anything else.
    """
    function = resolve(source, folder, {}, "data.source")
    try:
        arrays = _named_arrays(function())
    except UsageError as error:
        raise UsageError(*(f"data.source = {source!r}: {problem}" for problem in error.problems)) from error
    except (Exception, SystemExit) as error:  # whatever the user's code raises is what they need to read
        raise UsageError(f"data.source = {source!r}: it failed: {describe_error(error)}; mend it") from error
    module, _, name = source.partition(":")
    return make_dataset(
        Path(module).name.removesuffix(".py"),
        arrays["x"],
        arrays["y"],
        arrays.get("ids"),
        arrays.get("groups"),
        licence=str(arrays.get("licence", "not stated by the function")),
        origin=f"the function {name} of {Path(module).name}",
    )


def _named_arrays(returned: object) -> dict[str, Any]:
    """What `load_data` returned, by name; all but the licence as arrays. UsageError if it is not
    what is asked for."""
    match returned:
        case (x, y):
            values: dict[str, Any] = {"x": x, "y": y}
        case Mapping():
            values = {str(key): value for key, value in returned.items() if value is not None}
        case _:
            raise UsageError(
                f"it must return (x, y) or a mapping with x and y, found {type(returned).__name__};"
                " return one"
            )
    if missing := {"x", "y"} - set(values):
        found = ", ".join(values) or "nothing"
        raise UsageError(f"it must return x and y, found {found}; add {' and '.join(sorted(missing))}")
    if unknown := sorted(set(values) - {"x", "y", *WORDS}):
        raise UsageError(
            f"it may return x, y, {', '.join(WORDS)}, found {', '.join(unknown)} too; leave it out"
        )
    return {key: value if key == "licence" else np.asarray(value) for key, value in values.items()}


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
