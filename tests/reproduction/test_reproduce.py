"""`auditkit reproduce fnn` at the size for tests: the whole way, once."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from auditkit.cli.main import main
from auditkit.core.canonical import canonical
from auditkit.core.progress import NullReporter
from auditkit.reports import render_reproduction
from auditkit.reproduction.reproduce import Experiment, _made, command, reproduce

SILENT = ["--size", "tiny", "--data", "digits", "--jobs", "1"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reproduction of the size tiny."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDITKIT_CACHE", str(tmp_path_factory.mktemp("store")))
        out = tmp_path_factory.mktemp("made")
        result = CliRunner().invoke(main, ["reproduce", "fnn", *SILENT, "--out", str(out)])
        assert result.exit_code == 0, result.output
    return out


@pytest.fixture
def found(made: Path) -> dict[str, Any]:
    """What it found."""
    document: dict[str, Any] = json.loads((made / "reproduction.json").read_bytes())
    return document


def rows(found: Mapping[str, Any], table: str) -> dict[str, Any]:
    """name -> row of a table."""
    return {row["name"]: row for row in found["data"]["digits"][table]["rows"]}


@pytest.mark.slow
def test_the_same_call_again_makes_nothing_anew(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is used: no piece is written again, and the numbers are the same to the byte."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(made / "no store"))
    before = {path: path.stat().st_mtime_ns for path in (made / ".pieces").iterdir()}
    again = reproduce("tiny", ["digits"], made)
    assert {path: path.stat().st_mtime_ns for path in (made / ".pieces").iterdir()} == before
    assert canonical(again) == (made / "reproduction.json").read_bytes()
    assert (
        again["command"] == command("tiny", ["digits"]) == "auditkit reproduce fnn --size tiny --data digits"
    )


def test_a_piece_that_is_damaged_or_of_something_else_is_made_again(tmp_path: Path) -> None:
    """Half a file, or the same name with another identity, is no result; what was made is kept at
    once."""
    calls = []

    def make() -> dict[str, int]:
        calls.append(1)
        return {"n": len(calls)}

    def run(identity: int) -> Any:
        [(_, value)] = _made([Experiment("digits one", {"is": identity}, make)], tmp_path, 1, NullReporter())
        return value

    assert run(1) == run(1) == {"n": 1}
    assert run(2) == {"n": 2}
    (tmp_path / "digits-one.json").write_bytes(b'{"identity": ')
    assert run(2) == run(2) == {"n": 3}


@pytest.mark.slow
def test_doing_nothing_costs_nothing_and_retraining_what_it_costs(found: dict[str, Any]) -> None:
    """A no-op takes no operation and leaves all of the memory; retraining takes exactly what
    retraining takes."""
    table = rows(found, "table procedures")
    assert list(table) == [
        "original",
        "retrained",
        "no-op",
        "retrain",
        "VFR rank",
        "VFR rank, gate off",
        "FNN-erase",
    ]
    assert table["no-op"]["cost"] == 0
    assert table["retrain"]["cost"] == 1
    for measured in ("retain", "forget", "test", "attack"):
        assert table["no-op"][measured] == table["original"][measured]
    assert table["VFR rank"]["cost"] == table["VFR rank, gate off"]["cost"] > 0


@pytest.mark.slow
def test_every_procedure_is_decided_by_every_query(found: dict[str, Any]) -> None:
    """Each row of a procedure has a verdict, and residual memory wherever an audit asks for it."""
    for table, queries in (
        ("table procedures", {"exact", "jitter 0.3", "jitter 1", "jitter 2", "relearned"}),
        ("table paper", {"exact", "jitter 1"}),
    ):
        own = rows(found, table)
        for name, row in own.items():
            if name in ("original", "retrained"):
                assert row["decided"] is None
            else:
                assert row["decided"]["memory"].keys() == queries
                assert row["decided"]["outcome"] in ("supported", "not_supported", "inconclusive")


@pytest.mark.slow
def test_every_figure_is_on_the_page_and_a_file_of_its_own(made: Path, found: dict[str, Any]) -> None:
    """The page holds each figure once and refers to nothing outside; each file is a whole SVG
    document."""
    page = (made / "reproduction.html").read_text()
    note = (made / "README.md").read_text()
    figures = render_reproduction(found).figures
    assert [name for name in figures if not name.endswith("-digits")] == ["fig-1-model", "procedures"]
    assert len(figures) == 8
    for name in figures:
        file = (made / f"{name}.svg").read_text()
        assert ElementTree.fromstring(file).tag == "{http://www.w3.org/2000/svg}svg"
        assert f"({name}.svg)" in note
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', page)
    assert "This size is for tests of the software" in page


@pytest.mark.slow
def test_equal_numbers_give_equal_pages(made: Path, found: dict[str, Any]) -> None:
    """What is drawn depends on nothing but the numbers."""
    again = render_reproduction(found)
    assert again.html == (made / "reproduction.html").read_text()
    assert again.markdown == (made / "README.md").read_text()


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    """Where the directory is a file, one error says so before anything is trained."""
    (tmp_path / "taken").write_text("mine")
    result = CliRunner().invoke(main, ["reproduce", "fnn", *SILENT, "--out", str(tmp_path / "taken")])
    assert result.exit_code == 2
    assert (
        result.output
        == f"error: {tmp_path / 'taken'}: must be a directory, found a file; choose another --out\n"
    )
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_data_set_that_is_not_there(tmp_path: Path) -> None:
    """A data set that nobody knows is an error with the names of those there are, and nothing is
    left behind."""
    out = tmp_path / "new"
    result = CliRunner().invoke(
        main, ["reproduce", "fnn", "--size", "tiny", "--data", "nmist", "--jobs", "1", "--out", str(out)]
    )
    assert result.exit_code == 2
    assert result.output == "error: --data must be one of digits, mnist, fashion-mnist, found 'nmist'\n"
    assert not out.exists()
