"""Which of our code counts for what: for stored weights, for stored answers, for the lock."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from auditkit.core.environment import (
    ANSWERING_CODE,
    DECIDING_CODE,
    EVERY_CODE,
    TRAINING_CODE,
    code_digest,
)
from tests.package_copy import copy_package

COUNTED = {"weights": TRAINING_CODE, "answers": ANSWERING_CODE, "lock": DECIDING_CODE}
PACKAGE = Path(__file__).resolve().parents[2] / "auditkit"
NAMES_OF_TYPES = {"statistics/margins.py": {"Floats", "Ints"}}
"""Files that a worker imports and that do not count, as nothing but names of types is taken from
them: file -> these names."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package."""
    return copy_package(tmp_path_factory.mktemp("tree"))


def digests(package: Path) -> dict[str, str]:
    """What is digested -> its digest."""
    return {what: code_digest(package, rooms) for what, rooms in COUNTED.items()}


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("__init__.py", set()),
        ("calibration/trials.py", set()),
        ("cli/main.py", set()),
        ("reports/render.py", set()),
        ("reproduction/reproduce.py", set()),
        ("attacks/lira.py", {"lock"}),
        ("claims/claim.py", {"lock"}),
        ("data/__init__.py", {"lock"}),
        ("dp/dp_sgd.py", {"lock"}),
        ("evidence/assemble.py", {"lock"}),
        ("pipeline.py", {"lock"}),
        ("predictions.py", {"lock"}),
        ("runs/gather.py", {"lock"}),
        ("statistics/residual.py", {"lock"}),
        ("study/study.py", {"lock"}),
        ("verdict/decision.py", {"lock"}),
        ("probes/__init__.py", {"lock", "answers"}),
        ("runs/ask.py", {"lock", "answers"}),
        ("signals/hinge_margin.py", {"lock", "answers"}),
        ("unlearning/noop.py", {"lock", "answers"}),
        ("core/seeds.py", {"lock", "answers", "weights"}),
        ("engine/plan.py", {"lock", "answers", "weights"}),
        ("models/architectures.py", {"lock", "answers", "weights"}),
        ("runs/make.py", {"lock", "answers", "weights"}),
        ("training/fitting.py", {"lock", "answers", "weights"}),
        ("unlearning/binding.py", {"lock", "answers", "weights"}),
    ],
)
def test_a_line_counts_where_its_room_does(package: Path, file: str, changed: set[str]) -> None:
    """A comment changed in a room voids what depends on that room, and nothing else: stored
    weights, stored answers, the lock."""
    path = package / file
    before, content = digests(package), path.read_bytes()
    path.write_bytes(content + b"# changed\n")
    after = digests(package)
    path.write_bytes(content)
    assert {what for what in COUNTED if after[what] != before[what]} == changed


def test_every_room_counts_for_something_or_is_named_as_counting_for_nothing(package: Path) -> None:
    """No folder or file of the package is forgotten, and every one that is named is there."""
    there = {path.name for path in package.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert there == {room.partition("/")[0] for room in EVERY_CODE}
    assert all((package / room).exists() for room in EVERY_CODE)


def files_of(rooms: Iterable[str]) -> set[Path]:
    """The Python files of some rooms."""
    places = [PACKAGE / room for room in rooms]
    return {file for place in places for file in ([place] if place.is_file() else place.rglob("*.py"))}


def imports(file: Path) -> Iterator[tuple[Path, str]]:
    """Every import of our own in a file, in functions too, but not for the type checker alone: the
    file it leads to, and the name that is taken from there."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    guarded = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    unread = {id(node) for block in guarded for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in unread:
            continue
        if isinstance(node, ast.Import):
            names = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [(node.module, alias.name) for alias in node.names]
            names += [(f"{node.module}.{alias.name}", "") for alias in node.names]
        else:
            continue
        for module, name in names:
            if (place := place_of(module)) is not None:
                yield place, name


def place_of(module: str) -> Path | None:
    """The file of a module of ours; None for anything else."""
    top, *parts = module.split(".")
    inside = PACKAGE.joinpath(*parts)
    places = (inside.with_suffix(".py"), inside / "__init__.py")
    return next((place for place in places if top == "auditkit" and parts and place.is_file()), None)


def uncounted(start: Iterable[Path], rooms: Iterable[str]) -> set[str]:
    """The files that are reached by imports from those in `start`, and are in none of the rooms,
    but for those that give names of types."""
    counted, reached, left = files_of(rooms), set[Path](), list(start)
    while left:
        file = left.pop()
        if file not in reached:
            reached.add(file)
            left += [place for place, name in imports(file) if not is_type(place, name)]
    return {file.relative_to(PACKAGE).as_posix() for file in reached - counted}


def is_type(place: Path, name: str) -> bool:
    """Whether the name that is taken from a file is that of a type."""
    return name in NAMES_OF_TYPES.get(place.relative_to(PACKAGE).as_posix(), ())


def test_all_that_a_worker_runs_counts_for_its_answers() -> None:
    """Whatever the task of a worker imports, and what that imports, is among the code that stored
    answers depend on."""
    assert uncounted([PACKAGE / "runs" / "tasks.py"], ANSWERING_CODE) == set()


def test_all_that_training_runs_counts_for_weights() -> None:
    """Whatever models and training import is among the code that stored weights depend on."""
    assert uncounted(files_of(["models", "training"]), TRAINING_CODE) == set()


def test_an_import_that_does_not_count_would_be_seen() -> None:
    """What the verdict imports does not count for answers, and these checks see that."""
    assert "verdict/decision.py" in uncounted([PACKAGE / "pipeline.py"], ANSWERING_CODE)
