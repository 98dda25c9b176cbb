"""Timestamps and durations of the contract, as milliseconds."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from postroom_server.clock import Millis

# What a Timestamp may hold (google/protobuf/timestamp.proto): the years 1 to 9999.
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799


def is_time(stamp: Timestamp) -> bool:
    """Whether a Timestamp is one at all: on the wire any two numbers can come as one."""
    return _FIRST_SECOND <= stamp.seconds <= _LAST_SECOND and 0 <= stamp.nanos < 1_000_000_000


def millis_of(stamp: Timestamp) -> Millis:
    return stamp.seconds * 1000 + stamp.nanos // 1_000_000


def stamp_of(time: Millis) -> Timestamp:
    seconds, rest = divmod(time, 1000)
    return Timestamp(seconds=seconds, nanos=rest * 1_000_000)


def optional_stamp(time: Millis | None) -> Timestamp | None:
    return None if time is None else stamp_of(time)


def millis_of_duration(duration: Duration) -> Millis:
    return duration.seconds * 1000 + duration.nanos // 1_000_000


def duration_of(time: Millis) -> Duration:
    # Both parts of a Duration carry the sign, so whole seconds are cut towards zero.
    seconds = int(time / 1000)
    return Duration(seconds=seconds, nanos=(time - seconds * 1000) * 1_000_000)
