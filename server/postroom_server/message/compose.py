"""The bytes of a mail (RFC 5322, MIME): the same for the same letter, always.

Direct composition, not the standard library's EmailMessage: that costs fifty times as much, lets encoded line
ends become headers (security.md A2), and changes its output between releases.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from postroom_server.message import header
from postroom_server.message.entity import (
    Attachment,
    EncodedAttachment,
    EncodedBody,
    Entity,
    encode_attachment,
    encode_body,
)
from postroom_server.message.finished import check_finished
from postroom_server.message.letter import Letter
from postroom_server.message.unsafe import UnsafeContent, check_text

__all__ = [
    "Attachment",
    "Composed",
    "EncodedAttachment",
    "EncodedBody",
    "Letter",
    "UnsafeContent",
    "check_finished",
    "compose",
    "encode_attachment",
    "encode_body",
]

# Not whether these are valid: whether they can break out of their header.
_ADDRESS = re.compile(r'[^\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff<>()\[\]\\,;:"@]+@[A-Za-z0-9.-]+')
_MESSAGE_ID = re.compile(r"[!-;=?-~]{1,900}")


class Composed(NamedTuple):
    """A finished mail. `smtputf8` and `eight_bit` say what the server must offer to be given it."""

    message: bytes
    smtputf8: bool
    eight_bit: bool


def compose(
    letter: Letter,
    body: EncodedBody | None = None,
    attachments: Sequence[EncodedAttachment] | None = None,
) -> Composed:
    """Writes a letter as the bytes that go to the server, without dot-stuffing.

    `body` and `attachments`, where given, stand in for the letter's own: encoded once for many recipients. A
    mail of a single text part ends with a line end, which is added when the text has none. Bcc is not part of
    a letter. Raises UnsafeContent, naming the field, for text that cannot stand in a header.
    """
    if body is None:
        body = encode_body(letter.html, letter.text)
    if attachments is None:
        attachments = [
            encode_attachment(attachment, f"attachments[{index}]")
            for index, attachment in enumerate(letter.attachments)
        ]
    _refuse_unsafe(letter)
    smtputf8 = not letter.has_ascii_addresses
    chunks = [_head(letter).encode("utf-8" if smtputf8 else "ascii"), *_content(letter, body, attachments)]
    if not chunks[-1].endswith(b"\r\n"):
        chunks.append(b"\r\n")
    return Composed(b"".join(chunks), smtputf8, eight_bit=False)


def _refuse_unsafe(letter: Letter) -> None:
    for field, value in (("subject", letter.subject), ("from_name", letter.from_name)):
        problem = check_text(value)
        if problem:
            raise UnsafeContent(field, problem)
    for field, address in letter.named_addresses():
        if not _ADDRESS.fullmatch(address) or "=?" in address:
            raise UnsafeContent(field, "is not a parsed address")
    if not _MESSAGE_ID.fullmatch(letter.message_id) or "=?" in letter.message_id:
        raise UnsafeContent("message_id", "is not a message id")
    for name, value in letter.headers:
        problem = header.check_header(name, value)
        if problem:
            raise UnsafeContent(f"headers[{name}]", problem)


def _head(letter: Letter) -> str:
    lines = [
        f"Date: {header.date(letter.date)}\r\n",
        header.mailbox("From", letter.from_name, letter.from_address),
        # A mail to hidden recipients only still says so: some filters distrust mails without To.
        header.mailboxes("To", letter.to) if letter.to else "To: undisclosed-recipients:;\r\n",
    ]
    if letter.cc:
        lines.append(header.mailboxes("Cc", letter.cc))
    if letter.reply_to:
        lines.append(header.mailboxes("Reply-To", letter.reply_to))
    lines.append(header.text("Subject", letter.subject))
    lines.append(f"Message-ID: <{letter.message_id}>\r\n")
    lines += [header.custom(name, value) for name, value in letter.headers]
    lines.append("MIME-Version: 1.0\r\n")
    return "".join(lines)


def _content(letter: Letter, body: EncodedBody, attachments: Sequence[EncodedAttachment]) -> list[bytes]:
    """The body's entity, in chunks, each level only where it is needed.

    multipart/mixed of the files and multipart/alternative, which is of the text and multipart/related, which
    is of the HTML and its images.
    """
    entities = [entity for entity in (body.text, body.html) if entity is not None]
    if not attachments and len(entities) == 1:
        return [entities[0].octets]
    boundary = _boundary(letter.message_id, entities)
    inline = [a.inline for a in attachments if a.inline is not None and body.html is not None]
    others = [a.attached for a in attachments if a.inline is None or body.html is None]
    parts = [[entity.octets] for entity in entities]
    if inline:
        related = [parts.pop(), *([entity.octets] for entity in inline)]
        parts.append(_multipart('related;\r\n type="text/html"', f"{boundary}r", related))
    if len(parts) > 1:
        parts = [_multipart("alternative", f"{boundary}a", parts)]
    if others:
        parts = [_multipart("mixed", f"{boundary}m", [*parts, *([entity.octets] for entity in others)])]
    return parts[0]


def _multipart(subtype: str, boundary: str, parts: Iterable[list[bytes]]) -> list[bytes]:
    delimiter = f"\r\n--{boundary}\r\n".encode("ascii")
    chunks = [f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n'.encode("ascii")]
    for part in parts:
        chunks.append(delimiter)
        chunks += part
    chunks.append(f"\r\n--{boundary}--".encode("ascii"))
    return chunks


def _boundary(message_id: str, entities: Iterable[Entity]) -> str:
    """What the boundaries of a message begin with: made of its id, and found in none of its parts.

    "=_" occurs in no quoted-printable, where "=" precedes a hex digit or a line end, and in no base64: only
    7bit text has to be searched.
    """
    suspects = [entity.octets for entity in entities if entity.may_hold_boundary]
    seed = message_id
    while True:
        boundary = f"=_{hashlib.sha256(seed.encode()).hexdigest()[:32]}"
        if not any(boundary.encode("ascii") in octets for octets in suspects):
            return boundary
        seed += "+"
