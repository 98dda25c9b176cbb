"""Verification codes: derived from a row's nonce and the deployment's key, never stored (security.md D4)."""

from __future__ import annotations

import enum
import hmac
import os
import zlib
from collections.abc import Iterable
from typing import NamedTuple

from postroom_server.store.models import bound
from postroom_server.store.sealing import DataKey
from postroom_server.store.statement import is_postgresql

NONCE_BYTES = 16
DIGITS = 6
MASK = "*" * DIGITS
_PURPOSE = "verification-codes"
_BUCKETS = 64  # of addresses, per tenant: a transaction never holds more locks than this


class CodeSeed(NamedTuple):
    """What a code is derived from, beside the key: other purpose, address or email, other code."""

    tenant_id: int
    biz_key: str
    address_key: str
    nonce: bytes
    email_id: int


def fresh_nonce() -> bytes:
    return os.urandom(NONCE_BYTES)


class CodeMaker:
    """Derives six digits by the dynamic truncation of HOTP (RFC 4226 §5.3) over HMAC-SHA-256."""

    def __init__(self, key: DataKey) -> None:
        self.key_id = key.key_id
        self._secret = key.derive(_PURPOSE)

    def code(self, seed: CodeSeed) -> str:
        digest = hmac.digest(self._secret, _message(seed), "sha256")
        offset = digest[-1] & 0x0F
        number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFF_FFFF
        return f"{number % 10**DIGITS:0{DIGITS}d}"


def _message(seed: CodeSeed) -> bytes:
    """Every part with its length in front, so that no two seeds run together."""
    parts = (
        str(seed.tenant_id).encode(),
        seed.biz_key.encode(),
        seed.address_key.encode(),
        seed.nonce,
        str(seed.email_id).encode(),
    )
    return b"".join(len(part).to_bytes(4) + part for part in parts)


class Turn(enum.IntEnum):
    """What is done one after the other for an address; the class of its PostgreSQL advisory locks."""

    SEND = 0x506F_0001
    GUESS = 0x506F_0002


def take_turn(turn: Turn, tenant_id: int, address_keys: Iterable[str]) -> None:
    """Waits until no other transaction counts sends, or guesses, for these addresses; holds until its end.

    Counting and then writing would otherwise let parallel calls each see a count without the others
    (security.md D2, D3). SQLite has one writer and needs no lock.
    """
    if not is_postgresql():
        return
    buckets = {zlib.crc32(key.encode()) % _BUCKETS for key in address_keys}
    if not buckets:
        return
    names = sorted(_signed(zlib.crc32(f"{tenant_id}/{bucket}".encode())) for bucket in buckets)
    # In one order, so that two batches of the same addresses wait for each other instead of dead-locking.
    bound.connection().execute(
        "SELECT pg_advisory_xact_lock(%s, name) FROM unnest(%s::int[]) AS name", (int(turn), names)
    )


def _signed(number: int) -> int:
    return number - (1 << 32) if number >> 31 else number
