"""Commands: what is said of an envelope before its message, and why it may not be said at all."""

from __future__ import annotations

from postroom_server.smtp.capabilities import Capabilities
from postroom_server.smtp.envelope import Envelope
from postroom_server.smtp.reply import Reply


def commands_of(envelope: Envelope, offered: Capabilities) -> list[bytes]:
    """MAIL, a RCPT for each recipient, and DATA."""
    mail = f"MAIL FROM:<{envelope.sender}>"
    if offered.size:
        mail += f" SIZE={len(envelope.message)}"  # RFC 1870 §3: without the doubled dots
    if envelope.eight_bit:
        mail += " BODY=8BITMIME"
    if envelope.smtputf8:
        mail += " SMTPUTF8"
    recipients = [f"RCPT TO:<{address}>\r\n".encode() for address in envelope.recipients]
    return [f"{mail}\r\n".encode(), *recipients, b"DATA\r\n"]


def obstacle(envelope: Envelope, offered: Capabilities) -> Reply | None:
    """Why this server, by its own word, cannot take the message; told without asking it."""
    if offered.max_bytes and len(envelope.message) > offered.max_bytes:
        size = f"{len(envelope.message)} bytes are more than the server's limit of {offered.max_bytes}"
        return Reply(552, "5.3.4", f"not sent: {size}")
    if envelope.smtputf8 and not offered.smtputf8:
        return Reply(550, "5.6.7", "not sent: it needs SMTPUTF8, which the server does not offer")
    if envelope.eight_bit and not offered.eight_bit_mime:
        return Reply(554, "5.6.3", "not sent: it needs 8BITMIME, which the server does not offer")
    return None
