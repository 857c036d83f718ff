"""What numbers depend on besides the claim and the plan: versions, kind of machine, our own code.

Our code counts room by room, so that what is stored is made again, and what is locked refused, only
where it must be. A comment in a report trains nothing again.
"""

import hashlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

VERSION = version("auditkit")
PACKAGES = ("numpy", "scipy", "scikit-learn", "adversarial-robustness-toolbox", "auditkit")

TRAINING_CODE = (
    "core",
    "engine",
    "models",
    "training",
    "runs/tasks.py",
    "runs/make.py",
    "runs/specs.py",
    "unlearning/binding.py",  # how a function of the user's own is called, the training too
)
"""Rooms and files that the weights of a run depend on, and so what they are stored under."""
ANSWERING_CODE = (*TRAINING_CODE, "probes", "runs/answers.py", "runs/ask.py", "signals", "unlearning")
"""What the answers of a run depend on besides: what is done to models, and how they are asked.
tests/core/test_environment.py holds both against the imports of what a worker does."""
DECIDING_CODE = (
    *ANSWERING_CODE,
    "attacks",
    "claims",
    "data",
    "dp",
    "evidence",
    "pipeline.py",
    "predictions.py",
    "runs",
    "statistics",
    "study",
    "verdict",
)
"""What a verdict depends on, and so what is locked: all but how it is shown and commanded."""
EVERY_CODE = (*DECIDING_CODE, "__init__.py", "__main__.py", "calibration", "cli", "reports", "reproduction")


def environment() -> dict[str, str]:
    """What a verdict of this process depends on: name -> version or kind, and "code_sha256" of
    DECIDING_CODE.

    "instructions" is what matrix products are computed with (AVX2, AVX512, ...): processors that
    differ in it differ in the last bits.
    """
    return _with_torch(DECIDING_CODE)


def training_environment() -> dict[str, str]:
    """What the weights of a run of this process depend on: as `environment`, of TRAINING_CODE."""
    return _with_torch(TRAINING_CODE)


def answering_environment() -> dict[str, str]:
    """What the answers of a run of this process depend on: as `environment`, of ANSWERING_CODE."""
    return _with_torch(ANSWERING_CODE)


def whole_environment() -> dict[str, str]:
    """As `environment`, of all our code."""
    return _with_torch(EVERY_CODE)


@cache
def _with_torch(rooms: Sequence[str]) -> dict[str, str]:
    import torch

    return {
        **_without_torch(rooms),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": version("torch"),
    }


def without_torch() -> dict[str, str]:
    """As `environment`, but for torch, for an audit that does without it."""
    return _without_torch(DECIDING_CODE)


@cache
def _without_torch(rooms: Sequence[str]) -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in PACKAGES},
        "code_sha256": code_digest(Path(__file__).parents[1], rooms),
    }


def code_digest(package: Path, rooms: Sequence[str]) -> str:
    """The SHA-256, in hex, of our code in some rooms.

    Args:
        package: the folder of auditkit.
        rooms: folders in it, through links, and single files.

    Returns:
        The digest over names and contents of their Python files, in order of name.
    """
    total = hashlib.sha256()
    for path in sorted({path for room in rooms for path in _python_files(package / room)}):
        total.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def _python_files(room: Path) -> Iterator[Path]:
    yield from [room] if room.is_file() else room.rglob("*.py")


def differences(sender: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """In what two environments differ, in words; [] where they would give the same numbers."""
    return [
        f"{name} is {here.get(name)!r} there and {sender.get(name)!r} here"
        for name in sorted(sender.keys() | here.keys())
        if sender.get(name) != here.get(name)
    ]
