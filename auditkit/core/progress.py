"""How an audit tells its user where it is."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

PAUSE = 30.0
"""Seconds between two lines of a stage where there is no terminal."""
DownloadProgress = Callable[[str, int, int | None], None]


class Reporter(Protocol):
    """Says lines, and follows the work of a stage."""

    def say(self, text: str) -> None:
        """Tell the user one thing."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Follow a stage of `total` runs; call what it gives with the number of runs just done."""

    def downloads(self) -> AbstractContextManager[DownloadProgress]:
        """Follow downloads; call what it gives with (file, bytes so far, bytes in all if known)."""


class NullReporter:
    """Says nothing: for use as a library."""

    def say(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Follow nothing."""
        yield lambda done: None

    @contextmanager
    def downloads(self) -> Iterator[DownloadProgress]:
        """Follow nothing."""
        yield lambda file, done, total: None


class ConsoleReporter:
    """Writes to standard error: bars on a terminal, plain lines elsewhere (as in CI)."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    def say(self, text: str) -> None:
        """Write one line."""
        self._console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar with runs done, rate and time left on a terminal, else a line now and then."""
        if not self._console.is_terminal:
            yield self._lines(name, total)
            return
        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f} runs"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console) as bars:
            task, began = bars.add_task(name, total=total, rate=""), time.monotonic()

            def advance(done: int) -> None:
                bars.advance(task, done)
                seen = bars.tasks[0].completed / max(time.monotonic() - began, 1e-9)
                bars.update(task, rate=f"{seen:.2g} runs/s")

            yield advance

    def _lines(self, name: str, total: int) -> Callable[[int], None]:
        self.say(f"{name} {total} runs ...")
        began = last = time.monotonic()
        finished = 0

        def advance(done: int) -> None:
            nonlocal finished, last
            finished += done
            now = time.monotonic()
            rate = finished / max(now - began, 1e-9)
            if finished == total:
                self.say(f"{name}: {total} runs in {now - began:.1f} s")
            elif now - last >= PAUSE:
                last = now
                left = (total - finished) / rate
                self.say(f"{name}: {finished} of {total} runs, {rate:.2g} runs/s, about {left:.0f} s left")

        return advance

    @contextmanager
    def downloads(self) -> Iterator[DownloadProgress]:
        """A bar a file on a terminal, else one line when a file begins."""
        if not self._console.is_terminal:
            begun: set[str] = set()

            def begin(file: str, done: int, total: int | None) -> None:
                if file not in begun:
                    begun.add(file)
                    self.say(f"downloading {file} ...")

            yield begin
            return
        columns = (TextColumn("{task.description:<28}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=self._console) as bars:
            tasks: dict[str, TaskID] = {}

            def advance(file: str, done: int, total: int | None) -> None:
                task = tasks[file] if file in tasks else tasks.setdefault(file, bars.add_task(file))
                bars.update(task, completed=done, total=total)

            yield advance
