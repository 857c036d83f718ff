"""The store where something goes wrong: damaged files, full disks, killed processes."""

import os
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
from safetensors.torch import save_file

from auditkit.core.errors import AuditError
from auditkit.engine.store import (
    contents,
    load,
    prune,
    save,
    store_directory,
)
from tests.engine.stores import RUN, TENSORS, file_of, flipped_in_the_data, kept, same

pytestmark = pytest.mark.usefixtures("directory")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def cut_in_the_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


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


@pytest.mark.slow
def test_two_processes_may_save_the_same_run(directory: Path) -> None:
    """While two save the same run at once, every load finds it whole; in the end there is one
    file."""
    both = [saving(7, 8), saving(7, 8)]
    wait_for("*.safetensors", directory)
    while any(process.poll() is None for process in both):
        assert whole([], range(7, 8)) == 1
    assert [process.returncode for process in both] == [0, 0]
    assert list(directory.iterdir()) == [file_of({"what": "run 7"})]
