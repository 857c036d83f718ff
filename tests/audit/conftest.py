"""What whole audits share: trained runs."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all whole audits, also for those in the other processes of pytest-xdist: most
    are of one claim but for the procedure, and results are written aside and renamed."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    place = shared / "runs-of-whole-audits"
    place.mkdir(exist_ok=True)
    return place


@pytest.fixture(autouse=True)
def one_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every audit of these tests looks there, unless it says otherwise."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(store))
