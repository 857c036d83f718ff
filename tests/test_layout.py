import ast
import tomllib
from pathlib import Path

import auditkit.attacks
import auditkit.reports

ROOT = Path(__file__).resolve().parent.parent
UNPACKED = (ROOT / "PKG-INFO").exists()
"""Whether this tree was unpacked from an sdist: archives hold copies in place of links."""


def test_the_attacks_folder_is_auditkit_attacks() -> None:
    """`import auditkit.attacks` reads attacks/, and `import auditkit.reports` reads reports/."""
    assert Path(auditkit.attacks.__file__).resolve().parent == ROOT / "attacks"
    assert Path(auditkit.reports.__file__).resolve().parent == ROOT / "reports"


def test_links_and_package_mapping_agree() -> None:
    """Every mapped package is also a relative link (but in an unpacked sdist, which has none), and
    every package on disk is listed.
    """
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    mapped = {name: folder for name, folder in tool["package-dir"].items() if name != "auditkit"}
    assert mapped == {"auditkit.attacks": "attacks", "auditkit.reports": "reports"}
    for name, folder in mapped.items():
        link = ROOT / name.replace(".", "/")
        assert link.is_symlink() or (UNPACKED and not link.exists())
        assert not link.is_symlink() or str(link.readlink()) == f"../{folder}"
    on_disk = {"auditkit"}
    for top in ("auditkit", "attacks", "reports"):
        for init in (ROOT / top).rglob("__init__.py"):
            inside = init.parent.relative_to(ROOT).as_posix().replace("/", ".")
            on_disk.add(inside if inside.startswith("auditkit") else f"auditkit.{inside}")
    assert set(tool["packages"]) == on_disk


def test_every_test_opens_with_one_sentence() -> None:
    """Each test function says in its docstring what is true."""
    silent = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.FunctionDef)
                and node.name.startswith("test_")
                and not ast.get_docstring(node)
            ):
                silent.append(f"{path.name}: {node.name}")
    assert silent == []


def test_no_module_shares_its_name_with_a_public_function() -> None:
    """`auditkit.x` is never sometimes a module and sometimes a function."""
    for package in (ROOT / "auditkit").rglob("__init__.py"):
        names = {p.stem for p in package.parent.glob("*.py")} | {
            p.name for p in package.parent.iterdir() if p.is_dir()
        }
        exported: set[str] = set()
        for node in ast.parse(package.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                exported |= {a.asname or a.name for a in node.names if (a.asname or a.name) != node.module}
        attacks = {path.stem for path in (ROOT / "attacks").glob("*.py")}
        procedures = {path.stem for path in (ROOT / "auditkit" / "unlearning").glob("*.py")}
        modules_imported_as_modules = attacks | procedures
        assert (names & exported) - modules_imported_as_modules - {"per_class"} == set(), package


def test_the_packaged_method_page_is_the_page_of_the_docs() -> None:
    """reports/method.md, which is installed and goes into bundles, is a link to docs/method.md."""
    page = ROOT / "reports" / "method.md"
    assert UNPACKED or str(page.readlink()) == "../docs/method.md"
    assert page.read_bytes() == (ROOT / "docs" / "method.md").read_bytes()
