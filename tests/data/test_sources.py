import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from auditkit.core.errors import IntegrityError, UsageError
from auditkit.data import SOURCES, Dataset, load, status
from auditkit.data.catalogue import DEBIAN, FASHION_MNIST, MNIST, STEMS, IdxFiles
from auditkit.data.locations import files_in, find
from auditkit.data.sources import Bundled, load_named
from tests.data.small_idx import small_contents, small_sums, write_small

CONTENTS = small_contents()
SMALL = replace(SOURCES["mnist"], data=replace(MNIST, sums=small_sums(CONTENTS)))
README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(autouse=True)
def _nothing_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUDITKIT_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def load_small(directory: Path | None = None) -> Dataset:
    """A data set that is known as MNIST is, but by the checksums of our small files."""
    return load_named("mnist", SMALL, directory)


def test_readme_lists_the_sources() -> None:
    """README's table of data sets is SOURCES: names, where they come from, licences, in order."""
    table = re.search(r"\| name \| where from \| licence \|\n\|[-|]+\n((?:\|.*\n)+)", README.read_text())
    assert table is not None
    rows = [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in table[1].splitlines()]
    assert rows == [(name, source.where, source.licence) for name, source in SOURCES.items()]


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_whole(name: str) -> None:
    """Each line of SOURCES says what is asked for of it: a name no path or function could have,
    records, words, and either a library that carries it or four checksums and a mirror."""
    source = SOURCES[name]
    assert ":" not in name
    assert not name.endswith(".npz")
    assert source.records > 0
    assert source.where
    assert source.licence
    if isinstance(source.data, IdxFiles):
        assert source.data.name == name
        assert set(source.data.sums) == set(STEMS)
        assert all(mirror.endswith("/") for mirror in source.data.mirrors)
        assert source.data.mirrors


@pytest.mark.parametrize("name", [name for name, s in SOURCES.items() if isinstance(s.data, Bundled)])
def test_every_bundled_source_loads(name: str) -> None:
    """A source that a library carries has the records and the words that its line says."""
    data = load(name)
    assert (len(data.y), data.name, data.licence) == (SOURCES[name].records, name, SOURCES[name].licence)
    assert {row.name: row.found for row in status()}[name] == data.origin


def test_digits() -> None:
    """The embedded digits are 1,797 records of 64 inputs in 0..1, in ten classes, read from no disk
    of the user."""
    data = load("digits")
    assert (data.x.shape, data.n_classes, float(data.x.min()), float(data.x.max())) == (
        (1797, 64),
        10,
        0.0,
        1.0,
    )
    assert (data.ids[0], data.ids[-1]) == ("digits-0000", "digits-1796")
    assert data.commitment() == load("digits").commitment()


def test_unknown_source_lists_what_exists() -> None:
    """A source that does not exist is refused with the list of those that do."""
    with pytest.raises(UsageError, match=rf"{', '.join(SOURCES)} or a path ending in \.npz; found 'cifar'"):
        load("cifar")


def test_directory_with_a_source_that_has_none(tmp_path: Path) -> None:
    """A directory is not silently ignored where the source does not use one."""
    with pytest.raises(UsageError, match="a directory must go with mnist or fashion-mnist"):
        load("digits", tmp_path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("dotted", [True, False])
def test_idx_files_in_a_directory(tmp_path: Path, zipped: bool, dotted: bool) -> None:
    """IDX files are found under each of their spellings, training records come first, pixels are in
    0..1."""
    folder = write_small(tmp_path / "given", CONTENTS, zipped=zipped, dotted=dotted)
    data = load_small(folder)
    assert data.x.shape == (10, 6)
    pixels = np.frombuffer(CONTENTS[STEMS[0]][16:] + CONTENTS[STEMS[2]][16:], dtype=np.uint8).reshape(10, 6)
    np.testing.assert_allclose(data.x, pixels / 255, rtol=1e-7)
    assert data.y.tolist() == [0, 1, 0, 1, 0, 1, 1, 1, 0, 0]
    assert data.ids[[0, 5, 6, 9]].tolist() == [
        "mnist-train-00000",
        "mnist-train-00005",
        "mnist-t10k-00000",
        "mnist-t10k-00003",
    ]
    assert str(tmp_path) not in data.origin


def test_directory_that_lacks_files(tmp_path: Path) -> None:
    """A directory named by the user is not replaced by another place: what it lacks is named."""
    write_small(tmp_path / "cache/auditkit/data/mnist", CONTENTS)
    folder = write_small(tmp_path / "given", CONTENTS)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    (folder / "train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(UsageError, match="lacks train-images-idx3-ubyte, t10k-labels-idx1-ubyte;"):
        load("mnist", folder)


def test_altered_files_are_refused(tmp_path: Path) -> None:
    """Well-formed files that are not MNIST's are refused by the checksums of MNIST."""
    with pytest.raises(IntegrityError, match="the SHA-256 of the decompressed content must be ba891046"):
        load("mnist", write_small(tmp_path / "given", CONTENTS))


def test_order_of_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory given goes before $AUDITKIT_DATA, its sub-folder before itself, and both before
    the cache."""

    def origin(directory: Path | None = None) -> str:
        return load_small(directory).origin

    write_small(tmp_path / "cache/auditkit/data/mnist", CONTENTS)
    assert "the user's cache" in origin()
    monkeypatch.setenv("AUDITKIT_DATA", str(tmp_path / "env"))
    assert "the user's cache" in origin()
    write_small(tmp_path / "env", CONTENTS)
    assert "$AUDITKIT_DATA" in origin()
    write_small(tmp_path / "env", small_contents(shift=1))
    with pytest.raises(IntegrityError):
        origin()
    write_small(tmp_path / "env" / "mnist", CONTENTS)
    assert "$AUDITKIT_DATA" in origin()
    assert "the directory given" in origin(write_small(tmp_path / "given", CONTENTS))


def test_status_reads_nothing(tmp_path: Path) -> None:
    """The status says where files are without reading them, and None where they would be
    downloaded."""
    assert {row.name: row.found for row in status()}["mnist"] is None
    write_small(tmp_path / "cache/auditkit/data/mnist", dict.fromkeys(STEMS, b""))
    rows = {row.name: row for row in status()}
    assert rows["mnist"].found == "the user's cache"
    assert (rows["mnist"].records, rows["digits"].found) == (70_000, "scikit-learn's bundled copy")
    assert "CC BY-SA 3.0" in rows["mnist"].licence


@pytest.mark.skipif(len(files_in(DEBIAN)) < 4, reason="needs the Debian package dataset-fashion-mnist")
def test_real_fashion_mnist() -> None:
    """Debian's Fashion-MNIST has the published checksums, 70,000 records and 7,000 of each of ten
    classes."""
    data = load("fashion-mnist")
    assert data.x.shape == (70_000, 784)
    assert np.bincount(data.y).tolist() == [7_000] * 10
    assert (data.ids[0], data.ids[60_000]) == ("fashion-mnist-train-00000", "fashion-mnist-t10k-00000")
    assert data.y[:5].tolist() == [9, 0, 0, 3, 0]
    place = find(FASHION_MNIST)
    assert place is not None
    assert data.origin == "IDX files from Debian's package dataset-fashion-mnist, checksums verified"


def test_npz(tmp_path: Path) -> None:
    """A user's own file is taken with its shape, its ids and its groups."""
    path = tmp_path / "mine.npz"
    np.savez(
        path, x=np.ones((2, 3, 4)), y=np.array([0, 1]), ids=np.array(["a", "b"]), groups=np.array(["p", "p"])
    )
    data = load(str(path))
    assert (data.name, data.x.shape, data.origin) == ("mine", (2, 3, 4), "the file mine.npz")
    assert (data.ids.tolist(), data.groups.tolist()) == (["a", "b"], ["p", "p"])


def npz_error(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        load(str(path))
    return str(caught.value)


def test_npz_missing_or_closed(tmp_path: Path) -> None:
    """A path that is no file is refused with what the system says."""
    assert "found: No such file or directory; correct the path" in npz_error(tmp_path / "none.npz")
    (tmp_path / "folder.npz").mkdir()
    assert "found: Is a directory; correct the path" in npz_error(tmp_path / "folder.npz")


def test_npz_without_its_arrays(tmp_path: Path) -> None:
    """A file that lacks y is refused with the names of what it holds."""
    np.savez(tmp_path / "a.npz", x=np.ones((2, 3)), labels=np.array([0, 1]))
    assert "must hold the arrays x and y, found x, labels; save it" in npz_error(tmp_path / "a.npz")


def test_npz_with_objects(tmp_path: Path) -> None:
    """Python objects are never unpickled."""
    np.savez(tmp_path / "a.npz", x=np.ones((2, 3)), y=np.array([0, None], dtype=object))
    assert "load without pickle, found: Object arrays cannot be loaded" in npz_error(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"\x93NUMPY"])
def test_npz_that_is_no_zip(tmp_path: Path, content: bytes) -> None:
    """A file that only bears the name is refused."""
    (tmp_path / "a.npz").write_bytes(content)
    assert "must be an .npz file, found no zip archive" in npz_error(tmp_path / "a.npz")


def test_npz_damaged(tmp_path: Path) -> None:
    """A zip whose content does not match its own checksum is refused."""
    path = tmp_path / "a.npz"
    np.savez(path, x=np.ones((200, 3)), y=np.zeros(200, dtype=np.int64))
    content = bytearray(path.read_bytes())
    content[1000:1004] = b"oops"
    path.write_bytes(content)
    assert "must be a whole .npz file, found it damaged" in npz_error(path)


def test_npz_that_breaks_the_rules_of_a_data_set(tmp_path: Path) -> None:
    """The arrays of a user's file are checked like all others."""
    np.savez(tmp_path / "a.npz", x=np.ones((3, 3)), y=np.array([0, 1]))
    assert "found 3 inputs and 2 labels" in npz_error(tmp_path / "a.npz")
