"""What the store holds, and `auditkit cache`: real files, a real terminal."""

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from auditkit.cli.main import main
from auditkit.engine.store import (
    StoredResult,
    contents,
    load,
    prune,
    save,
)
from tests.engine.stores import OLD, RUN, TENSORS, age, file_of, flipped_in_the_data, kept

pytestmark = pytest.mark.usefixtures("directory")


PART = f".{'a' * 64}.123.{'0' * 16}.part"


def fill(directory: Path) -> dict[str, Path]:
    """A store with one of everything, all but "run" unused for two and a half days."""
    save(RUN, TENSORS)
    save(RUN | {"lr": 0.2, "what": "shadow runs"}, {"w": torch.ones(500_000)})
    paths = {
        "run": file_of(RUN),
        "old run": file_of(RUN | {"lr": 0.2, "what": "shadow runs"}),
        "damaged": directory / f"{'b' * 64}.safetensors",
        "copy": directory / f"{'c' * 64}.safetensors",
        "part": directory / PART,
        "fresh part": directory / PART.replace("123", "124"),
        "note": directory / "note.txt",
        "short name": directory / "abc.safetensors",
    }
    paths["damaged"].write_bytes(b"[" * 100_000)
    paths["copy"].write_bytes(paths["run"].read_bytes())
    for name in ("part", "fresh part", "note", "short name"):
        paths[name].write_text("mine")
    for name, path in paths.items():
        age(path, 0 if name in ("run", "fresh part") else OLD)
    inside = directory / "folder" / f"{'d' * 64}.safetensors"
    inside.parent.mkdir()
    inside.write_text("mine")
    elsewhere = directory.parent / "elsewhere"
    elsewhere.write_text("mine")
    link = directory / f"{'e' * 64}.safetensors"
    link.symlink_to(elsewhere)
    for path in (inside, elsewhere):
        age(path, OLD)
    return paths | {"inside": inside, "elsewhere": elsewhere, "link": link}


def there(paths: dict[str, Path]) -> set[str]:
    return {name for name, path in paths.items() if path.is_file()}


def test_the_store_says_what_it_holds(directory: Path) -> None:
    """Every file is listed by what it says it holds; parts, strangers' and damaged files as what
    they are."""
    paths = fill(directory)
    entries = {entry.name: entry for entry in contents()}
    assert {name: entries[path.name].what for name, path in paths.items() if path.name in entries} == {
        "run": "2 original runs of digits",
        "old run": "shadow runs",
        "damaged": "not readable",
        "copy": "not readable",
        "part": "unfinished",
        "fresh part": "unfinished",
        "note": "not readable",
        "short name": "not readable",
    }
    assert len(entries) == 8
    old = paths["old run"].stat()
    assert entries[paths["old run"].name] == StoredResult(
        paths["old run"].name, "shadow runs", old.st_size, old.st_mtime
    )
    assert [entry.last_used for entry in contents()] == sorted(entry.last_used for entry in entries.values())


def test_a_store_that_is_not_there_is_empty() -> None:
    """Where nothing was ever saved there is nothing to list, to load or to remove."""
    assert contents() == []
    assert load(RUN) is None
    assert prune(None) == (0, 0)


def test_a_loaded_result_was_used_now(directory: Path) -> None:
    """Loading marks a file as used, so that pruning keeps it; a failed load does not."""
    paths = fill(directory)
    age(paths["run"], OLD)
    kept(RUN)
    assert time.time() - paths["run"].stat().st_mtime < 60
    flipped_in_the_data(paths["old run"])
    age(paths["old run"], OLD)
    assert load(RUN | {"lr": 0.2, "what": "shadow runs"}) is None
    assert time.time() - paths["old run"].stat().st_mtime > OLD - 60
    prune(2)
    assert there(paths) & {"run", "old run"} == {"run"}


def test_pruning_removes_what_is_ours_and_nothing_else(directory: Path) -> None:
    """All results and old parts go; parts being written, strangers' files, folders and links
    stay."""
    paths = fill(directory)
    ours = ("run", "old run", "damaged", "copy", "part")
    freed = sum(paths[name].stat().st_size for name in ours)
    assert prune(None) == (5, freed)
    assert there(paths) == paths.keys() - set(ours)
    assert paths["link"].is_symlink()
    assert prune(None) == (0, 0)


@pytest.mark.parametrize(("days", "stay"), [(2.4, False), (2.6, True)])
def test_pruning_by_age_keeps_what_was_used_lately(days: float, stay: bool, directory: Path) -> None:
    """Results unused for that many days go, the others stay; parts older than an hour go in any
    case."""
    paths = fill(directory)
    prune(days)
    assert there(paths) & {"run", "part", "fresh part"} == {"run", "fresh part"}
    assert there(paths) & {"old run", "damaged", "copy"} == (
        {"old run", "damaged", "copy"} if stay else set()
    )


def answered(*arguments: str, code: int = 0) -> str:
    """What `auditkit cache` puts on standard output."""
    result = CliRunner().invoke(main, ["cache", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def test_cache_lists_what_is_kept(directory: Path) -> None:
    """`auditkit cache` says where the store is, each file with its size and when it was used, and
    the total."""
    assert answered() == f"{directory}\n0 files, 0.0 MB\n"
    paths = fill(directory)
    for days, name in enumerate(["fresh part", "run", "copy", "damaged", "old run", "part", "note"]):
        age(paths[name], days * 86_400 + 60)
    paths["short name"].unlink()
    assert (
        answered()
        == f"""{directory}
not readable                   0.0 MB  last used 6 days ago
unfinished                     0.0 MB  last used 5 days ago
shadow runs                    2.0 MB  last used 4 days ago
not readable                   0.1 MB  last used 3 days ago
not readable                   0.0 MB  last used 2 days ago
2 original runs of digits      0.0 MB  last used 1 day ago
unfinished                     0.0 MB  last used 0 days ago
7 files, 2.1 MB
"""
    )


def test_cache_lists_for_scripts(directory: Path) -> None:
    """With --json the list is one document: directory, entries and their bytes together."""
    save(RUN, TENSORS)
    status = file_of(RUN).stat()
    assert json.loads(answered("--json")) == {
        "directory": str(directory),
        "entries": [
            {
                "name": file_of(RUN).name,
                "what": "2 original runs of digits",
                "bytes": status.st_size,
                "last_used": status.st_mtime,
            }
        ],
        "bytes": status.st_size,
    }


def test_cache_prune_says_what_it_did(directory: Path) -> None:
    """Pruning says how much it removed and how many files are left, to people and to scripts."""
    fill(directory)
    freed = file_of(RUN).stat().st_size
    assert answered("prune", "--unused-days", "1") == "removed 4 files, 2.1 MB; 4 files left\n"
    done = {"files": 1, "bytes": freed, "left": 3}
    assert json.loads(answered("prune", "--yes", "--json")) == done
    assert json.loads(answered("--json", "prune", "--yes")) == done | {"files": 0, "bytes": 0}


def test_cache_prune_does_not_guess(directory: Path) -> None:
    """Where nobody can be asked and nothing was agreed to, nothing is removed, and the error says
    what to do."""
    save(RUN, TENSORS)
    result = CliRunner().invoke(main, ["cache", "prune"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert (
        result.stderr
        == "error: removing every trained run must be confirmed, and standard input is no terminal; add"
        " --yes, or keep what was used lately with --unused-days\n"
    )
    answered("prune", "--unused-days", "-1", code=2)
    assert file_of(RUN).exists()


@pytest.mark.parametrize(
    ("answer", "left"), [(b"y\n", 0), (b"n\n", 1), (b"\n", 1), (b"\x04", 1)], ids=["y", "n", "enter", "end"]
)
def test_cache_prune_asks_on_a_terminal(answer: bytes, left: int, directory: Path) -> None:
    """At a terminal only a yes removes everything; the question does not get into the JSON."""
    save(RUN, TENSORS)
    mine, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "auditkit", "cache", "prune", "--json"],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        os.write(mine, answer)
        out, error = process.communicate(timeout=120)
    finally:
        os.close(mine)
        os.close(theirs)
    assert process.returncode == 0
    assert error.decode().startswith(f"Remove every trained run in {directory}? [y/N]: ")
    assert json.loads(out)["left"] == left
    assert file_of(RUN).exists() == bool(left)


@pytest.mark.parametrize("arguments", [["cache"], ["cache", "prune", "--yes"]])
def test_the_cache_commands_need_no_torch(arguments: list[str], directory: Path) -> None:
    """Neither listing nor pruning imports torch or safetensors, with files in the store."""
    fill(directory)
    code = (
        "import sys; from auditkit.cli.main import main; main(sys.argv[1:], standalone_mode=False); "
        "assert not {'torch', 'safetensors'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
