"""Calls that templates were sent with, and what would break them: values that are told."""

from __future__ import annotations

import dataclasses
import enum
from typing import NamedTuple

from postroom_server.mail.call_shape import CallShape


class Circumstances(enum.IntFlag):
    """What a call says beside its parameters that the same template may be refused for."""

    CODE = 1
    OWN_SUBJECT = 2
    CODE_IN_SUBJECT = 4  # its own
    AUDIENCE = 8
    UNKNOWN_IGNORED = 16  # parameters that no variable takes


@dataclasses.dataclass(frozen=True, slots=True)
class RememberedCall:
    """A kind of call that worked."""

    digest: str
    language: str
    circumstances: int
    shape: CallShape


@dataclasses.dataclass(frozen=True, slots=True)
class RememberedCaller:
    """Who made such calls: the token's name, and labels as `name=value`, what most calls have first."""

    token: str
    labels: tuple[str, ...]


class Kind(enum.StrEnum):
    """How a call is broken."""

    MISSING = "missing"  # a variable needs a value, and the call has none
    TYPE = "type"  # the call's value is not what the variable takes
    UNKNOWN = "unknown"  # the call has a parameter that is no variable
    LANGUAGE = "language"  # the call's language is not there
    RENDERING = "rendering"  # whatever the values are, the template cannot go on
    CODE = "code"  # the call is for a verification code, and nothing would show it


class Fault(NamedTuple):
    """One thing that is wrong with a kind of call."""

    kind: Kind
    name: str  # of the variable, as a path, or of the language
    problem: str


@dataclasses.dataclass(frozen=True, slots=True)
class Break:
    """A fault that calls would have which have none today, and who makes such calls."""

    fault: Fault
    callers: tuple[RememberedCaller, ...]
