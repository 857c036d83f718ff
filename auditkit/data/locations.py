"""Where the IDX files of a data set may lie on this machine, best first."""

import os
from pathlib import Path

from auditkit.core.errors import UsageError
from auditkit.data.catalogue import STEMS, IdxFiles


def cache_directory(name: str) -> Path:
    """Where downloads of data set `name` are kept: under $XDG_CACHE_HOME, or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "auditkit" / "data" / name


def places(wanted: IdxFiles) -> tuple[tuple[str, Path], ...]:
    """The places to look for a data set, best first, each as words for a report and a directory."""
    chosen = os.environ.get("AUDITKIT_DATA")
    folders = _subfolder_or_itself(Path(chosen), wanted.name) if chosen else ()
    named = tuple(("$AUDITKIT_DATA", folder) for folder in folders)
    return (*named, *wanted.packages, ("the user's cache", cache_directory(wanted.name)))


def find(wanted: IdxFiles) -> tuple[str, dict[str, Path]] | None:
    """The first place that holds all four files: its words, and the file of each stem."""
    for words, folder in places(wanted):
        files = files_in(folder)
        if len(files) == len(STEMS):
            return words, files
    return None


def find_in(directory: Path, name: str) -> dict[str, Path]:
    """The file of each stem in a directory the user named, or in its sub-folder called `name`.

    Raises:
        UsageError: files are missing; it names them.
    """
    held = [files_in(folder) for folder in _subfolder_or_itself(directory, name)]
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
    files = {}
    for stem in STEMS:
        for spelling in _spellings(stem):
            # os.path and not Path.is_file, which fails where the folder is closed to us.
            if os.path.isfile(folder / spelling):
                files[stem] = folder / spelling
                break
    return files


def _spellings(stem: str) -> tuple[str, ...]:
    """The names under which a file is handed around: with a hyphen or a dot, raw or gzipped."""
    dotted = stem.replace("-idx", ".idx")
    return stem, f"{stem}.gz", dotted, f"{dotted}.gz"


def _subfolder_or_itself(directory: Path, name: str) -> tuple[Path, Path]:
    """A sub-folder of the data set's own first: MNIST and Fashion-MNIST use the same file names."""
    directory = directory.expanduser()
    return directory / name, directory
