"""Whether a mail that came is the mail that was meant: sender, recipient, subject, text and page.

Most mails of a round are alike but for their number, so the full comparison, which takes a parser its
millisecond, is made once for each form and the others are compared with that form, octet by octet.
"""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage

from bench import mails

_BOUNDARY = re.compile(rb'boundary="?([^";\r\n]+)"?', re.IGNORECASE)
# What no two mails, or no two systems, have alike.
_OWN = re.compile(rb"^(?:received|date|message-id):.*\r\n(?:[ \t].*\r\n)*", re.IGNORECASE | re.MULTILINE)
# Shorter numbers occur elsewhere in a mail.
_LEAST_DIGITS = 6


class Evidence:
    """Remembers the forms that were found right."""

    def __init__(self) -> None:
        self._right: set[bytes] = set()

    def problem(self, number: int, message: bytes) -> str:
        """What is wrong with a mail as it was received; empty when nothing is."""
        form = _form(number, message)
        if form in self._right:
            return ""
        found = _difference(number, message)
        if not found and len(str(number)) >= _LEAST_DIGITS:
            self._right.add(form)
        return found


def _form(number: int, message: bytes) -> bytes:
    head, gap, body = message.partition(b"\r\n\r\n")
    head = _OWN.sub(b"", head + b"\r\n")
    form = head + gap + body
    for boundary in _BOUNDARY.findall(head):
        form = form.replace(boundary, b"=boundary=")
    # A soft line break of quoted-printable may stand within the number; taking it out decodes it.
    return form.replace(b"=\r\n", b"").replace(b"%d" % number, b"=number=")


def _difference(number: int, message: bytes) -> str:
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    sender = parsed["from"].addresses[0] if parsed["from"] and parsed["from"].addresses else None
    found = {
        "sender": (sender.addr_spec if sender else "", mails.SENDER),
        "sender's name": (sender.display_name if sender else "", mails.SENDER_NAME),
        "recipient": (str(parsed["to"] or ""), mails.address(number)),
        "subject": (str(parsed["subject"] or ""), mails.subject(number)),
        "text": (_part(parsed, "plain"), mails.text(number).strip()),
        "page": (_part(parsed, "html"), mails.html(number).strip()),
    }
    return ", ".join(
        f"{name} of {number} is {came[:60]!r}" for name, (came, meant) in found.items() if came != meant
    )


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n").strip() if part is not None else ""
