"""What numbers depend on besides the claim and the plan: versions, kind of machine, our own
code."""

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

VERSION = version("auditkit")
PACKAGES = ("numpy", "scipy", "scikit-learn", "adversarial-robustness-toolbox", "auditkit")


@cache
def environment() -> dict[str, str]:
    """Of this process: name -> version or kind, and "code_sha256" of this package's Python files.

    "instructions" is what matrix products are computed with (AVX2, AVX512, ...): processors that
    differ in it differ in the last bits.
    """
    import torch

    return {
        **without_torch(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": version("torch"),
    }


@cache
def without_torch() -> dict[str, str]:
    """The same but for torch, for an audit that does without it."""
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in PACKAGES},
        "code_sha256": files_digest(Path(__file__).parents[1]),
    }


def files_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all Python files below a folder, through its links."""
    total = hashlib.sha256()
    for path in sorted(_python_files(folder)):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def _python_files(folder: Path) -> set[Path]:
    linked = [child for child in folder.iterdir() if child.is_symlink() and child.is_dir()]
    return {*folder.rglob("*.py"), *(path for link in linked for path in link.rglob("*.py"))}


def differences(sender: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """In what two environments differ, in words; [] where they would give the same numbers."""
    return [
        f"{name} is {here.get(name)!r} there and {sender.get(name)!r} here"
        for name in sorted(sender.keys() | here.keys())
        if sender.get(name) != here.get(name)
    ]
