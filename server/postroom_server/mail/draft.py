"""What a caller asks to send, before anything was checked."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from postroom_server.clock import Millis
from postroom_server.mail.audience import Audience
from postroom_server.message import media_type
from postroom_server.record import record
from postroom_server.refusals import Violation


class CopyMode(enum.StrEnum):
    SEPARATE = "SEPARATE"  # one message per recipient
    SHARED = "SHARED"  # one message, every To visible


@record
class TemplateBody:
    """A stored template: by name, or (invoke_name empty) by the draft's business key."""

    invoke_name: str = ""
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    recipient_params: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    ignores_unknown: bool = False  # passes over parameters that no variable takes


@record
class CustomBody:
    html: str = ""
    text: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """An attachment: bytes, or (content None) the address to fetch it from."""

    name: str
    content_type: str = ""
    content_id: str = ""
    content: bytes | None = None
    url: str = ""

    @property
    def media_type(self) -> str:
        """The type as given, else by the name."""
        return self.content_type or media_type.guess(self.name)


@record
class Draft:
    """A SendEmail request in the product's words. Empty strings mean unset."""

    _: dataclasses.KW_ONLY
    body: TemplateBody | CustomBody | None
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    request_id: str = ""
    fingerprint: bytes = b""
    out_id: str = ""
    biz_key: str = ""
    language: str = ""
    subject: str = ""
    from_address: str = ""
    from_name: str = ""
    reply_to: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    schedule_time: Millis | None = None
    expire_time: Millis | None = None
    urgent: bool = False
    copy_mode: CopyMode = CopyMode.SEPARATE
    at_most_once: bool = False
    ignore_suppression: bool = False
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    sender_user_id: int | None = None  # None: the token's
    tenant_id: int | None = None  # None: the caller's own
    audience: Audience | None = None  # who gets it where `to` is empty
    has_verification: bool = False
    validity: Millis | None = None  # of the code; None: the template's, else the setting's
    validate_only: bool = False
    unreadable: tuple[Violation, ...] = ()  # what could not be said in the fields above

    @property
    def has_audience(self) -> bool:
        return self.audience is not None
