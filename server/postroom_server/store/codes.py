"""Verification codes: derived from a row's nonce and the deployment's key, never stored (security.md D4)."""

from __future__ import annotations

import hmac
import os
from typing import NamedTuple

from postroom_server.store.sealing import DataKey

NONCE_BYTES = 16
DIGITS = 6
MASK = "*" * DIGITS
_PURPOSE = "verification-codes"


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
