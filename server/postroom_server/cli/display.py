"""How things look on a terminal. What others wrote is shown without control characters or markup."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC

import click
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 240  # columns for a reader that is not a terminal
_WHOLE = 20  # an id has 18 digits, a time 19 characters


def console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False, markup=False, emoji=False)


def one_line(text: str) -> str:
    """The text without what could move a terminal's cursor: every control character becomes a space."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Rows under headings. Ids, times and words are never broken; long cells share what room is left."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    lines = [[one_line(str(cell)) for cell in row] for row in rows]
    for place, column in enumerate(columns):
        width = max((len(line[place]) for line in lines), default=0)
        whole = width <= _WHOLE
        shown.add_column(column, overflow="fold", no_wrap=whole, min_width=width if whole else None)
    for line in lines:
        shown.add_row(*map(Text, line))
    return shown


def facts(pairs: Iterable[tuple[str, object]]) -> Table:
    """Names and values, a line each; empty values are left out."""
    shown = Table(box=None, pad_edge=False, show_header=False)
    shown.add_column(style="bold")
    shown.add_column(overflow="fold")
    for name, value in pairs:
        if value not in ("", None):
            shown.add_row(name, Text(one_line(str(value))))
    return shown


def json_of(message: Message) -> None:
    """Prints a message as JSON, for programs."""
    click.echo(MessageToJson(message, ensure_ascii=False))


def json_line_of(message: Message) -> str:
    return MessageToJson(message, ensure_ascii=False, indent=None)


def word(enum: EnumTypeWrapper, value: int) -> str:
    """An enum value's name without its type: `EMAIL_STATE_PENDING` is `PENDING`; unspecified is empty."""
    name = str(enum.Name(value))
    prefix = str(enum.Name(0)).removesuffix("UNSPECIFIED")
    return "" if value == 0 else name.removeprefix(prefix)


def time(message: Message, field: str) -> str:
    """A time field in this machine's zone, to the second; empty when it is unset."""
    if not message.HasField(field):
        return ""
    value: Timestamp = getattr(message, field)
    return value.ToDatetime(tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def reply(code: int, enhanced_code: str, text: str) -> str:
    """An SMTP reply in one line. A text that begins with its enhanced code does not get it twice."""
    enhanced = "" if text.startswith(enhanced_code) else enhanced_code
    return " ".join(part for part in (str(code or ""), enhanced, text) if part)
