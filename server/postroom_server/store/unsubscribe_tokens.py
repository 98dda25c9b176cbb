"""The tokens of unsubscribe links: sealed, so that a link says nothing to others and needs no row (ADR 0015).

A token is the first octets of the key's id, a tag, a box and a version, in URL-safe base64. The tag is an
HMAC-SHA-256 over all that the token says, cut to 128 bits. The box is that, encrypted with AES-256 in counter
mode that begins at the tag: the construction of SIV (RFC 5297), with HMAC as its pseudo-random function. The
same mail to the same reader has the same token each time: the bytes of a mail do not change between attempts.

The version stands last and makes the last character a letter: programs that look for links in plain text may
leave a dash at the end out.
"""

from __future__ import annotations

import base64
import dataclasses
import hmac
import re
import struct
from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from postroom_server.message.address import MAX_OCTETS
from postroom_server.store.sealing import DataKey

_VERSION = b"\x01"
_KEY_ID_OCTETS = 4
_TAG_OCTETS = 16
# Tenant and email; behind them stands the address.
_FIXED = struct.Struct(">QQ")
# Boxes of few sizes do not tell the length of an address.
_STEP = 48
_MOST_BOX_OCTETS = -(-(_FIXED.size + MAX_OCTETS) // _STEP) * _STEP

_SPELLING = re.compile(r"[A-Za-z0-9_-]+")

# All sizes are multiples of three octets: no token has characters with bits to spare.
MOST_CHARACTERS = (_KEY_ID_OCTETS + _TAG_OCTETS + _MOST_BOX_OCTETS + len(_VERSION)) * 4 // 3


@dataclasses.dataclass(frozen=True, slots=True)
class Subscriber:
    """Whom a link unsubscribes, from whose mail, and the email that it stood in."""

    tenant_id: int
    email_id: int
    address: str


class UnsubscribeTokens:
    """Makes tokens with `key`; reads those made with any of `kept` as well: keys that were rotated out."""

    def __init__(self, key: DataKey, kept: Iterable[DataKey] = ()) -> None:
        self._own = _Sealing(key)
        self._by_key_id = {sealing.key_id: sealing for sealing in (*map(_Sealing, kept), self._own)}

    def token(self, subscriber: Subscriber) -> str:
        plain = _FIXED.pack(subscriber.tenant_id, subscriber.email_id) + subscriber.address.encode()
        # No address has a NUL in it, so that what fills up the box can be told from what it holds.
        plain += bytes(-len(plain) % _STEP)
        return base64.urlsafe_b64encode(self._own.seal(plain)).decode("ascii")

    def read(self, token: str) -> Subscriber | None:
        """Whom the token means, or None for anything that was not made here, to the last character."""
        sealed = _octets(token)
        sealing = self._by_key_id.get(sealed[:_KEY_ID_OCTETS])
        plain = sealing.open(sealed) if sealing is not None else None
        if plain is None:
            return None
        tenant_id, email_id = _FIXED.unpack_from(plain)
        return Subscriber(tenant_id, email_id, plain[_FIXED.size :].rstrip(b"\0").decode())


class _Sealing:
    """One data key's two keys for this purpose."""

    def __init__(self, key: DataKey) -> None:
        self.key_id = bytes.fromhex(key.key_id)[:_KEY_ID_OCTETS]
        self._tag_key = key.derive("unsubscribe-tags")
        self._box_key = key.derive("unsubscribe-boxes")

    def seal(self, plain: bytes) -> bytes:
        tag = self._tag(plain)
        return self.key_id + tag + self._crypt(tag, plain) + _VERSION

    def open(self, sealed: bytes) -> bytes | None:
        cut = _KEY_ID_OCTETS + _TAG_OCTETS
        tag, box, version = sealed[_KEY_ID_OCTETS:cut], sealed[cut:-1], sealed[-1:]
        if version != _VERSION or not _FIXED.size < len(box) <= _MOST_BOX_OCTETS:
            return None
        plain = self._crypt(tag, box)
        return plain if hmac.compare_digest(tag, self._tag(plain)) else None

    def _tag(self, plain: bytes) -> bytes:
        return hmac.digest(self._tag_key, _VERSION + plain, "sha256")[:_TAG_OCTETS]

    def _crypt(self, tag: bytes, octets: bytes) -> bytes:
        return Cipher(algorithms.AES(self._box_key), modes.CTR(tag)).encryptor().update(octets)


def _octets(token: str) -> bytes:
    """What a token's characters stand for; nothing where there is a character that no token has."""
    if len(token) > MOST_CHARACTERS or len(token) % 4 or not _SPELLING.fullmatch(token):
        return b""
    return base64.urlsafe_b64decode(token)
