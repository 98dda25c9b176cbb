"""Event cursors: a position in the stream, and the epoch of the stream it belongs to."""

from __future__ import annotations

import base64
import binascii
import struct
import zlib

from postroom_server.refusals import Reason, Refusal, Violation
from postroom_server.store.history import Position

_VERSION = 1
_LAYOUT = struct.Struct(">B8sQQ")
_CHECK = struct.Struct(">I")
_CHARACTERS = (_LAYOUT.size + _CHECK.size) * 4 // 3 + 1
_MOST_ID = (1 << 63) - 1


class Cursors:
    """Writes and reads the cursors of one stream. `epoch` is the database's, 16 hexadecimal digits.

    A cursor is no secret and grants nothing: the tenant of the call decides what is read. The checksum only
    keeps a cursor that was cut or mistyped from being another place.
    """

    def __init__(self, epoch: str) -> None:
        self._epoch = bytes.fromhex(epoch)

    def write(self, position: Position) -> str:
        return _text(_LAYOUT.pack(_VERSION, self._epoch, position.xid, position.id))

    def read(self, cursor: str) -> Position:
        """INVALID_CURSOR when it is none of ours, CURSOR_EXPIRED when its stream is gone."""
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)) if _fits(cursor) else b""
            version, epoch, xid, number = _LAYOUT.unpack(raw[: _LAYOUT.size])
        except (ValueError, binascii.Error, struct.error):
            raise _invalid() from None
        if version != _VERSION or max(xid, number) > _MOST_ID or _text(raw[: _LAYOUT.size]) != cursor:
            raise _invalid()
        if epoch != self._epoch:
            raise Refusal(
                Reason.CURSOR_EXPIRED,
                "the event stream was begun anew since this cursor, as a restore does; read from its start",
            )
        return Position(xid, number)


def _fits(cursor: str) -> bool:
    return len(cursor) <= _CHARACTERS and cursor.isascii()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw + _CHECK.pack(zlib.crc32(raw))).rstrip(b"=").decode()


def _invalid() -> Refusal:
    violation = Violation("cursor", "is unreadable", Reason.INVALID_CURSOR)
    return Refusal(Reason.INVALID_CURSOR, "cursor: is unreadable", violations=[violation])
