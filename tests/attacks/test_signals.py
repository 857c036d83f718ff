import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from auditkit.core.errors import AuditError
from auditkit.core.ids import HONEST, RETRAINED
from auditkit.signals.signals import Signals, create_logits, open_logits
from tests.attacks.synthetic_signals import RECORDS, synthetic_signals

SIGNALS = synthetic_signals()


def test_records_are_found_by_id() -> None:
    """Positions are where the ids stand, in the order asked for, and again if asked twice."""
    wanted = np.array([7, 3, 3, RECORDS - 1, 0])
    assert SIGNALS.positions(SIGNALS.ids[wanted]).tolist() == wanted.tolist()


@pytest.mark.parametrize("absent", ["r", "r0000", "zzz"])
def test_an_unknown_id_is_named(absent: str) -> None:
    """An id that no record has is an error that names it, wherever it would sort."""
    with pytest.raises(KeyError, match=absent):
        SIGNALS.positions(np.array([SIGNALS.ids[0], absent]))


def test_runs_of_an_arm_keep_their_order() -> None:
    """The runs of an arm are those that bear its name, in order; an arm that is not there has
    none."""
    assert SIGNALS.runs_of(RETRAINED).tolist() == [6, 7, 8]
    assert SIGNALS.runs_of(HONEST).tolist() == []


def test_arrays_that_do_not_fit_are_refused() -> None:
    """Every array must have the shape that the logits give it, and ids must be unique."""
    s = SIGNALS
    for bad in (
        (s.logits, s.member[:, 1:], s.labels, s.ids, s.arms),
        (s.logits, s.member, s.labels[1:], s.ids, s.arms),
        (s.logits, s.member, s.labels, s.ids[1:], s.arms),
        (s.logits, s.member, s.labels, s.ids, s.arms[1:]),
    ):
        with pytest.raises(ValueError, match="must have shape"):
            Signals(*bad, 0)
    with pytest.raises(ValueError, match="ids must be unique"):
        Signals(s.logits, s.member, s.labels, np.full(RECORDS, "same"), s.arms, 0)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Logits written run by run are a plain .npy file, and are read as they were written, float32,
    but not written to."""
    path = tmp_path / "logits.npy"
    logits = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    written = create_logits(path, 3, 5, 4)
    assert not written.any()
    for run in range(3):
        written[run] = logits[run]
    written.flush()
    read = open_logits(path)
    assert isinstance(read, np.memmap)
    assert read.dtype == np.float32
    assert np.array_equal(read, logits)
    assert np.array_equal(np.load(path), logits)
    with pytest.raises(ValueError, match="read-only"):
        read[0, 0, 0] = 1


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="space cannot be reserved here")
def test_the_space_is_reserved_before_anything_is_written(tmp_path: Path) -> None:
    """A new file takes up all its space on the disk at once, so that a full disk is found here and
    not by a signal later."""
    path = tmp_path / "logits.npy"
    create_logits(path, 4, 2_000, 10)
    assert path.stat().st_blocks * 512 >= 4 * 2_000 * 10 * 4


FILLS_A_LIMITED_DISK = """
import resource, sys
from pathlib import Path
from auditkit.core.errors import AuditError
from auditkit.signals.signals import create_logits
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
try:
    create_logits(Path(sys.argv[1]), 64, 4000, 10)
except AuditError as error:
    print(error)
"""


def test_a_file_that_may_not_grow_is_refused(tmp_path: Path) -> None:
    """Where a file may be no larger than 1 MB, one of 10 MB is refused with what it takes and what
    to do, and nothing is left."""
    path = tmp_path / "logits.npy"
    command = [sys.executable, "-c", FILLS_A_LIMITED_DISK, str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == (
        f"{path}: the answers of 64 runs on 4000 records need 10 MB here, found: File too large; "
        "make room and run the same command again\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the space cannot be reserved, that is said, and no file is left."""

    def full(fd: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(AuditError, match="No space left on device; make room"):
        create_logits(tmp_path / "logits.npy", 2, 3, 4)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Where no file can be made, that is said."""
    with pytest.raises(AuditError, match="found: No such file or directory; make room"):
        create_logits(tmp_path / "nowhere" / "logits.npy", 2, 3, 4)
