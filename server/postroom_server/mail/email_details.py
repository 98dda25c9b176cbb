"""Loads what only the detail of one email tells: its content, recipients and attempts."""

from __future__ import annotations

import json

import peewee

from postroom_server.mail.email_record import (
    AttachmentRecord,
    AttemptRecord,
    ContentRecord,
    EmailRecord,
    masked,
)
from postroom_server.mail.recipient_record import COLUMNS, RecipientRecord, of_row
from postroom_server.store.models import (
    Attachment,
    Attempt,
    Blob,
    Content,
    Delivery,
    MailServer,
    MemberCopy,
    Recipient,
)
from postroom_server.store.statement import Statement, bind

_MOST = 500  # recipients, and attempts

_CONTENT = Statement(
    lambda: Content.select(Content.html, Content.text, Content.params, Content.recipient_params).where(
        Content.email_id == bind("id")
    )
)
_ATTACHMENTS = Statement(
    lambda: (
        Attachment.select(
            Attachment.name,
            Attachment.url,
            Attachment.content_type,
            Attachment.content_id,
            Blob.size,
            Blob.sha256,
        )
        .join(Blob, peewee.JOIN.LEFT_OUTER, on=(Blob.id == Attachment.blob_id))
        .where(Attachment.email_id == bind("id"))
        .order_by(Attachment.position)
    )
)
_RECIPIENTS = Statement(
    lambda: (
        Recipient.select(*COLUMNS)
        .join(Delivery, on=(Delivery.id == Recipient.delivery_id))
        .join(MemberCopy, peewee.JOIN.LEFT_OUTER, on=(MemberCopy.delivery_id == Recipient.delivery_id))
        .where(Recipient.email_id == bind("id"))
        .order_by(Recipient.id)
        .limit(_MOST)
    )
)
_ATTEMPTS = Statement(
    lambda: (
        Attempt.select(
            Attempt.id, Attempt.delivery_id, Attempt.server_id, MailServer.name, Attempt.phase,
            Attempt.outcome, Attempt.code, Attempt.enhanced, Attempt.reply, Attempt.tls_version,
            Attempt.start_time, Attempt.end_time, Attempt.accepted_count, Attempt.refused_count,
        )
        .join(MailServer, peewee.JOIN.LEFT_OUTER, on=(MailServer.id == Attempt.server_id))
        .where(Attempt.email_id == bind("id"))
        .order_by(Attempt.id.desc())
        .limit(_MOST)
    )
)  # fmt: skip


def read_content(email: EmailRecord) -> ContentRecord | None:
    """What was sent; None once retention has removed it."""
    rows = _CONTENT.rows(id=email.id)
    if not rows:
        return None
    html, text, params, by_recipient = rows[0]
    shared = json.loads(params) if params else {}
    single = json.loads(by_recipient) if by_recipient else {}
    return ContentRecord(
        html="" if email.verification else html or "",
        text="" if email.verification else text or "",
        params=masked(shared) if email.verification else shared,
        recipient_params={a: masked(given) for a, given in single.items()} if email.verification else single,
        attachments=tuple(
            AttachmentRecord(
                name,
                url or "",
                media_type,
                content_id or "",
                size or 0,
                bytes(sha256).hex() if sha256 else "",
            )
            for name, url, media_type, content_id, size, sha256 in _ATTACHMENTS.rows(id=email.id)
        ),
    )


def read_recipients(email_id: int) -> tuple[RecipientRecord, ...]:
    """The first 500 by id."""
    return tuple(of_row(row) for row in _RECIPIENTS.rows(id=email_id))


def read_attempts(email_id: int) -> tuple[AttemptRecord, ...]:
    """The newest 500, oldest first."""
    return tuple(
        AttemptRecord(
            id=row[0],
            delivery_id=row[1],
            server_id=row[2] or 0,
            server_name=row[3] or "",
            phase=row[4],
            outcome=row[5],
            code=row[6] or 0,
            enhanced_code=row[7] or "",
            reply=row[8] or "",
            tls_version=row[9] or "",
            start_time=row[10],
            end_time=row[11],
            accepted_count=row[12],
            refused_count=row[13],
        )
        for row in reversed(_ATTEMPTS.rows(id=email_id))
    )


def weight(email: EmailRecord) -> int:
    """About how many bytes an email takes in an answer."""
    size = 500 + sum(len(address) + 2 for address in (*email.to, *email.cc, *email.bcc))
    size += sum(200 + len(r.address) + len(r.reply) + len(r.message_id) for r in email.recipients)
    size += sum(100 + len(attempt.reply) for attempt in email.attempts)
    if email.content is not None:
        body = email.content
        size += len(body.html) + len(body.text)
        size += sum(len(str(params)) for params in (body.params, *body.recipient_params.values()))
    return size
