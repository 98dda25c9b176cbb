"""Members in a CSV file (RFC 4180, UTF-8): read a line at a time, broken lines included.

Nothing is thrown away. A line that cannot be read is told with what is wrong with it, and reading goes on
behind it: a quote that is never closed costs its own line and not the rest of the file.
"""

from __future__ import annotations

import csv
import dataclasses
from collections import deque
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

MOST_BYTES = 1 << 20  # of one record; a member at every limit of the contract has half of it
MOST_LINES = 1000  # of one record: a quoted cell may go over several
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# Bytes that are no UTF-8 become half characters, which are written as the same bytes again.
KEEP_BYTES = "surrogateescape"


class UnusableFileError(Exception):
    """A file of which nothing can be imported. The message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A record, by the line of the file it begins at: its cells, or the `problem` it cannot be read for."""

    number: int
    raw: str
    cells: Sequence[str]
    problem: str = ""


class _Text(NamedTuple):
    """A line of the file as it stands, without its end. One beyond all bounds is cut off."""

    text: str
    size: int  # in bytes
    is_cut: bool = False


class CsvFile:
    """Reads the header at once, and the lines as they are asked for."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._read_again: deque[_Text] = deque()
        self._number = 0  # of the line that was read last
        self.bytes_read = 0
        self.columns = self._header()

    def lines(self) -> Iterator[Line]:
        """Every line behind the header, but empty ones."""
        width = len(self.columns)
        while (first := self._next()) is not None:
            if not first.text.strip():
                continue
            line = self._record(first)
            if not line.problem and not _is_utf_8(line.raw):
                line = dataclasses.replace(line, problem="is not UTF-8")
            elif not line.problem and len(line.cells) != width:
                line = dataclasses.replace(line, problem=self._wrong_width(line))
            yield line

    def _wrong_width(self, line: Line) -> str:
        problem = f"has {_count(len(line.cells), 'cell')}; the header has {len(self.columns)}"
        if self._number > line.number:
            problem += f" (it goes on until line {self._number}: is a quote missing?)"
        return problem

    def _header(self) -> list[str]:
        first = self._next()
        if first is None or not first.text.strip():
            raise UnusableFileError("the first line is empty; it must name the columns")
        line = self._record(first)
        if line.problem or not _is_utf_8(line.raw):
            raise UnusableFileError(f"the first line {line.problem or 'is not UTF-8'}")
        columns = [cell.strip() for cell in line.cells]
        for place, column in enumerate(columns):
            if not column:
                raise UnusableFileError(f"column {place + 1} has no name in the first line")
            if column in columns[:place]:
                raise UnusableFileError(f"the first line names {column} twice")
        return columns

    def _record(self, first: _Text) -> Line:
        number = self._number
        if first.is_cut:
            return Line(number, first.text, (), f"is longer than {MOST_BYTES} bytes and was cut off")
        if '"' not in first.text:
            return Line(number, first.text, first.text.split(","))
        taken = [first]
        try:
            # Strict: what follows a closing quote must be a comma or the end of the line.
            cells = next(csv.reader(self._take(taken), strict=True))
        except csv.Error as error:
            # Which line the quote was meant to close in nobody knows. Only this one is given up.
            self._read_again.extendleft(reversed(taken[1:]))
            self._number = number
            return Line(number, first.text, (), _explained(error))
        return Line(number, "\n".join(line.text for line in taken), cells)

    def _take(self, taken: list[_Text]) -> Iterator[str]:
        """Lines for one record: as many as the CSV reader asks for, within bounds; all are in `taken`."""
        yield taken[0].text + "\n"
        size = taken[0].size
        while len(taken) < MOST_LINES and (line := self._next()) is not None:
            taken.append(line)
            size += line.size
            if line.is_cut or size > MOST_BYTES:
                return
            yield line.text + "\n"

    def _next(self) -> _Text | None:
        self._number += 1
        if self._read_again:
            return self._read_again.popleft()
        raw = self._stream.readline(MOST_BYTES)
        self.bytes_read += len(raw)
        if not raw:
            return None
        is_cut = len(raw) == MOST_BYTES and not raw.endswith(b"\n") and self._skip_line()
        if self._number == 1:
            if raw.startswith(_UTF_16):
                raise UnusableFileError("the file is UTF-16; save it as UTF-8")
            raw = raw.removeprefix(_BOM)
        text = raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", KEEP_BYTES)
        return _Text(text, len(raw), is_cut)

    def _skip_line(self) -> bool:
        """Reads on to the end of the line, and says whether there was anything left of it."""
        skipped = 0
        while rest := self._stream.readline(MOST_BYTES):
            skipped += len(rest)
            if rest.endswith(b"\n"):
                break
        self.bytes_read += skipped
        return skipped > 0


def _is_utf_8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _explained(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        return "has a quote that is not closed"
    if "expected after" in str(error):
        return "has a quote within a quoted cell; write it twice"
    return f"cannot be read: {error}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
