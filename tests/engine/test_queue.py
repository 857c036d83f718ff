"""The queue over loky: real workers. Dask and Ray: see test_clusters.py."""

import os
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np
import pytest
import torch

from auditkit.core.environment import answering_environment
from auditkit.core.errors import UsageError
from auditkit.engine.plan import Plan
from auditkit.engine.queue import WorkerConfig, log_path, results
from auditkit.runs.tasks import Task
from tests.engine.small_tasks import (
    growing,
    noting,
    raising,
    small_task,
)
from tests.engine.watching import TWO, taken


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of its own for every test: that is where logs are."""
    monkeypatch.setenv("AUDITKIT_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


ROOM = 4
"""Tasks that may be out at a time with two workers."""


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
            {"sent_from": {**answering_environment(), "torch": "9.9"}},
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
def test_a_log_that_cannot_be_written_stops_nothing(store: Path) -> None:
    """A worker that may not write where logs go does its work without one."""
    store.write_text("in the way")
    came, error = taken(results([small_task(k) for k in range(3)], TWO))
    assert (sorted(came), error) == ([0, 1, 2], "")


def test_logs_of_different_runs_differ() -> None:
    """Runs of one name with other seeds, as two audits may have, keep different logs."""
    assert log_path(small_task(1)) != log_path(small_task(1, seeds=[7]))
    assert np.all([log_path(small_task(k)).is_absolute() for k in range(2)])
