"""The file of refused lines: as they were, with the reason before them, to be mended and imported again."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from postroom_server.cli.failure import CommandFailedError
from postroom_server.cli.member_csv import KEEP_BYTES, Line
from postroom_server.cli.member_line import REASON

_FIRST_CELL = re.compile(r'(?:"(?:[^"]|"")*"|[^",]*),')


class RefusedFile:
    """Without a path nothing is kept. The reason is the first column, so that a cell too many moves none."""

    def __init__(self, path: Path | None, columns: Sequence[str]) -> None:
        self._path = path
        # A file out of an earlier import has reasons already; new ones take their place.
        self._kept = [place for place, column in enumerate(columns) if column != REASON]
        self._width = len(columns)
        self._begins_with_reason = columns[0] == REASON
        self._columns = [columns[place] for place in self._kept]

    @property
    def is_kept(self) -> bool:
        return self._path is not None

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = self._path.open("w", encoding="utf-8", errors=KEEP_BYTES, newline="")
            except OSError as error:
                raise CommandFailedError(f"cannot write {self._path}: {error.strerror}") from None
            self._file.write(_row([REASON, *self._columns]))
        return self

    def __exit__(self, *_: object) -> None:
        if self._path is not None:
            self._file.close()

    def write(self, line: Line, reason: str) -> None:
        if self._path is None:
            return
        if not line.cells:
            # What is no CSV is kept to the letter.
            raw = _FIRST_CELL.sub("", line.raw, count=1) if self._begins_with_reason else line.raw
            self._file.write(f"{_row([reason]).rstrip()},{raw}\n")
        elif len(line.cells) == self._width:
            self._file.write(_row([reason, *(line.cells[place] for place in self._kept)]))
        else:
            self._file.write(_row([reason, *line.cells[self._begins_with_reason :]]))


def _row(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
