"""The wheel and the sdist, built from a copy of the tree. Slow, as both are built."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED = ("attacks", "auditkit", "benchmarks", "docs", "examples", "reports", "research", "tests", ".ci")
LOOSE = ["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md"]
LOOSE += ["constraints.txt", "mkdocs.yml", "pyproject.toml"]
MADE = shutil.ignore_patterns(
    "__pycache__", ".*_cache", ".venv", ".git", "build", "dist", "site", "*.egg-info"
)

pytestmark = pytest.mark.slow


def _files(top: Path) -> Iterator[str]:
    """The files of a folder of the tree, seen from the tree's root; links are not followed."""
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            if not name.endswith(".pyc"):
                yield (Path(folder) / name).relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, the wheel built from the sdist as pip would."""
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("dist")
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, symlinks=True, ignore=MADE)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "out"), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder / "out"


def test_the_sdist_holds_the_whole_tree(dist: Path) -> None:
    """Code, tests, docs, examples, benchmarks, and what builds and tests them, are in it."""
    [path] = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers()}
        assert not any(member.issym() or member.islnk() for member in archive.getmembers())
    shipped = {name for top in SHIPPED for name in _files(ROOT / top)}
    assert len(shipped) > 300
    assert shipped | set(LOOSE) <= names


def test_the_wheel_holds_the_package_and_nothing_else(dist: Path) -> None:
    """Every module and data file lies below auditkit/, the page that sources name among them."""
    [path] = dist.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        page = archive.read("auditkit/reports/method.md")
    assert page == (ROOT / "docs" / "method.md").read_bytes()
    assert {name.split("/")[0] for name in names} == {
        "auditkit",
        *(n.split("/")[0] for n in names if "dist-info" in n),
    }
    expected = {
        *(n for n in _files(ROOT / "auditkit") if not (ROOT / n).is_dir()),
        *(f"auditkit/{name}" for top in ("attacks", "reports") for name in _files(ROOT / top)),
    }
    assert {name for name in names if name.startswith("auditkit/")} == expected


def test_the_wheel_works_beside_folders_of_the_same_names(dist: Path, tmp_path: Path) -> None:
    """Where the user has an attacks/ and a reports/ of their own, auditkit's are still found."""
    [path] = dist.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "installed")
    for name in ("attacks", "reports"):
        (tmp_path / "theirs" / name).mkdir(parents=True)
        (tmp_path / "theirs" / name / "__init__.py").write_text("raise AssertionError('not this one')")
    code = (
        "import auditkit.attacks, auditkit.reports.method_page as page\n"
        "from auditkit.claims.claim import BUILT_IN\n"
        "from auditkit.claims.read import read_claim\n"
        "print(auditkit.attacks.__file__, len(page.method_page()), read_claim(BUILT_IN)[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "theirs",
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=True,
    )
    place, size, problems = done.stdout.split(maxsplit=2)
    assert Path(place) == tmp_path / "installed" / "auditkit" / "attacks" / "__init__.py"
    assert int(size) > 10_000
    assert problems.strip() == "()" or problems.strip() == "[]"
