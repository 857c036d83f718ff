"""The queue over loky where workers die, be it killed, and how workers end."""

import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from auditkit.engine import queue
from auditkit.engine.queue import WorkerConfig, log_path, results, worker_session
from tests.engine.small_tasks import (
    built,
    dying,
    faulty,
    killed,
    sleeping,
    small_task,
)
from tests.engine.watching import TWO, ended, taken, working


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of its own for every test: that is where logs are."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


def test_a_task_whose_worker_died_is_tried_again(tmp_path: Path, store: Path) -> None:
    """Killed once, a task succeeds the second time, and every result comes."""
    died = tmp_path / "died"
    came, error = taken(
        results([small_task(k, dying(killed, died) if k == 2 else built) for k in range(6)], TWO)
    )
    assert (sorted(came), error) == ([0, 1, 2, 3, 4, 5], "")
    assert died.exists()
    assert list((store / "logs").iterdir()) == []


@pytest.mark.slow
def test_a_task_whose_worker_always_dies_is_named(store: Path) -> None:
    """Everything else is delivered first; then the error tells the runs, how their worker ended,
    and the log."""
    tasks = [small_task(0), small_task(1), small_task(2, dying(killed))]
    came, error = taken(results(tasks, TWO))
    assert sorted(came) == [0, 1]
    assert error.startswith("small data, original run 2 (seeds 1002): the worker died every time")
    assert "SIGKILL(-9)" in error
    log = log_path(tasks[2])
    assert str(log) in error
    assert re.fullmatch(r"small data, original run 2\nseeds 1002\n\S+, process \d+\n", log.read_text())
    assert list((store / "logs").iterdir()) == [log]
    assert log.stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_a_fault_leaves_a_traceback_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a worker died of a segmentation fault, its log tells the line of code."""
    monkeypatch.setattr(queue, "ATTEMPTS", 1)
    task = small_task(0, dying(faulty))
    _, error = taken(results([task], TWO))
    assert str(log_path(task)) in error
    text = log_path(task).read_text()
    assert "Fatal Python error: Segmentation fault" in text
    assert "small_tasks.py" in text


@pytest.mark.slow
def test_where_every_worker_dies_the_queue_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is finished between many deaths, not every task is tried again and again."""
    monkeypatch.setattr(queue, "HOPELESS", 1)
    start = time.monotonic()
    tasks = [small_task(k, dying(killed)) for k in range(500)]
    came, error = taken(results(tasks, TWO))
    assert came == {}
    assert "the worker died every time" in error
    assert time.monotonic() - start < 60


@pytest.mark.slow
def test_closing_ends_workers_at_once(tmp_path: Path) -> None:
    """Who stops taking results early waits for no task, and no worker is left."""
    notes = tmp_path / "notes"
    notes.mkdir()
    tasks = [small_task(0), *(small_task(k, sleeping(notes, 60)) for k in range(1, 4))]
    with closing(results(tasks, TWO)) as given:
        next(given)
        processes = working(notes, 2)
        start = time.monotonic()
    assert ended(processes, 5)
    assert time.monotonic() - start < 5


DRIVER = """
import sys
from pathlib import Path
from auditkit.engine.queue import WorkerConfig, results
from tests.engine.small_tasks import sleeping, small_task

for _ in results([small_task(k, sleeping(Path(sys.argv[1]), 60)) for k in range(4)], WorkerConfig(2, 1)):
    pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_whoever_sent_them_work(tmp_path: Path, sign: signal.Signals) -> None:
    """Ctrl-C, and even kill -9, of the process that has them leaves no worker behind."""
    notes = tmp_path / "notes"
    notes.mkdir()
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(notes)],
        stderr=subprocess.DEVNULL,
        # a job in the background of a shell inherits SIGINT ignored; who types Ctrl-C is in the
        # foreground
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- no threads here
    )
    processes = working(notes, 2)
    driver.send_signal(sign)
    assert driver.wait(timeout=10) == -sign
    assert ended(processes, 10)


@pytest.mark.slow
def test_lot_after_lot_goes_to_the_same_workers(tmp_path: Path) -> None:
    """Workers are hired when there is a first task, do every lot, and end with the block."""
    notes = tmp_path / "notes"
    notes.mkdir()

    def who() -> set[int]:
        return {int(note.read_text().split()[0]) for note in notes.iterdir()}

    with worker_session(WorkerConfig(1, 1, "dask")) as never_used:
        assert list(never_used([])) == []
    with worker_session(TWO) as results_of:
        for _ in range(2):
            assert len(dict(results_of([small_task(k, sleeping(notes, 0.3)) for k in range(4)]))) == 4
    assert len(who()) <= 2
    assert ended(sorted(who()), 5)
