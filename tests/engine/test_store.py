"""The store of trained runs and `auditkit cache`: real files, real processes, real full disks."""

import json
import os
import pty
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from auditkit.cli.main import main
from auditkit.core.canonical import digest
from auditkit.core.errors import AuditError
from auditkit.engine.store import (
    StoredResult,
    contents,
    load,
    prune,
    save,
    store_directory,
)
from auditkit.engine.tensor_file import Tensors

RUN = {"what": "2 original runs of digits", "lr": 0.1}
TENSORS: Tensors = {
    "weight": torch.arange(12.0).reshape(2, 3, 2).transpose(1, 2),  # not contiguous
    "half": torch.tensor([1.5, -0.0, float("nan")], dtype=torch.bfloat16),
    "count": torch.tensor(2**60 + 1),  # of no dimension
    "mask": torch.tensor([True, False, True]),
    "nothing": torch.empty(0, 3),
}
OLD = 2.5 * 86_400


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of one's own for each test."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "runs"))
    return tmp_path / "runs"


def file_of(identity: dict[str, object]) -> Path:
    return store_directory() / f"{digest(identity)}.safetensors"


def same(first: Tensors, second: Tensors) -> bool:
    """Equal names, dtypes, shapes and numbers, NaN included."""
    return first.keys() == second.keys() and all(
        torch.equal(torch.isnan(first[name]), torch.isnan(second[name]))
        and first[name].dtype == second[name].dtype
        and torch.equal(torch.nan_to_num(first[name]), torch.nan_to_num(second[name]))
        for name in first
    )


def kept(identity: dict[str, object], told: list[str] | None = None) -> Tensors:
    """What is stored, which must be there."""
    tensors = load(identity, None if told is None else told.append)
    assert tensors is not None
    return tensors


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_what_is_saved_is_loaded() -> None:
    """Tensors of every kind come back with their dtype, shape and numbers, by name, and nothing is
    said."""
    told: list[str] = []
    save(RUN, TENSORS)
    assert same(kept(RUN, told), TENSORS)
    assert list(kept(RUN)) == sorted(TENSORS)
    assert told == []


def test_another_reader_reads_the_files() -> None:
    """The files are safetensors as that library reads them, whatever order and sizes the tensors
    have."""
    mixed = {f"{i}": torch.ones(i, dtype=kind) for i, kind in enumerate([torch.uint8, torch.float64] * 4)}
    save(RUN, mixed)
    assert same(load_file(file_of(RUN)), mixed)


def test_equal_results_are_equal_files() -> None:
    """Saving the same tensors again, in another order, gives the same bytes."""
    save(RUN, TENSORS)
    first = file_of(RUN).read_bytes()
    save(RUN, dict(reversed(TENSORS.items())))
    assert file_of(RUN).read_bytes() == first


def test_tensors_that_share_memory_are_kept_apart() -> None:
    """Two names for one tensor, and slices of one stack, are saved as what they hold."""
    stack = torch.arange(6.0).reshape(3, 2)
    tensors = {"whole": stack, "again": stack, "second": stack[1]}
    save(RUN, tensors)
    assert same(kept(RUN), tensors)


def test_loaded_tensors_are_the_callers_own() -> None:
    """Writing to what was loaded, or removing the file, changes nothing of the other; memory is
    aligned."""
    save(RUN, {"a": torch.ones(1, dtype=torch.uint8), "w": torch.zeros(100)})
    first = kept(RUN)
    assert all(tensor.data_ptr() % 64 == 0 for tensor in first.values())
    first["w"] += 1
    assert kept(RUN)["w"].sum() == 0
    prune(None)
    assert first["w"].sum() == 100


@pytest.mark.parametrize("change", [{"lr": 0.2}, {"what": "3 original runs of digits"}, {"more": None}])
def test_another_identity_is_another_result(change: dict[str, object]) -> None:
    """A changed ingredient never finds an old file, and nothing is said."""
    told: list[str] = []
    save(RUN, TENSORS)
    assert load(RUN | change, told.append) is None
    assert told == []


@pytest.mark.parametrize("identity", [{}, {"what": ""}, {"what": " "}, {"what": 3}, {"what": "two\nlines"}])
def test_an_identity_says_what_it_is(identity: dict[str, object], directory: Path) -> None:
    """Without a few words on what it is, nothing is saved or looked for."""
    with pytest.raises(ValueError, match=r'identity\["what"\] must say'):
        save(identity, TENSORS)
    with pytest.raises(ValueError, match=r'identity\["what"\] must say'):
        load(identity)
    assert not directory.exists()


def test_a_kind_of_number_that_cannot_be_kept_is_refused(directory: Path) -> None:
    """Complex numbers are an error that names what can be kept, and leave no file."""
    with pytest.raises(ValueError, match=r"one of torch\.float64, .*found torch\.complex64"):
        save(RUN, {"z": torch.ones(2, dtype=torch.complex64)})
    assert list(directory.iterdir()) == []


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def cut_in_the_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def flipped_in_the_data(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def another_dtype_of_the_same_size(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"F32"', b'"I32"'))


def another_run(path: Path) -> None:
    other = RUN | {"lr": 0.5}
    save(other, TENSORS)
    shutil.copy(file_of(other), path)


def without_metadata(path: Path) -> None:
    save_file({"w": torch.ones(3)}, path)


def text(path: Path) -> None:
    path.write_text("these are not the runs you are looking for\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = [
    truncated,
    cut_in_the_header,
    flipped_in_the_data,
    another_dtype_of_the_same_size,
    another_run,
    without_metadata,
    text,
    empty,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_wrong_is_told_and_replaced(damage: Callable[[Path], None]) -> None:
    """A damaged or foreign file is not used, is said to be wrong in one line, and the next save
    repairs it."""
    told: list[str] = []
    save(RUN, TENSORS)
    damage(file_of(RUN))
    assert load(RUN) is None
    assert load(RUN, told.append) is None
    assert told == [f"{file_of(RUN)}: damaged or not ours, trained again"]
    save(RUN, TENSORS)
    assert same(kept(RUN, told), TENSORS)
    assert len(told) == 1


def test_no_flipped_bit_of_the_header_goes_unnoticed() -> None:
    """Whichever bit of length, names, dtypes, shapes, places, identity or sum is flipped: not
    used."""
    save(RUN, {"w": torch.arange(4.0).reshape(2, 2), "b": torch.tensor([1, 2])})
    path = file_of(RUN)
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    for place in range(len(content[:end].rstrip())):  # the padding means nothing
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            path.write_bytes(flipped)
            assert load(RUN) is None, (place, bit)


def test_a_directory_in_the_way_is_one_clear_error() -> None:
    """A directory of a result's name is told by load, and save says what to do; it is left as it
    is."""
    told: list[str] = []
    (file_of(RUN) / "inside").mkdir(parents=True)
    assert load(RUN, told.append) is None
    assert told == [f"{file_of(RUN)}: damaged or not ours, trained again"]
    with pytest.raises(AuditError) as raised:
        save(RUN, TENSORS)
    assert (
        str(raised.value)
        == f"{file_of(RUN)}: trained runs must be kept here, found: Is a directory; make room, remove what is"
        " in the way, or name another place in $AUDITKIT_CACHE"
    )
    assert list(store_directory().iterdir()) == [file_of(RUN)]
    assert contents() == []


@pytest.mark.parametrize("place", ["a file", "/proc/nowhere"])
def test_a_store_that_cannot_be_written_is_one_clear_error(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store in a place that cannot be one has nothing to load, and save says so and what to
    do."""
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / place))
    assert load(RUN) is None
    with pytest.raises(AuditError, match=f"^{tmp_path / place}/.*name another place in .AUDITKIT_CACHE$"):
        save(RUN, TENSORS)


def test_a_store_that_cannot_be_listed_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file where the store should be cannot be listed or pruned, and is left as it is."""
    place = tmp_path / "a file"
    place.write_text("mine")
    monkeypatch.setenv("AUDITKIT_CACHE", str(place))
    for act in (contents, lambda: prune(None)):
        with pytest.raises(AuditError, match=r"found: Not a directory; name another place"):
            act()
    assert place.read_text() == "mine"


def test_only_the_owner_reads_the_store(directory: Path) -> None:
    """Whatever the umask, the directory and the files of the store are their owner's alone."""
    umask = os.umask(0)
    try:
        save(RUN, TENSORS)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(file_of(RUN).stat().st_mode) == 0o600


@pytest.fixture
def small_disk(directory: Path) -> Iterator[None]:
    """The store on a disk of 256 kB of its own."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(directory)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk can only be mounted by root")
    yield
    subprocess.run(["umount", str(directory)], check=True)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_leaves_no_file(directory: Path) -> None:
    """Where there is no room, save says so, removes what it wrote, and what was kept before is
    still there."""
    save(RUN, TENSORS)
    with pytest.raises(AuditError, match=r"found: No space left on device; make room"):
        save(RUN | {"lr": 0.2}, {"w": torch.ones(10**6)})
    assert list(directory.iterdir()) == [file_of(RUN)]
    assert same(kept(RUN), TENSORS)


def test_a_write_that_fails_halfway_leaves_no_file(directory: Path) -> None:
    """A file that may grow no further is removed, and the error says why."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(AuditError, match=r"found: File too large; make room"):
            save(RUN, {"w": torch.ones(10**6)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(directory.iterdir()) == []


SAVING = """
import itertools, sys, torch
from auditkit.engine.store import save
first, last = map(int, sys.argv[1:])
for k in itertools.islice(itertools.cycle(range(first, last)), 300):
    save({"what": f"run {k}"}, {"w": torch.full((1_000_000,), float(k))})
"""


def saving(first: int, last: int) -> "subprocess.Popen[bytes]":
    """A process that saves runs `first` to `last` over and over."""
    return subprocess.Popen([sys.executable, "-c", SAVING, str(first), str(last)])


def wait_for(pattern: str, directory: Path) -> None:
    until = time.monotonic() + 120
    while not any(directory.glob(pattern)):
        assert time.monotonic() < until
        time.sleep(0.001)


def whole(told: list[str], runs: range) -> int:
    """How many of the runs that `saving` saves are there; each must be whole."""
    found = [(k, load({"what": f"run {k}"}, told.append)) for k in runs]
    assert all(
        torch.equal(tensors["w"], torch.full((1_000_000,), float(k))) for k, tensors in found if tensors
    )
    assert told == []
    return sum(tensors is not None for _, tensors in found)


def test_a_killed_save_leaves_no_half_result(directory: Path) -> None:
    """Killed while it writes, a process leaves whole results and parts that are listed as
    unfinished."""
    process = saving(0, 100)
    wait_for(".*.part", directory)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    done = whole([], range(100))
    assert sorted({entry.what for entry in contents()} - {"unfinished"}) == sorted(
        f"run {k}" for k in range(done)
    )


def test_two_processes_may_save_the_same_run(directory: Path) -> None:
    """While two save the same run at once, every load finds it whole; in the end there is one
    file."""
    both = [saving(7, 8), saving(7, 8)]
    wait_for("*.safetensors", directory)
    while any(process.poll() is None for process in both):
        assert whole([], range(7, 8)) == 1
    assert [process.returncode for process in both] == [0, 0]
    assert list(directory.iterdir()) == [file_of({"what": "run 7"})]


def test_the_store_is_in_the_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without AUDITKIT_CACHE the store is under XDG_CACHE_HOME, and without that in ~/.cache."""
    monkeypatch.delenv("AUDITKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store_directory() == tmp_path / "auditkit" / "runs"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store_directory() == tmp_path / ".cache" / "auditkit" / "runs"


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
