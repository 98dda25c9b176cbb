"""The `date` filter: RFC 3339 times in words, the same in every process.

Not strftime, which asks the platform and the locale, and no `now`: a mail has the same bytes in every
attempt.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable

from postroom_server.message.variable_types import time_of

MAX_FORMAT = 256

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")
_DIRECTIVE = re.compile(r"%(-?[A-Za-z]|%)|%")

_Moment = datetime.datetime
_WRITERS: dict[str, Callable[[_Moment], str]] = {
    "%": lambda _: "%",
    "Y": lambda t: f"{t.year:04}",
    "y": lambda t: f"{t.year % 100:02}",
    "m": lambda t: f"{t.month:02}",
    "-m": lambda t: f"{t.month}",
    "B": lambda t: _MONTHS[t.month - 1],
    "b": lambda t: _MONTHS[t.month - 1][:3],
    "d": lambda t: f"{t.day:02}",
    "-d": lambda t: f"{t.day}",
    "e": lambda t: f"{t.day:2}",
    "j": lambda t: f"{t.timetuple().tm_yday:03}",
    "A": lambda t: _DAYS[t.weekday()],
    "a": lambda t: _DAYS[t.weekday()][:3],
    "u": lambda t: f"{t.isoweekday()}",
    "w": lambda t: f"{t.isoweekday() % 7}",
    "G": lambda t: f"{t.isocalendar().year:04}",
    "V": lambda t: f"{t.isocalendar().week:02}",
    "H": lambda t: f"{t.hour:02}",
    "-H": lambda t: f"{t.hour}",
    "I": lambda t: f"{(t.hour + 11) % 12 + 1:02}",
    "-I": lambda t: f"{(t.hour + 11) % 12 + 1}",
    "M": lambda t: f"{t.minute:02}",
    "S": lambda t: f"{t.second:02}",
    "L": lambda t: f"{t.microsecond // 1000:03}",
    "p": lambda t: "AM" if t.hour < 12 else "PM",
    "P": lambda t: "am" if t.hour < 12 else "pm",
    "z": lambda t: _offset(t).replace(":", ""),
    "Z": lambda t: "UTC" if not t.utcoffset() else _offset(t),
    "s": lambda t: f"{(t - _EPOCH) // datetime.timedelta(seconds=1)}",
    "F": lambda t: f"{t.year:04}-{t.month:02}-{t.day:02}",
    "D": lambda t: f"{t.month:02}/{t.day:02}/{t.year % 100:02}",
    "R": lambda t: f"{t.hour:02}:{t.minute:02}",
    "T": lambda t: f"{t.hour:02}:{t.minute:02}:{t.second:02}",
}


def format_problem(pattern: str) -> str | None:
    """Says what is wrong with a format, or None."""
    if len(pattern) > MAX_FORMAT:
        return f"has a date format of more than {MAX_FORMAT} characters"
    for found in _DIRECTIVE.finditer(pattern):
        if found[1] not in _WRITERS:
            return f"has no date format {found[0]}"
    return None


def write(text: str, pattern: str, offset: str | None = None) -> str:
    """The time `text` names, in its own offset or the one given (`+08:00`, `UTC`).

    Raises ValueError for what is no RFC 3339 time, no offset or no format.
    """
    moment = time_of(text)
    if moment is None:
        raise ValueError("is no RFC 3339 time such as 2024-05-01T09:30:00Z")
    if problem := format_problem(pattern):
        raise ValueError(problem)
    if offset is not None:
        try:
            moment = moment.astimezone(_zone(offset))
        except OverflowError:
            raise ValueError("is a time beyond the years 1 to 9999") from None
    return _DIRECTIVE.sub(lambda found: _WRITERS[found[1]](moment), pattern)


def _zone(offset: str) -> datetime.timezone:
    if offset == "UTC":
        return datetime.UTC
    found = _OFFSET.fullmatch(offset)
    if found is None:
        raise ValueError("has an offset that is neither UTC nor one such as +08:00")
    distance = datetime.timedelta(hours=int(found[2]), minutes=int(found[3]))
    return datetime.timezone(-distance if found[1] == "-" else distance)


def _offset(moment: _Moment) -> str:
    minutes = (moment.utcoffset() or datetime.timedelta()) // datetime.timedelta(minutes=1)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
