"""Page tokens: a position in one list, sealed to the query it belongs to.

The seal is an HMAC over the query and the position, so a token that was changed and a token that is used
with another tenant, filter or order are equally unreadable. Its key derives from the deployment's data key:
tokens work on every process and after every restart.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from postroom_server.refusals import Reason, Refusal, Violation
from postroom_server.store.ordering import Position

_VERSION = b"\x01"
_SEAL_BYTES = 16
_MOST_CHARACTERS = 1024


class PageTokens:
    """Writes and reads tokens. `query` is anything that JSON can hold and that tells two queries apart."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def write(self, query: Any, position: Position) -> str:
        place = json.dumps(position, separators=(",", ":")).encode()
        return _text(_VERSION + self._seal(query, place) + place)

    def read(self, query: Any, token: str) -> Position:
        try:
            if len(token) > _MOST_CHARACTERS:
                raise ValueError
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (ValueError, binascii.Error):
            raise _invalid() from None
        seal, place = raw[1 : 1 + _SEAL_BYTES], raw[1 + _SEAL_BYTES :]
        if raw[:1] != _VERSION or not hmac.compare_digest(seal, self._seal(query, place)):
            raise _invalid()
        if _text(raw) != token:
            raise _invalid()  # base64 reads many spellings; we write one
        return tuple(json.loads(place))

    def _seal(self, query: Any, place: bytes) -> bytes:
        fingerprint = hashlib.sha256(json.dumps(query, separators=(",", ":")).encode()).digest()
        return hmac.digest(self._key, _VERSION + fingerprint + place, "sha256")[:_SEAL_BYTES]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _invalid() -> Refusal:
    text = "is unreadable, or of another query: repeat the filters and order it came with, or leave it out"
    violation = Violation("page_token", text, Reason.INVALID_PAGE_TOKEN)
    return Refusal(Reason.INVALID_PAGE_TOKEN, f"page_token: {text}", violations=[violation])
