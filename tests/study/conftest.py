"""What several files of these tests use."""

from pathlib import Path

import pytest

from tests.one_thread import one_thread
from tests.study.own_code import DATA, MODEL, TRAIN

__all__ = ["one_thread"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a claim's hooks."""
    for name, text in (("model", MODEL), ("data", DATA), ("train", TRAIN)):
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path
