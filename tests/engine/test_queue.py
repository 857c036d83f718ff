"""The queue over loky: real workers, really killed. Dask and Ray: see test_clusters.py."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np
import pytest
import torch

from auditkit.core.environment import environment
from auditkit.core.errors import AuditError, UsageError
from auditkit.engine import queue
from auditkit.engine.plan import Plan
from auditkit.engine.queue import WorkerConfig, log_path, results, worker_session
from auditkit.runs.tasks import Task, Tensors
from tests.engine.small_tasks import (
    built,
    dying,
    faulty,
    growing,
    killed,
    noting,
    raising,
    sleeping,
    small_task,
)

TWO = WorkerConfig(2, 1)
ROOM = 4
"""Tasks that may be out at a time with two workers."""


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of its own for every test: that is where logs are."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


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


def test_workers_give_what_one_process_gives(tmp_path: Path, store: Path) -> None:
    """Two workers give every result once, by its number, to the bit that this process gives. They
    have the plan's threads, and leave no log."""
    notes = tmp_path / "notes"
    notes.mkdir()
    tasks = [small_task(k, noting(notes), plan=Plan(1, 3, "cpu")) for k in range(7)]
    came, error = taken(results(tasks, WorkerConfig(2, 3)))
    by_workers = [note.read_text().split() for note in notes.iterdir()]
    alone = dict(results(tasks, WorkerConfig(1, 3)))
    assert (sorted(came), error) == (sorted(alone), "")
    for k, result in came.items():
        assert result.keys() == alone[k].keys()
        assert all(torch.equal(tensor, alone[k][name]) for name, tensor in result.items())
    assert {(threads, variable) for _, threads, variable in by_workers} == {("3", "3")}
    assert str(os.getpid()) not in {process for process, *_ in by_workers}
    assert list((store / "logs").iterdir()) == []


def test_no_tasks_need_no_results() -> None:
    """Nothing to do is done at once."""
    assert list(results([], TWO)) == []


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


class Watched(Sequence[Task]):
    """Small tasks, made when they are asked for."""

    def __init__(self, n: int) -> None:
        self.n, self.asked = n, set[int]()

    def __len__(self) -> int:
        return self.n

    @overload
    def __getitem__(self, k: int) -> Task: ...
    @overload
    def __getitem__(self, k: slice) -> Sequence[Task]: ...
    def __getitem__(self, k: int | slice) -> Task | Sequence[Task]:
        assert isinstance(k, int)
        self.asked.add(k)
        return small_task(k)


def test_results_do_not_pile_up() -> None:
    """However long results are not taken, no more tasks are sent than there is room for."""
    tasks = Watched(30)
    with closing(results(tasks, TWO)) as given:
        assert tasks.asked == set()
        next(given)
        time.sleep(1)
        assert len(tasks.asked) == ROOM
        list(islice(given, 5))
        assert len(tasks.asked) <= 5 + ROOM


@pytest.mark.slow
def test_a_worker_may_keep_memory() -> None:
    """A worker that has grown by much more than loky's own limit is not ended, and nothing is
    warned of."""
    tasks = [small_task(k, growing(250_000_000, 0.6)) for k in range(6)]
    came, error = taken(results(tasks, TWO))
    assert (len(came), error) == (6, "")


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


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"build": raising(UsageError("no such model; name another"))},
            "small data, original run 1: no such model; name another",
        ),
        (
            {"build": raising(SystemExit(3))},
            "small data, original run 1 (seeds 1001): SystemExit: 3; its log is ",
        ),
        (
            {"sent_from": {**environment(), "torch": "9.9"}},
            (
                "a worker must have the versions of whoever sends it work, found that torch is"
                f" '{torch.__version__}'"
            ),
        ),
    ],
    ids=["our error", "an exit", "other versions"],
)
def test_a_task_that_fails_ends_the_queue(changes: dict[str, Any], told: str) -> None:
    """What a task raises comes as one AuditError, is not tried again, and its log holds the
    traceback; so it is where a worker has other versions than whoever sends it the task."""
    task = small_task(1, **changes)
    came, error = taken(results([small_task(0), task], TWO))
    assert came.keys() <= {0}
    assert error.startswith(told)
    assert "Traceback" in log_path(task).read_text()


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
def test_a_log_that_cannot_be_written_stops_nothing(store: Path) -> None:
    """A worker that may not write where logs go does its work without one."""
    store.write_text("in the way")
    came, error = taken(results([small_task(k) for k in range(3)], TWO))
    assert (sorted(came), error) == ([0, 1, 2], "")


def test_logs_of_different_runs_differ() -> None:
    """Runs of one name with other seeds, as two audits may have, keep different logs."""
    assert log_path(small_task(1)) != log_path(small_task(1, seeds=[7]))
    assert np.all([log_path(small_task(k)).is_absolute() for k in range(2)])
