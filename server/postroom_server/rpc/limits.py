"""How big a call may be, on either transport."""

from __future__ import annotations

import dataclasses

KIB = 1024
MIB = 1024 * KIB


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """`message_bytes` of one request or answer; `metadata_bytes` of all metadata of a call."""

    message_bytes: int = 26 * MIB
    metadata_bytes: int = 16 * KIB
