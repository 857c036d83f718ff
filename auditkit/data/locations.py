"""Where the IDX files of a data set may lie on this machine, best first."""

import os
from pathlib import Path

from auditkit.core.errors import UsageError
from auditkit.data.catalogue import STEMS

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def cache_directory(name: str) -> Path:
    """Where downloads of data set `name` are kept: under $XDG_CACHE_HOME, or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "auditkit" / "data" / name


def places(name: str) -> tuple[tuple[str, Path], ...]:
    """The places to look for data set `name`, best first, each as words for a report and a
    directory."""
    found: list[tuple[str, Path]] = []
    if chosen := os.environ.get("AUDITKIT_DATA"):
        found += [("$AUDITKIT_DATA", folder) for folder in _own_or_itself(Path(chosen), name)]
    if name == "fashion-mnist":
        found.append(("Debian's package dataset-fashion-mnist", DEBIAN))
    return (*found, ("the user's cache", cache_directory(name)))


def find(name: str) -> tuple[str, dict[str, Path]] | None:
    """The first place that holds all four files of data set `name`: its words, and the file of each
    stem."""
    for words, folder in places(name):
        files = files_in(folder)
        if len(files) == len(STEMS):
            return words, files
    return None


def find_in(directory: Path, name: str) -> dict[str, Path]:
    """The file of each stem in a directory the user named, or in its sub-folder called `name`.

    Raises UsageError naming the files it lacks.
    """
    held = [files_in(folder) for folder in _own_or_itself(directory, name)]
    for files in held:
        if len(files) == len(STEMS):
            return files
    lacking = [stem for stem in STEMS if stem not in max(held, key=len)]
    raise UsageError(
        f"the directory of {name} must hold four IDX files, raw or .gz; {directory} lacks"
        f" {', '.join(lacking)}; add them, or leave the directory out to search the usual places"
    )


def files_in(folder: Path) -> dict[str, Path]:
    """The file of each stem that `folder` holds, whichever way its name is written."""
    found = {}
    for stem in STEMS:
        for spelling in _spellings(stem):
            if os.path.isfile(
                folder / spelling
            ):  # unlike Path.is_file, False where the folder is closed to us
                found[stem] = folder / spelling
                break
    return found


def _spellings(stem: str) -> tuple[str, ...]:
    """The names under which a file is handed around: with a hyphen or a dot, raw or gzipped."""
    dotted = stem.replace("-idx", ".idx")
    return stem, f"{stem}.gz", dotted, f"{dotted}.gz"


def _own_or_itself(directory: Path, name: str) -> tuple[Path, Path]:
    """A sub-folder of the data set's own first: MNIST and Fashion-MNIST use the same file names."""
    directory = directory.expanduser()
    return directory / name, directory
