from pathlib import Path

import pytest
import torch

from auditkit.errors import AuditError
from auditkit.training.store import store_directory, stored


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "runs"))
    return tmp_path / "runs"


def test_nothing_is_computed_twice() -> None:
    """The second call reads what the first wrote."""
    calls = []

    def compute() -> dict[str, torch.Tensor]:
        calls.append(1)
        return {"w": torch.arange(3.0)}

    first, second = stored({"a": 1}, compute), stored({"a": 1}, compute)
    assert len(calls) == 1
    assert torch.equal(first["w"], second["w"])


def test_another_identity_is_another_result() -> None:
    """A changed ingredient never reuses an old file."""
    assert stored({"lr": 0.1}, lambda: {"w": torch.tensor([1.0])})["w"] == 1
    assert stored({"lr": 0.2}, lambda: {"w": torch.tensor([2.0])})["w"] == 2


@pytest.mark.parametrize("damage", [b"", b"not safetensors", None])
def test_a_damaged_file_is_computed_again(own_store: Path, damage: bytes | None) -> None:
    """A truncated or foreign file in the store is replaced."""
    stored({"a": 1}, lambda: {"w": torch.tensor([1.0, 2.0])})
    (path,) = own_store.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-3] if damage is None else damage)
    assert stored({"a": 1}, lambda: {"w": torch.tensor([7.0])})["w"] == 7
    assert stored({"a": 1}, lambda: {"w": torch.tensor([8.0])})["w"] == 7


def test_a_store_that_cannot_be_written_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store in a place that is a file says so, and what to do."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(AuditError, match="AUDITKIT_CACHE"):
        stored({"a": 1}, lambda: {"w": torch.tensor([1.0])})


def test_the_store_is_in_the_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without AUDITKIT_CACHE the store is under XDG_CACHE_HOME."""
    monkeypatch.delenv("AUDITKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store_directory() == tmp_path / "auditkit" / "runs"
