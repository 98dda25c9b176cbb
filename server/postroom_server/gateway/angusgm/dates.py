"""Dates of this dialect: read in three spellings, written in one, in the zone of the settings."""

from __future__ import annotations

import dataclasses
import datetime
import re
from zoneinfo import ZoneInfo

from postroom_server.clock import Clock

_DATE = re.compile(r"(\d{4}-\d\d-\d\d)([ Tt])(\d\d:\d\d:\d\d)(?:(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d))?", re.ASCII)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_SECOND = datetime.timedelta(seconds=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """A time: seconds since the Unix epoch and the nanoseconds behind them."""

    seconds: int
    nanos: int = 0

    @property
    def millis(self) -> int:
        return self.seconds * 1000 + self.nanos // 1_000_000

    def begin(self) -> Moment:
        """Where its second begins."""
        return Moment(self.seconds)

    def end(self) -> Moment:
        """The last millisecond of its second; finer nothing is stored."""
        return Moment(self.seconds, 999_000_000)

    def rfc3339(self) -> str:
        """In UTC, with a fraction only where there is one."""
        day = _EPOCH + datetime.timedelta(seconds=self.seconds)
        fraction = f".{self.nanos:09d}" if self.nanos else ""
        return f"{day.replace(tzinfo=None).isoformat()}{fraction}Z"


class Dates:
    def __init__(self, zone: ZoneInfo, clock: Clock) -> None:
        self._zone = zone
        self._clock = clock
        self._second = -1
        self._text = ""

    def read(self, text: str) -> Moment | None:
        """`yyyy-MM-dd HH:mm:ss` and `yyyy-MM-dd'T'HH:mm:ss` in our zone, RFC 3339 in its own; else None."""
        matched = _DATE.fullmatch(text)
        if matched is None:
            return None
        day, _, time, fraction, offset = matched.groups()
        try:
            local = datetime.datetime.fromisoformat(f"{day}T{time}{(offset or '').upper()}")
            if offset is None:
                local = local.replace(tzinfo=self._zone)
            # Some moments of the years 1 and 9999 lie in no year of UTC.
            since = local.astimezone(datetime.UTC) - _EPOCH
        except (ValueError, OverflowError):
            return None
        nanos = int(f"{fraction[1:]:0<9}") if fraction else 0
        return Moment(since // _SECOND, nanos)

    def text(self, seconds: int) -> str:
        """`yyyy-MM-dd HH:mm:ss` in our zone."""
        utc = _EPOCH + datetime.timedelta(seconds=seconds)
        try:
            local = utc.astimezone(self._zone)
        except OverflowError:
            local = utc
        return local.isoformat(" ", "seconds")[:19]

    def now(self) -> str:
        second = self._clock.now() // 1000
        # Every answer carries it, and a second holds thousands of them.
        if second != self._second:
            self._second, self._text = second, self.text(second)
        return self._text

    def is_past(self, moment: Moment) -> bool:
        return moment.millis <= self._clock.now()
