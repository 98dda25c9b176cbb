"""What is told of an email: the row, how its recipients stand, and in detail what was sent and tried."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from postroom_server.clock import Millis
from postroom_server.mail.audience_progress import AudienceRecord
from postroom_server.mail.recipient_record import RecipientRecord
from postroom_server.store.models import AudienceState, EmailState

CODE_PARAM = "verificationCode"
CODE_MASK = "******"


class View(enum.StrEnum):
    """How much of an email is told."""

    BASIC = "BASIC"
    DETAIL = "DETAIL"


class Failure(enum.StrEnum):
    """Why an email failed: the contract's EmailFailure, and the words of `email.failure_reason`."""

    RECIPIENTS = "RECIPIENTS"
    NO_RECIPIENTS = "NO_RECIPIENTS"
    ATTACHMENT = "ATTACHMENT"


@dataclasses.dataclass(frozen=True, slots=True)
class Counts:
    """How many recipients stand how."""

    total: int
    open: int
    delivered: int
    refused: int
    expired: int
    cancelled: int
    suppressed: int
    unknown: int
    bounced: int


@dataclasses.dataclass(frozen=True, slots=True)
class AttachmentRecord:
    name: str
    url: str
    content_type: str
    content_id: str
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True)
class ContentRecord:
    """What was sent. The bodies of mails with codes stay empty, and a code shows as asterisks."""

    html: str
    text: str
    params: Mapping[str, Any]
    recipient_params: Mapping[str, Mapping[str, Any]]
    attachments: tuple[AttachmentRecord, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class AttemptRecord:
    id: int
    delivery_id: int
    server_id: int
    server_name: str
    phase: str | None
    outcome: str
    code: int
    enhanced_code: str
    reply: str
    tls_version: str
    start_time: Millis
    end_time: Millis
    accepted_count: int
    refused_count: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EmailRecord:
    """One email. Empty strings and zeros mean what they mean in the contract."""

    id: int
    tenant_id: int
    sender_user_id: int
    out_id: str
    biz_key: str
    invoke_name: str  # "": a custom body
    template_version: int
    language: str
    template_language: str
    subject: str
    from_address: str
    from_name: str
    reply_to: tuple[str, ...]
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    html: bool
    verification: bool
    validity: Millis | None
    state: EmailState
    failure: Failure | None
    failure_message: str
    accept_time: Millis
    schedule_time: Millis | None
    expire_time: Millis
    settle_time: Millis | None
    urgent: bool
    separate: bool
    at_most_once: bool
    ignore_suppression: bool
    test: bool
    labels: Mapping[str, str]
    headers: Mapping[str, str]
    counts: Counts
    ambiguous_count: int
    held_count: int
    content: ContentRecord | None = None
    audience: AudienceRecord | None = None
    recipients: tuple[RecipientRecord, ...] = ()
    attempts: tuple[AttemptRecord, ...] = ()


_CUT_SHORT = {
    AudienceState.CANCELLED: "cancelled before its whole audience was found",
    AudienceState.EXPIRED: "time ran out before its whole audience was found",
}


def explain(failure: Failure | None, counts: Counts, audience: str | None = None) -> str:
    """A failure in words, such as `1 of 3 recipients not delivered: 1 refused`.

    `audience` is how the look-up of its audience has ended, if it has one.
    """
    if failure is None:
        return ""
    if failure is Failure.NO_RECIPIENTS:
        return "the audience held nobody"
    if failure is Failure.ATTACHMENT:
        return "an attachment could not be had"
    parts = ("refused", "expired", "cancelled", "suppressed", "unknown")
    told = [f"{number} {part}" for part in parts if (number := getattr(counts, part))]
    lost = counts.total - counts.delivered - counts.bounced
    text = f"{lost} of {counts.total} recipients not delivered: {', '.join(told)}"
    if audience not in (AudienceState.CANCELLED, AudienceState.EXPIRED):
        return text
    cut_short = _CUT_SHORT[AudienceState(audience)]
    return f"{cut_short}; {text}" if lost else cut_short


def masked(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a mail with codes, as they may be shown."""
    return {**params, CODE_PARAM: CODE_MASK}
