"""The rows of accepted mail: built as tuples, written by statements compiled once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from postroom_server.clock import Millis
from postroom_server.mail import accepted_files
from postroom_server.mail.audience import KeptAudience
from postroom_server.mail.caller import Caller
from postroom_server.mail.checks import Checked
from postroom_server.mail.copies import Copy
from postroom_server.mail.delivery_rows import DELIVERY, Row, new_delivery
from postroom_server.mail.draft import CopyMode, CustomBody, Draft
from postroom_server.mail.param_checks import as_json
from postroom_server.mail.senders import Sender
from postroom_server.mail.template_choice import ChosenTemplate
from postroom_server.message.address import key as key_of
from postroom_server.record import record
from postroom_server.store import history
from postroom_server.store.codes import fresh_nonce
from postroom_server.store.models import (
    AudienceState,
    Code,
    Content,
    DeliveryState,
    Email,
    EmailState,
    Expansion,
    Lane,
    Preparation,
    Recipient,
    RecipientState,
    Role,
)
from postroom_server.store.statement import Insert, insert

# Plain strings and numbers, looked up once: the driver takes subclasses by a longer way.
_PENDING, _OPEN = EmailState.PENDING.value, RecipientState.OPEN.value
_READY, _PREPARING = DeliveryState.READY.value, DeliveryState.PREPARING.value
_EXPANDING = AudienceState.EXPANDING.value
_ROLES = {role: role.value for role in Role}

_EMAIL = Insert(
    Email,
    [
        Email.id, Email.tenant_id, Email.token_id, Email.sender_user_id, Email.out_id, Email.biz_key,
        Email.language, Email.template_language, Email.invoke_name, Email.template_version_id, Email.html,
        Email.subject, Email.subject_prefix, Email.from_address, Email.from_name, Email.reply_to,
        Email.ignore_suppression, Email.separate, Email.at_most_once, Email.urgent, Email.test,
        Email.verification, Email.validity, Email.labels, Email.headers, Email.state,
        Email.recipient_count, Email.open_count, Email.delivered_count,
        Email.refused_count, Email.expired_count, Email.cancelled_count, Email.suppressed_count,
        Email.unknown_count, Email.bounced_count, Email.ambiguous_count, Email.accept_time,
        Email.schedule_time, Email.expire_time, Email.expire_fixed, Email.audience, Email.audience_state,
        Email.audience_found,
    ],
)  # fmt: skip
_CONTENT = insert(Content)
_RECIPIENT = Insert(
    Recipient,
    [
        Recipient.id, Recipient.tenant_id, Recipient.email_id, Recipient.delivery_id, Recipient.role,
        Recipient.address, Recipient.state,
    ],
)  # fmt: skip
_PREPARATION = insert(Preparation)
_EXPANSION = insert(Expansion)
_CODE = insert(Code)


@record
class EmailRows:
    email_id: int
    tenant_id: int
    accept_time: Millis
    due: Millis
    email: Row
    content: Row
    deliveries: list[Row]
    recipients: list[Row]
    codes: list[Row]
    files: list[accepted_files.FileRow]
    preparation: Row | None  # while a file is still to be fetched
    expansion: Row | None = None  # while an audience is still to be looked up


def build(
    checked: Checked,
    *,
    ids: Iterator[int],
    tenant_id: int,
    caller: Caller,
    out_id: str,
    sender: Sender,
    template: ChosenTemplate | None,
    language: str,
    copies: Sequence[Copy],
    lane: Lane,
    now: Millis,
    due: Millis,
    expire_time: Millis,
    run_at: Millis | None = None,
    code_key_id: str | None = None,
    validity: Millis | None = None,
) -> EmailRows:
    """Lays out every row of one accepted email. `ids` gives growing ids: email, deliveries, recipients.

    `due` is also the Date of its messages; `run_at`, where given, keeps the engine away until then. With
    `code_key_id` every To address gets a verification code, derived from that key and a fresh nonce.
    """
    draft = checked.draft
    body = draft.body
    custom = body if isinstance(body, CustomBody) else None
    email_id = next(ids)
    count = sum(len(copy.recipients) for copy in copies)
    email = (
        email_id, tenant_id, caller.token_id, _sender_user(draft.sender_user_id, caller), out_id,
        draft.biz_key or None, language, template.language if template else None,
        template.invoke_name if template else None, template.version_id if template else None,
        template.html if template else bool(custom and custom.html), draft.subject or None,
        sender.subject_prefix, sender.address, sender.name,
        as_json(checked.reply_to) if checked.reply_to else None,
        draft.ignore_suppression, _is_separate(draft),
        draft.at_most_once, draft.urgent,
        caller.test, draft.has_verification, validity, as_json(dict(draft.labels)) if draft.labels else None,
        as_json(dict(draft.headers)) if draft.headers else None, _PENDING, count, count,
        0, 0, 0, 0, 0, 0, 0, 0, now, draft.schedule_time, expire_time, draft.expire_time is not None,
        *_audience(checked),
    )  # fmt: skip
    content = (
        email_id,
        tenant_id,
        (custom.html or None) if custom else None,
        (custom.text or None) if custom else None,
        checked.params_json,
        as_json(checked.recipient_params) if checked.recipient_params else None,
    )
    domain = sender.address.rpartition("@")[2]
    waits = any(file.content is None for file in draft.files)
    state = _PREPARING if waits else _READY
    deliveries: list[Row] = []
    recipients: list[Row] = []
    codes: list[Row] = []
    for position, copy in enumerate(copies):
        delivery_id = next(ids)
        deliveries.append(
            new_delivery(
                delivery_id,
                tenant_id,
                email_id,
                lane=int(lane),
                position=position,
                domain=domain,
                date_time=due,
                # Two codes in one inbox confuse; an outcome that is lost must not send a second mail.
                at_most_once=draft.at_most_once or draft.has_verification,
                state=state,
                run_at=due if run_at is None else run_at,
                expire_time=expire_time,
            )
        )
        role, address = copy.recipients[0]
        if code_key_id is not None and role is Role.TO:
            codes.append(
                (
                    next(ids),
                    tenant_id,
                    draft.biz_key,
                    key_of(address),
                    email_id,
                    delivery_id,
                    fresh_nonce(),
                    code_key_id,
                    validity,
                    now,
                    None,
                    None,
                )
            )
        recipients.extend(
            (next(ids), tenant_id, email_id, delivery_id, _ROLES[role], address, _OPEN)
            for role, address in copy.recipients
        )
    files = accepted_files.rows(tenant_id, email_id, draft.files, ids)
    preparation = (email_id, tenant_id, int(lane), now, 0) if waits else None
    expansion = None
    if draft.audience is not None:
        # Behind files that are still to be fetched: who cannot have them need not be looked up.
        expansion = (email_id, tenant_id, expire_time if waits else due, 0, 0, False)
    return EmailRows(
        email_id,
        tenant_id,
        now,
        due,
        email,
        content,
        deliveries,
        recipients,
        codes,
        files,
        preparation,
        expansion,
    )


def store(accepted: Sequence[EmailRows]) -> None:
    """Writes every row of these emails, and the event that says they were accepted."""
    _EMAIL.many([rows.email for rows in accepted])
    _CONTENT.many([rows.content for rows in accepted])
    DELIVERY.many([row for rows in accepted for row in rows.deliveries])
    _RECIPIENT.many([row for rows in accepted for row in rows.recipients])
    _CODE.many([row for rows in accepted for row in rows.codes])
    history.append(
        [
            history.event(
                rows.tenant_id, history.Kind.EMAIL_ACCEPTED, rows.accept_time, email_id=rows.email_id
            )
            for rows in accepted
        ]
    )
    accepted_files.store([row for rows in accepted for row in rows.files])
    _PREPARATION.many([rows.preparation for rows in accepted if rows.preparation is not None])
    _EXPANSION.many([rows.expansion for rows in accepted if rows.expansion is not None])


def _is_separate(draft: Draft) -> bool:
    return draft.has_verification or draft.has_audience or draft.copy_mode is CopyMode.SEPARATE


def _audience(checked: Checked) -> tuple[str | None, str | None, int | None]:
    audience = checked.draft.audience
    if audience is None:
        return None, None, None
    return KeptAudience(audience, checked.cc, checked.bcc).as_json(), _EXPANDING, 0


def _sender_user(named: int | None, caller: Caller) -> int:
    return caller.user_id if named is None else named
