"""A copy of the package whose files a test may change."""

import shutil
from pathlib import Path

import auditkit.attacks
import auditkit.reports


def copy_package(folder: Path) -> Path:
    """Copy the package to `folder`/auditkit; attacks and reports, links in the repository, become
    folders of it."""
    package = folder / "auditkit"
    unneeded = shutil.ignore_patterns("__pycache__", "attacks", "reports")
    shutil.copytree(Path(auditkit.__file__).parent, package, ignore=unneeded)
    for file in (auditkit.attacks.__file__, auditkit.reports.__file__):
        source = Path(file).resolve().parent
        shutil.copytree(source, package / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    return package
