"""MIME entities: bodies and attachments encoded once, to be used in many messages."""

from __future__ import annotations

import dataclasses
import re

from postroom_server.message import header, transfer
from postroom_server.message.unsafe import UnsafeContent, check_text
from postroom_server.record import record

MAX_FILE_NAME_LENGTH = 255

_WORD = r"[A-Za-z0-9!#$&^_.+-]{1,127}"  # RFC 6838 §4.2
_PARAMETER = rf'{_WORD}=(?:{_WORD}|"[A-Za-z0-9 !#$&^_.+:/-]{{0,60}}")'
_CONTENT_TYPE = re.compile(rf"({_WORD})/{_WORD}(?:; ?{_PARAMETER}){{0,4}}")
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,200}")


@dataclasses.dataclass(frozen=True, slots=True)
class Attachment:
    """A file to send along. With a `content_id` (no brackets) the HTML can show it, as `cid:` and that id."""

    name: str
    content_type: str
    content: bytes = dataclasses.field(repr=False)
    content_id: str | None = None


@record
class Entity:
    """A part ready to stand in a message: its headers, an empty line, its content."""

    octets: bytes = dataclasses.field(repr=False)
    may_hold_boundary: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedAttachment:
    """An attachment as entities. `inline` shows it inside the HTML, `attached` where there is none."""

    attached: Entity
    inline: Entity | None


@record
class EncodedBody:
    """The text part and the HTML part. Never both None."""

    text: Entity | None
    html: Entity | None


def encode_body(html: str | None, text: str | None) -> EncodedBody:
    """Encodes what all recipients of a mail read. With neither, the body is an empty text."""
    if html is None:
        return EncodedBody(_text_entity("plain", text or ""), None)
    return EncodedBody(None if text is None else _text_entity("plain", text), _text_entity("html", html))


def encode_attachment(attachment: Attachment, field: str = "attachment") -> EncodedAttachment:
    """Encodes an attachment. Raises UnsafeContent, naming `field`, for what cannot stand in its headers."""
    name, content_id = attachment.name, attachment.content_id
    problem = check_text(name)
    if problem or len(name) > MAX_FILE_NAME_LENGTH:
        raise UnsafeContent(f"{field}.name", problem or f"is longer than {MAX_FILE_NAME_LENGTH} characters")
    content_type = attachment.content_type or "application/octet-stream"
    declared = _CONTENT_TYPE.fullmatch(content_type)
    if not declared:
        raise UnsafeContent(f"{field}.content_type", "is not a media type such as image/png")
    if declared[1].lower() in ("multipart", "message"):
        # RFC 2046 §5: these may not be base64, and readers would take what is inside for parts of this mail.
        content_type = "application/octet-stream"
    encoding, content = transfer.encode_bytes(attachment.content)
    head = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n"
    if content_id is None:
        return EncodedAttachment(_attached(head, "attachment", name, content), None)
    if not _CONTENT_ID.fullmatch(content_id) or "=?" in content_id:
        raise UnsafeContent(f"{field}.content_id", "is not a content id")
    head += f"Content-ID: <{content_id}>\r\n"
    return EncodedAttachment(
        _attached(head, "attachment", name, content), _attached(head, "inline", name, content)
    )


def _attached(head: str, kind: str, name: str, content: bytes) -> Entity:
    return Entity(f"{head}{header.disposition(kind, name)}\r\n".encode("ascii") + content)


def _text_entity(subtype: str, text: str) -> Entity:
    encoding, content = transfer.encode_text(text, "html" if subtype == "html" else "text")
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return Entity(head.encode("ascii") + content, may_hold_boundary=encoding == "7bit")
