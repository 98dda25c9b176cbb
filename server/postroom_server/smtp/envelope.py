"""An envelope: whom a message is from, whom it goes to, and its finished bytes."""

from __future__ import annotations

import dataclasses
import re

from postroom_server.crlf import CrlfText
from postroom_server.record import record


@record
class Envelope:
    """What one transaction carries. Raises ValueError for anything that could change meaning on the wire.

    Callers check addresses and compose clean messages; this is the last line of defence, not the first.
    """

    sender: str  # "" is the null reverse-path
    recipients: tuple[str, ...]
    # Not dot-stuffed. Looked at here unless it is CrlfText already.
    message: bytes = dataclasses.field(repr=False)
    smtputf8: bool = False  # an address or a header is not ASCII (RFC 6531)
    eight_bit: bool = False  # the message is not ASCII

    def __post_init__(self) -> None:
        if not self.recipients:
            raise ValueError("an envelope needs a recipient")
        _check_address(self.sender, self.smtputf8)
        for recipient in self.recipients:
            if not recipient:
                raise ValueError("a recipient is empty")
            _check_address(recipient, self.smtputf8)
        if not isinstance(self.message, CrlfText):
            CrlfText(self.message)
        if not self.eight_bit and not self.message.isascii():
            raise ValueError("a message is not ASCII and the envelope does not say eight_bit")


def stuffed(message: bytes) -> bytes:
    """The message as DATA carries it: leading dots doubled, and the final dot (RFC 5321 §4.5.2)."""
    body = message.replace(b"\r\n.", b"\r\n..")
    if body.startswith(b"."):
        body = b"." + body
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    return body + b".\r\n"


def _check_address(address: str, smtputf8: bool) -> None:
    # `"a> ORCPT=x"@d` and `a@x> NOTIFY=NEVER` would add parameters, a line end would add commands.
    if _FORBIDDEN.search(address) or not address.isprintable():
        raise ValueError("an address contains a space, an angle bracket or a control character")
    if not smtputf8 and not address.isascii():
        raise ValueError("an address is not ASCII and the envelope does not ask for SMTPUTF8")


_FORBIDDEN = re.compile(r"[\s<>\x00-\x1f\x7f]")
