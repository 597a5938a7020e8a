"""Shows progress: a bar on a terminal, otherwise a line every `LINE_SECONDS`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from partywall.commands.terminal import print_line, printable

LINE_SECONDS = 2.0


class Meter(Protocol):
    total: int

    def reach(self, done: int, note: str = "") -> None: ...

    def print_line(self, line: str) -> None: ...


class Bar:
    def __init__(self, progress: Progress, task: TaskID, what: str, total: int) -> None:
        self._progress = progress
        self._what = what
        self._task = task
        self.total = total

    def reach(self, done: int, note: str = "") -> None:
        shown = f"{self._what}, {note}" if note else self._what
        self._progress.update(self._task, completed=done, total=self.total, description=shown)

    def print_line(self, line: str) -> None:
        # lint: allow raw-echo - printable, above the bar
        self._progress.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


class Lines:
    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self.total = total
        self._said_at = time.monotonic()

    def reach(self, done: int, note: str = "") -> None:
        if time.monotonic() - self._said_at >= LINE_SECONDS:
            self._said_at = time.monotonic()
            self.print_line(f"{self._what}: {done} of {self.total}{f', {note}' if note else ''}")

    def print_line(self, line: str) -> None:
        print_line(line, err=True)


@contextmanager
def open_meter(what: str, total: int) -> Iterator[Meter]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(what, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress, progress.add_task(what, total=total or None), what, total)
