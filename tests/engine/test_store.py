"""The store of trained runs: real files."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from auditkit.engine.store import (
    load,
    prune,
    save,
    store_directory,
)
from tests.engine.stores import RUN, TENSORS, file_of, kept, same

pytestmark = pytest.mark.usefixtures("directory")


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


def test_the_store_is_in_the_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without AUDITKIT_CACHE the store is under XDG_CACHE_HOME, and without that in ~/.cache."""
    monkeypatch.delenv("AUDITKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store_directory() == tmp_path / "auditkit" / "runs"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store_directory() == tmp_path / ".cache" / "auditkit" / "runs"
