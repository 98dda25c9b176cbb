"""How far an import has come: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_EVERY = 10_000  # lines of a file between two lines of a report


def is_terminal() -> bool:
    return sys.stderr.isatty()


class ImportScreen:
    """Shows `lines` and `refused` as they are told. `total` is the file's size in bytes, where it has one."""

    def __init__(self, total: int | None) -> None:
        self._next = _EVERY
        self._bar: Progress | None = None
        if is_terminal():
            self._bar = Progress(
                TextColumn("{task.fields[lines]} lines, {task.fields[refused]} refused"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%" if total else ""),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("", total=total, lines=0, refused=0)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, bytes_read: int, lines: int, refused: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=bytes_read, lines=lines, refused=refused)
        elif lines >= self._next:
            self._next = lines - lines % _EVERY + _EVERY
            click.echo(f"{lines} lines, {refused} refused", err=True)

    def say(self, text: str) -> None:
        """A line of the report, above the bar."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)
        else:
            click.echo(text, err=True)
