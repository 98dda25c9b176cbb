"""Secrets at rest: one data key per deployment, purposes derived from it, AES-GCM around each value.

security.md G1. The database keeps the key's id and a check value, never the key.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hmac
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_NONCE_BYTES = 12


class DataKeyError(Exception):
    """The data key is missing, malformed, readable by others, or not this database's."""


@dataclasses.dataclass(frozen=True, slots=True)
class DataKey:
    """The deployment's key. `key_id` is public; it names the key in the database and in sealed values."""

    key_id: str
    secret: bytes = dataclasses.field(repr=False)

    @staticmethod
    def fresh() -> DataKey:
        return _with_id(os.urandom(KEY_BYTES))

    @staticmethod
    def from_text(text: str) -> DataKey:
        """Reads the key from 64 hexadecimal digits or base64 of 32 bytes."""
        text = text.strip()
        try:
            secret = (
                bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
            )
        except (ValueError, binascii.Error):
            raise DataKeyError("the data key is neither hexadecimal nor base64") from None
        if len(secret) != KEY_BYTES:
            raise DataKeyError(f"the data key has {len(secret)} bytes, not {KEY_BYTES}")
        return _with_id(secret)

    @staticmethod
    def from_file(path: Path) -> DataKey:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise DataKeyError(f"{path} can be read by others; run: chmod 600 {path}")
        return DataKey.from_text(path.read_text(encoding="ascii", errors="replace"))

    @staticmethod
    def create_file(path: Path) -> DataKey:
        """Writes a fresh key to a new file of mode 0600, synced to disk before it is used."""
        key = DataKey.fresh()
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.secret.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        return key

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose (HKDF-SHA-256, RFC 5869)."""
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=purpose.encode()).derive(self.secret)

    def check_value(self) -> str:
        return hmac.digest(self.derive("check"), b"postroom", "sha256").hex()[:32]


def _with_id(secret: bytes) -> DataKey:
    derived = HKDF(hashes.SHA256(), 8, salt=None, info=b"key-id").derive(secret)
    return DataKey(derived.hex(), secret)


class Sealer:
    """Seals and opens values; a sealed value opens only in the table, column and row it was sealed for."""

    def __init__(self, key: DataKey) -> None:
        self._key_id = bytes.fromhex(key.key_id)
        self._cipher = AESGCM(key.derive("sealed-columns"))

    def seal(self, plain: str, *, table: str, column: str, row_id: int) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        place = f"{table}.{column}.{row_id}".encode()
        return self._key_id + nonce + self._cipher.encrypt(nonce, plain.encode(), place)

    def open(self, sealed: bytes, *, table: str, column: str, row_id: int) -> str:
        sealed = bytes(sealed)
        cut = len(self._key_id)
        if sealed[:cut] != self._key_id:
            raise DataKeyError(f"{table}.{column} of row {row_id} was sealed with another key")
        nonce, box = sealed[cut : cut + _NONCE_BYTES], sealed[cut + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, box, f"{table}.{column}.{row_id}".encode()).decode()
        except (InvalidTag, ValueError):  # ValueError: cut short
            raise DataKeyError(f"{table}.{column} of row {row_id} was tampered with") from None
