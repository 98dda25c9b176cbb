"""Dates in requests and answers."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import NOON, ManualClock
from postroom_server.gateway.angusgm.dates import Dates, Moment

SHANGHAI, NEW_YORK, UTC = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York"), ZoneInfo("UTC")
JUNE = 1_780_286_400  # 2026-06-01 04:00:00 UTC


def dates(zone: ZoneInfo = SHANGHAI) -> Dates:
    return Dates(zone, ManualClock())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-01 12:00:00", Moment(JUNE)),
        ("2026-06-01T12:00:00", Moment(JUNE)),
        ("2026-06-01t12:00:00", Moment(JUNE)),
        ("2026-06-01T04:00:00Z", Moment(JUNE)),
        ("2026-06-01T04:00:00z", Moment(JUNE)),
        ("2026-06-01T06:00:00+02:00", Moment(JUNE)),
        ("2026-05-31 23:30:00-04:30", Moment(JUNE)),
        ("2026-06-01T04:00:00.25Z", Moment(JUNE, 250_000_000)),
        ("2026-06-01T04:00:00.123456789Z", Moment(JUNE, 123_456_789)),
        ("1969-12-31T23:59:59.5Z", Moment(-1, 500_000_000)),
        ("9999-12-31T23:59:59Z", Moment(253_402_300_799)),
    ],
)
def test_the_spellings_that_are_read(text: str, moment: Moment) -> None:
    assert dates().read(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-06-01", "12:00:00", "2026-06-01 12:00", "2026-06-01  12:00:00", " 2026-06-01 12:00:00",
        "2026-06-01 12:00:00 ", "2026-06-01 12:00:00.5", "2026-6-1 12:00:00", "2026-02-30 12:00:00",
        "2026-06-01 24:00:00", "2026-06-01 12:60:00", "2026-06-01 12:00:60", "2026-06-01T12:00:00+8",
        "2026-06-01T12:00:00+0800", "2026-06-01T12:00:00+25:00", "2026-06-01T12:00:00 Z",
        "0000-01-01 00:00:00", "0001-01-01 00:00:00", "9999-12-31T23:59:59-01:00", "1780315200",
        "1780315200000", "2026/06/01 12:00:00", "２０２６-06-01 12:00:00", "2026-06-01 12:00:00\n",
        "tomorrow", "string",
    ],
)  # fmt: skip
def test_anything_else_is_not(text: str) -> None:
    assert dates().read(text) is None


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        (SHANGHAI, "2026-06-01 12:00:00"),
        (NEW_YORK, "2026-06-01 00:00:00"),
        (UTC, "2026-06-01 04:00:00"),
    ],
)
def test_one_zone_for_reading_and_writing(zone: ZoneInfo, text: str) -> None:
    assert dates(zone).text(JUNE) == text
    assert dates(zone).read(text) == Moment(JUNE)


def test_a_time_that_clocks_skip_or_show_twice_is_read_all_the_same() -> None:
    # RFC 5545 §3.3.5: what is skipped is read with the offset before it, of two the first is meant.
    assert dates(NEW_YORK).read("2026-03-08 02:30:00") == dates(UTC).read("2026-03-08 07:30:00")
    assert dates(NEW_YORK).read("2026-11-01 01:30:00") == dates(UTC).read("2026-11-01 05:30:00")


def test_moments_at_the_ends_of_the_calendar_are_written() -> None:
    assert dates().text(253_402_300_799) == "9999-12-31 23:59:59"
    assert dates(NEW_YORK).text(-62_135_596_800) == "0001-01-01 00:00:00"


def test_now_is_the_clocks_and_written_anew_each_second() -> None:
    clock = ManualClock()
    told = Dates(UTC, clock)
    assert told.now() == "2026-06-01 12:00:00"
    clock.advance(999)
    assert told.now() == "2026-06-01 12:00:00"
    clock.advance(1)
    assert told.now() == "2026-06-01 12:00:01"


@pytest.mark.parametrize(("millis", "is_past"), [(-1, True), (0, True), (1, False)])
def test_past_is_what_the_clock_has_reached(millis: int, is_past: bool) -> None:
    moment = Moment((NOON + millis) // 1000, (NOON + millis) % 1000 * 1_000_000)
    assert dates().is_past(moment) is is_past


@given(
    st.integers(-62_135_510_400, 253_402_214_399),
    st.integers(0, 999_999_999),
    st.sampled_from([SHANGHAI, NEW_YORK, UTC]),
)
def test_what_is_written_in_rfc_3339_is_read_back(seconds: int, nanos: int, zone: ZoneInfo) -> None:
    moment = Moment(seconds, nanos)
    assert dates(zone).read(moment.rfc3339()) == moment
    assert dates(zone).read(moment.begin().rfc3339()) == moment.begin()
    assert moment.begin().millis <= moment.millis <= moment.end().millis == moment.begin().millis + 999
