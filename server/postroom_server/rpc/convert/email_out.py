"""Emails, recipients and attempts as messages, and pages of them."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any, TypeVar

from google.protobuf.message import Message

from postroom.v1 import (
    attachment_pb2,
    attempt_pb2,
    audience_pb2,
    email_pb2,
    email_service_pb2,
    recipient_pb2,
)
from postroom_server.mail.audience_progress import AudienceRecord
from postroom_server.mail.email_record import AttemptRecord, ContentRecord, EmailRecord, View
from postroom_server.mail.pages import Page
from postroom_server.mail.recipient_record import RecipientRecord
from postroom_server.rpc.convert.structs import struct_of
from postroom_server.rpc.convert.times import duration_of, optional_stamp, stamp_of

_Message = TypeVar("_Message", bound=Message)

# What the messages of a page may take together; the rest of 4 MiB is for the token and the totals.
PAGE_BYTES = (4 << 20) - 4096


def _words(wrapper: Any, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in wrapper.items()}


EMAIL_STATES = _words(email_pb2.EmailState, "EMAIL_STATE_")
RECIPIENT_STATES = _words(recipient_pb2.RecipientState, "RECIPIENT_STATE_")
OUTCOMES = _words(attempt_pb2.AttemptOutcome, "ATTEMPT_OUTCOME_")
PHASES = _words(attempt_pb2.SmtpPhase, "SMTP_PHASE_")
_DELIVERY_STATES = _words(recipient_pb2.DeliveryState, "DELIVERY_STATE_")
_ROLES = _words(recipient_pb2.RecipientRole, "RECIPIENT_ROLE_")
_FAILURES = _words(email_pb2.EmailFailure, "EMAIL_FAILURE_")
_AUDIENCE_TYPES = _words(audience_pb2.AudienceType, "AUDIENCE_TYPE_")
_VIEWS = {email_pb2.EMAIL_VIEW_BASIC: View.BASIC, email_pb2.EMAIL_VIEW_DETAIL: View.DETAIL}


def view_of(view: email_pb2.EmailView, default: View) -> View | None:
    """The view that was asked for; None when there is no such view."""
    return default if view == email_pb2.EMAIL_VIEW_UNSPECIFIED else _VIEWS.get(view)


def word(words: dict[str, Any], value: enum.StrEnum | str | None) -> Any:
    """The number of a word; that of UNSPECIFIED for none."""
    return 0 if value is None else words[str(value)]


def email_message(email: EmailRecord) -> email_pb2.Email:
    custom = not email.invoke_name
    return email_pb2.Email(
        id=email.id,
        tenant_id=email.tenant_id,
        sender_user_id=email.sender_user_id,
        out_id=email.out_id,
        biz_key=email.biz_key,
        body_kind=email_pb2.BODY_KIND_CUSTOM if custom else email_pb2.BODY_KIND_TEMPLATE,
        invoke_name=email.invoke_name,
        template_version=email.template_version,
        language=email.language,
        template_language=email.template_language,
        subject=email.subject,
        from_address=email.from_address,
        from_name=email.from_name,
        reply_to=email.reply_to,
        to=email.to,
        cc=email.cc,
        bcc=email.bcc,
        html=email.html,
        verification=email.verification,
        validity=duration_of(email.validity) if email.verification and email.validity else None,
        state=word(EMAIL_STATES, email.state),
        failure=word(_FAILURES, email.failure),
        failure_message=email.failure_message,
        accept_time=stamp_of(email.accept_time),
        schedule_time=optional_stamp(email.schedule_time),
        expire_time=stamp_of(email.expire_time),
        settle_time=optional_stamp(email.settle_time),
        urgent=email.urgent,
        copy_mode=email_pb2.COPY_MODE_SEPARATE if email.separate else email_pb2.COPY_MODE_SHARED,
        guarantee=(
            email_pb2.GUARANTEE_AT_MOST_ONCE if email.at_most_once else email_pb2.GUARANTEE_AT_LEAST_ONCE
        ),
        labels=email.labels,
        headers=email.headers,
        test=email.test,
        counts=recipient_pb2.RecipientCounts(
            total=email.counts.total,
            open=email.counts.open,
            delivered=email.counts.delivered,
            refused=email.counts.refused,
            expired=email.counts.expired,
            cancelled=email.counts.cancelled,
            suppressed=email.counts.suppressed,
            unknown=email.counts.unknown,
            bounced=email.counts.bounced,
        ),
        ambiguous_count=email.ambiguous_count,
        held_count=email.held_count,
        content=None if email.content is None else _content(email.content),
        recipients=[recipient_message(recipient) for recipient in email.recipients],
        attempts=[_attempt(attempt) for attempt in email.attempts],
        ignore_suppression=email.ignore_suppression,
        **_audience(email.audience),
    )


def _audience(record: AudienceRecord | None) -> dict[str, Any]:
    if record is None or record.audience.type is None:
        return {}
    unknown = record.unknown
    return {
        "audience": audience_pb2.Audience(
            type=_AUDIENCE_TYPES[record.audience.type],
            object_ids=record.audience.object_ids,
            policy_codes=record.audience.policy_codes,
        ),
        "audience_progress": audience_pb2.AudienceProgress(
            found=record.found,
            queued=record.found,
            done=record.done,
            complete=record.is_complete,
            unknown_object_ids=unknown.object_ids,
            unknown_policy_codes=unknown.policy_codes,
        ),
    }


def recipient_message(recipient: RecipientRecord) -> recipient_pb2.Recipient:
    return recipient_pb2.Recipient(
        id=recipient.id,
        email_id=recipient.email_id,
        delivery_id=recipient.delivery_id,
        address=recipient.address,
        role=word(_ROLES, recipient.role),
        state=word(RECIPIENT_STATES, recipient.state),
        code=recipient.code,
        enhanced_code=recipient.enhanced_code,
        reply=recipient.reply,
        tries=recipient.tries,
        settle_time=optional_stamp(recipient.settle_time),
        delivery_state=word(_DELIVERY_STATES, recipient.delivery_state),
        next_try_time=optional_stamp(recipient.next_try_time),
        message_id=recipient.message_id,
        user_id=recipient.user_id,
    )


def emails_response(page: Page[EmailRecord]) -> email_service_pb2.ListEmailsResponse:
    """A page of emails within 4 MiB. One that alone exceeds that comes as in BASIC; GetEmail has it all."""
    shown = _fitting(email_message(email) for email in page.items)
    if len(shown) == 1 and shown[0].ByteSize() > PAGE_BYTES:
        for field in ("content", "recipients", "attempts"):
            shown[0].ClearField(field)
    return email_service_pb2.ListEmailsResponse(
        emails=shown,
        next_page_token=_next(page, len(shown)),
        total_size=page.total_size,
        total_is_lower_bound=page.total_is_lower_bound,
    )


def recipients_response(page: Page[RecipientRecord]) -> email_service_pb2.ListRecipientsResponse:
    shown = _fitting(recipient_message(recipient) for recipient in page.items)
    return email_service_pb2.ListRecipientsResponse(
        recipients=shown,
        next_page_token=_next(page, len(shown)),
        total_size=page.total_size,
        total_is_lower_bound=page.total_is_lower_bound,
    )


def _next(page: Page[Any], shown: int) -> str:
    return page.token_after(shown - 1) if page.has_more or shown < len(page.items) else ""


def _fitting(messages: Iterable[_Message]) -> list[_Message]:
    """As many as fit into an answer, from the first on; at least one, if there is one."""
    room = PAGE_BYTES
    shown: list[_Message] = []
    for message in messages:
        room -= message.ByteSize() + 6  # its tag and length
        if room < 0 and shown:
            break
        shown.append(message)
    return shown


def _content(content: ContentRecord) -> email_pb2.EmailContent:
    return email_pb2.EmailContent(
        html=content.html,
        text=content.text,
        params=struct_of(content.params),
        recipient_params={address: struct_of(params) for address, params in content.recipient_params.items()},
        attachments=[
            attachment_pb2.AttachmentInfo(
                name=attachment.name,
                url=attachment.url,
                content_type=attachment.content_type,
                content_id=attachment.content_id,
                size_bytes=attachment.size,
                sha256=attachment.sha256,
            )
            for attachment in content.attachments
        ],
    )


def _attempt(attempt: AttemptRecord) -> attempt_pb2.Attempt:
    return attempt_pb2.Attempt(
        id=attempt.id,
        delivery_id=attempt.delivery_id,
        server_id=attempt.server_id,
        server_name=attempt.server_name,
        phase=word(PHASES, attempt.phase),
        outcome=word(OUTCOMES, attempt.outcome),
        code=attempt.code,
        enhanced_code=attempt.enhanced_code,
        reply=attempt.reply,
        tls_version=attempt.tls_version,
        start_time=stamp_of(attempt.start_time),
        end_time=stamp_of(attempt.end_time),
        accepted_count=attempt.accepted_count,
        refused_count=attempt.refused_count,
    )
