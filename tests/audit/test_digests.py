"""What a changed line of ours voids, seen in whole audits: stored runs, the lock, or neither."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditkit.evidence.bundle import key_path
from tests.package_copy import copy_package

pytestmark = pytest.mark.slow  # what is digested is looked at quickly in tests/core/test_environment.py

CLAIM = """
name = "tiny"
data = {train = 100, control = 40, test = 40, population = 0}
forget = {fraction = 0.3}
model = {options = {hidden = [8]}}
training = {epochs = 2}
runs = {per_arm = 3, shadow = 0}
procedure = {name = "noop"}

[criteria]
residual_memory = 0.9
planning_sd = 0.05
attacks = ["loss"]
reported = []
recoveries = []
jitter = [0.3]
"""
PROGRAM = """
import json, sys
import auditkit
from click.testing import CliRunner
from auditkit.cli.main import main

results = [CliRunner().invoke(main, command) for command in json.loads(sys.argv[1])]
print(json.dumps([auditkit.__file__, [[r.exit_code, r.stdout, r.stderr] for r in results]]))
"""
FAST = ("--width", "3", "--threads", "1", "--jobs", "1")
AUDITED = (0, 1, 3)
"""Exit codes of an audit that was done, whatever it came to."""


@dataclass(frozen=True)
class Done:
    """What a command ended with."""

    code: int
    out: str
    error: str


@dataclass(frozen=True)
class Place:
    """A folder with a claim, a copy of the package, and a store. sha256: of what was locked."""

    folder: Path
    sha256: str = ""

    def call(self, *commands: Sequence[str]) -> list[Done]:
        """Commands of the copied package, one after the other, in a process of their own."""
        paths = os.pathsep.join([str(self.folder / "tree"), str(self.folder / "without pdf")])
        environment = {**os.environ, "PYTHONPATH": paths, "AUDITKIT_CACHE": str(self.folder / "store")}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, json.dumps([[*command, *FAST] for command in commands])],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        place, results = json.loads(done.stdout)
        assert Path(place) == self.folder / "tree" / "auditkit" / "__init__.py"
        return [Done(*result) for result in results]

    def stored(self) -> dict[str, int]:
        """The runs in the store, by the file of each: one that is written anew is another file."""
        return {path.name: path.stat().st_ino for path in (self.folder / "store").glob("*.safetensors")}

    def change(self, file: str) -> None:
        """Add a comment to a file of the package."""
        with (self.folder / "tree" / "auditkit" / file).open("a") as source:
            source.write("# changed\n")


STORED = 2 * 4 + 2
"""Weights and answers of four trained arms, answers of the unlearned one and of the placebo."""


@pytest.fixture(scope="module")
def audited_place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where the claim was locked, in `locked`, and audited as it was locked, in `first`."""
    folder = tmp_path_factory.mktemp("digests").resolve()
    copy_package(folder / "tree")
    (folder / "without pdf").mkdir()
    (folder / "without pdf" / "weasyprint.py").write_text("raise ImportError('not in this test')\n")
    (folder / "claim.toml").write_text(CLAIM)
    place = Place(folder)
    lock, audit = place.call(
        ("lock", "claim.toml", "--out", "locked"), ("audit", "claim.toml", "--out", "first")
    )
    assert lock.code == 0, lock.error
    assert audit.code in AUDITED, audit.error
    assert len(place.stored()) == STORED
    return Place(folder, lock.out.split()[0])


@pytest.fixture
def place(audited_place: Place, tmp_path: Path) -> Place:
    """A copy of that place, whose package may be changed."""
    folder = tmp_path.resolve() / "place"
    shutil.copytree(audited_place.folder, folder)
    return Place(folder, audited_place.sha256)


def audits_after_a_change(place: Place, file: str) -> tuple[Done, Done, set[str]]:
    """The audit held to the lock, an audit held to none, and the runs that were made anew, after a
    comment was added to a file of the package."""
    before = place.stored()
    place.change(file)
    held, free = place.call(
        ("audit", "claim.toml", "--out", "locked", "--lock", place.sha256),
        ("audit", "claim.toml", "--out", "another"),
    )
    assert free.code in AUDITED, free.error
    after = place.stored()
    assert before.items() <= after.items()  # what was there is kept as it was
    return held, free, after.keys() - before.keys()


def test_a_comment_in_reports_voids_nothing(place: Place) -> None:
    """After a comment is changed in reports/ the lock holds, and no run is trained again."""
    held, free, anew = audits_after_a_change(place, "reports/render.py")
    assert held.code == free.code
    assert key_path(place.folder / "locked").exists()
    assert (place.folder / "locked" / "evidence.json").exists()
    assert anew == set()


def test_a_line_in_statistics_voids_the_lock_alone(place: Place) -> None:
    """After a line is changed in statistics/ the lock is refused by the name of what differs, and
    no run is trained again."""
    held, _, anew = audits_after_a_change(place, "statistics/residual.py")
    assert held.code == 2
    assert "which differs: in code.auditkit;" in held.error
    assert anew == set()


def test_a_line_in_training_voids_the_lock_and_the_runs(place: Place) -> None:
    """After a line is changed in training/ the lock is refused, and every run is trained again."""
    held, _, anew = audits_after_a_change(place, "training/fitting.py")
    assert held.code == 2
    assert "which differs: in code.auditkit;" in held.error
    assert len(anew) == STORED


def test_a_line_in_unlearning_voids_answers_and_no_weights(place: Place) -> None:
    """After a line is changed in unlearning/ the lock is refused and runs are asked again, but
    nothing is trained again."""
    held, _, anew = audits_after_a_change(place, "unlearning/noop.py")
    assert held.code == 2
    assert 0 < len(anew) < STORED
