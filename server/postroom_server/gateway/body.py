"""Reading what a client sends: within its size and time, and strictly where it is JSON."""

from __future__ import annotations

import asyncio
import enum
import json
import math
from typing import Any

from starlette.requests import Request
from starlette.types import Scope

MAX_BODY_BYTES = 26 << 20
BODY_SECONDS = 30.0
MAX_DEPTH = 64
MAX_VALUES = 1 << 18


class BodyFault(enum.Enum):
    """What is wrong with a body; OVERLOADED says that nothing is, and that coming back later helps."""

    TOO_LARGE = "the body is too large"
    TOO_SLOW = "the body took too long to arrive"
    CUT_SHORT = "the body was cut short"
    NOT_UTF8 = "the body is not UTF-8"
    NOT_JSON = "the body is not JSON"
    TOO_DEEP = "the body is nested too deeply"
    TOO_MANY_VALUES = "the body holds too many values"
    DUPLICATE_KEY = "the body has a key twice"
    OVERLOADED = "too many requests are under way"


class BodyError(Exception):
    """`str()` of it is fit for clients: it says what is wrong and quotes nothing that came."""

    def __init__(self, kind: BodyFault, message: str = "") -> None:
        super().__init__(message or kind.value)
        self.kind = kind


class Bodies:
    """Counts the bytes of all bodies that are read or being answered, and of large answers until they leave.

    Refuses more than `max_bytes`.
    """

    def __init__(self, max_bytes: int = 256 << 20) -> None:
        self._max_bytes = max_bytes
        self.bytes = 0

    def take(self, scope: Scope, count: int) -> None:
        if self.bytes + count > self._max_bytes:
            raise BodyError(BodyFault.OVERLOADED)
        self.bytes += count
        scope["body_bytes"] = scope.get("body_bytes", 0) + count

    def free(self, scope: Scope) -> None:
        """Once a request is answered."""
        self.bytes -= scope.pop("body_bytes", 0)


class Spelled(float):
    """A number with a fraction or an exponent, and how JSON spelled it: `1.10`, `1e3`."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Spelled:
        number = super().__new__(cls, text)
        if not math.isfinite(number):
            raise BodyError(BodyFault.NOT_JSON, "the body holds a number that is out of range")
        number.text = text
        return number


async def read_body(request: Request, *, limit: int = MAX_BODY_BYTES, seconds: float = BODY_SECONDS) -> bytes:
    """The whole body. Raises BodyError when it is too large, comes too slowly, or ends early."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise BodyError(BodyFault.TOO_LARGE)
    try:
        async with asyncio.timeout(seconds):
            return await _read(request, limit)
    except TimeoutError:
        raise BodyError(BodyFault.TOO_SLOW) from None


async def _read(request: Request, limit: int) -> bytes:
    scope, receive = request.scope, request.receive
    bodies: Bodies | None = scope.get("bodies")
    first, rest = b"", bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise BodyError(BodyFault.CUT_SHORT)
        piece: bytes = message.get("body", b"")
        if len(first) + len(rest) + len(piece) > limit:
            raise BodyError(BodyFault.TOO_LARGE)
        if bodies is not None:
            bodies.take(scope, len(piece))
        # Most bodies come in one piece, and are not copied.
        if first:
            rest += piece
        else:
            first = piece
        if not message.get("more_body"):
            return first + rest if rest else first


def parse_json(raw: bytes) -> Any:
    """Strict JSON: UTF-8, no key twice in an object, no NaN or Infinity; 64 levels and 2^18 values at most.

    Whole numbers stay whole however big they are; others are `Spelled`. A byte order mark is passed over
    (RFC 8259 §8.1).
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BodyError(BodyFault.NOT_UTF8) from None
    if len(text) > MAX_VALUES and _has_too_many_values(text):
        raise BodyError(BodyFault.TOO_MANY_VALUES)
    try:
        value = _decode(text)
    except RecursionError:
        raise BodyError(BodyFault.TOO_DEEP) from None
    except ValueError:
        # JSONDecodeError, and whole numbers of more digits than Python reads.
        raise BodyError(BodyFault.NOT_JSON) from None
    # Without so many brackets it cannot be too deep; without such an escape no half of a pair can be in it.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise BodyError(BodyFault.TOO_DEEP)
    if "\\ud" in text or "\\uD" in text:
        _refuse_half_pairs(value)
    return value


def _has_too_many_values(text: str) -> bool:
    """Whether making them would take the process's time and memory: each costs a hundred times its bytes."""
    if _marks(text) <= MAX_VALUES:
        return False
    # Long texts are full of commas, too: those within quotes do not count.
    outside = text.replace("\\\\", "").replace('\\"', "").split('"', 4 * MAX_VALUES)[::2]
    return len(outside) > 2 * MAX_VALUES or sum(map(_marks, outside)) > MAX_VALUES


def _marks(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise BodyError(BodyFault.DUPLICATE_KEY)
    return made


def _constant(_: str) -> None:
    raise BodyError(BodyFault.NOT_JSON)


_decode = json.JSONDecoder(object_pairs_hook=_object, parse_float=Spelled, parse_constant=_constant).decode


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while True:
        level = [item for item in level if isinstance(item, dict | list)]
        if not level:
            return depth
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]


def _refuse_half_pairs(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BodyError(BodyFault.NOT_UTF8, "the body holds half of a surrogate pair") from None
