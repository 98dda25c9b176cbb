"""Short ways to send something to a peer with the client under test."""

from __future__ import annotations

import dataclasses
from typing import Any

from peers.smtp_peer import SmtpPeer
from postroom_server.smtp import Connection, Endpoint, Envelope, Timeouts, TlsMode, Transaction

# Nothing waits as long as this unless it is broken.
PATIENCE = Timeouts(connect=5, banner=5, ehlo=5, mail=5, rcpt=5, data=5, chunk=5, dot=5, total=30)


def endpoint_of(peer: SmtpPeer, **changes: Any) -> Endpoint:
    """The peer's endpoint: plaintext unless said otherwise; `patience` holds changed timeouts."""
    patience = dataclasses.replace(PATIENCE, **changes.pop("patience", {}))
    settings = {"tls": TlsMode.OFF, "helo_name": "postroom.test", "timeouts": patience, **changes}
    return Endpoint("127.0.0.1", peer.port, **settings)


def envelope(*recipients: str, message: bytes = b"Subject: hi\r\n\r\nhello\r\n", **changes: Any) -> Envelope:
    return Envelope("me@postroom.test", recipients or ("you@peer.test",), message, **changes)


async def send(peer: SmtpPeer, what: Envelope | None = None, **changes: Any) -> Transaction:
    """One envelope on a connection of its own, which is gone afterwards."""
    connection = Connection(endpoint_of(peer, **changes))
    try:
        return await connection.send(what or envelope())
    finally:
        await connection.close()
