import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from auditkit.core.errors import IntegrityError, UsageError
from auditkit.data import read_idx
from tests.data.small_idx import idx_bytes

VALUES = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
CONTENT = idx_bytes(VALUES)
SUM = hashlib.sha256(CONTENT).hexdigest()


def written(folder: Path, content: bytes) -> Path:
    path = folder / "some-file"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", [CONTENT, gzip.compress(CONTENT, mtime=0)], ids=["raw", "gzipped"])
def test_raw_and_gzipped_are_the_same(tmp_path: Path, content: bytes) -> None:
    """A raw and a gzipped file give the same array and share one checksum, whatever their name."""
    np.testing.assert_array_equal(read_idx(written(tmp_path, content), SUM), VALUES)


def test_without_a_checksum_the_form_is_checked_alone(tmp_path: Path) -> None:
    """A file of unknown content is read when its form is right."""
    assert read_idx(written(tmp_path, idx_bytes(np.zeros(0, dtype=np.uint8))), None).shape == (0,)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (CONTENT[:-1], "truncated: expected 40 bytes from its dimensions, found 39; delete the file"),
        (CONTENT + b"\0", "too long: expected 40 bytes from its dimensions, found 41; delete the file"),
        (CONTENT[:9], "truncated: expected at least 16 bytes from its dimensions, found 9"),
        (b"", "must begin with 00 00, a type and a number of dimensions, found nothing"),
        (b"PNG, or so", "must begin with 00 00, a type and a number of dimensions, found 50 4e 47 2c"),
        (b"\0\0\x0d" + CONTENT[3:], "unsigned bytes (type 08), found type 0d"),
        (gzip.compress(CONTENT, mtime=0)[:-9], "corrupt or truncated gzip"),
        (gzip.compress(CONTENT, mtime=0)[:-8] + b"12345678", "corrupt or truncated gzip"),
        (b"\x1f\x8b" + b"\xff" * 30, "corrupt or truncated gzip"),
        (gzip.compress(CONTENT, mtime=0)[:10] + b"\xff" * 30, "corrupt or truncated gzip"),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes, expected: str) -> None:
    """A truncated, over-long, foreign or corrupt file is told with what was expected and what was
    found."""
    with pytest.raises(IntegrityError) as caught:
        read_idx(written(tmp_path, content), SUM)
    assert expected in str(caught.value)


def test_other_content(tmp_path: Path) -> None:
    """A well-formed file of other content is refused with both checksums."""
    other = idx_bytes(VALUES[::-1])
    with pytest.raises(IntegrityError) as caught:
        read_idx(written(tmp_path, other), SUM)
    assert SUM in str(caught.value)
    assert hashlib.sha256(other).hexdigest() in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is a matter of usage, not of integrity."""
    with pytest.raises(UsageError, match="No such file or directory"):
        read_idx(tmp_path / "nothing", None)
