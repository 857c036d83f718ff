"""How the tests of the queue follow tasks and their workers."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from auditkit.core.errors import AuditError
from auditkit.engine.queue import WorkerConfig
from auditkit.runs.answers import Tensors

TWO = WorkerConfig(2, 1)


def taken(given: Iterator[tuple[int, Tensors]]) -> tuple[dict[int, Tensors], str]:
    """What came, and the error it ended in, if any."""
    came: dict[int, Tensors] = {}
    try:
        for k, result in given:
            assert k not in came
            came[k] = result
    except AuditError as error:
        return came, str(error)
    return came, ""


def ended(processes: Sequence[int], seconds: float) -> bool:
    """Whether the processes end within so many seconds."""
    deadline = time.monotonic() + seconds
    while (left := [p for p in processes if Path(f"/proc/{p}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not left


def working(notes: Path, n: int) -> list[int]:
    """The processes of the first n tasks, when they have begun."""
    deadline = time.monotonic() + 60
    while len(found := list(notes.iterdir())) < n and time.monotonic() < deadline:
        time.sleep(0.02)
    return [int(note.read_text().split()[0]) for note in found]
