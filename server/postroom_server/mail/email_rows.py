"""Loads emails by id, with what every view tells of them out of other tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import peewee

from postroom_server.mail.audience import KeptAudience, Unknown
from postroom_server.mail.audience_progress import AudienceRecord, open_extras
from postroom_server.mail.email_record import (
    Counts,
    EmailRecord,
    Failure,
    explain,
)
from postroom_server.store.models import (
    AudienceState,
    Delivery,
    Email,
    EmailState,
    Recipient,
    Role,
    TemplateVariant,
    TemplateVersion,
)
from postroom_server.store.statement import Statement, as_list, bind, one_of

_Row = dict[str, Any]

_COLUMNS = [
    field
    for field in Email._meta.sorted_fields
    if field.name not in ("token_id", "audience_cursor", "delete_time")
]
_NAMES = [field.name for field in _COLUMNS]
_LOAD = Statement(
    lambda: Email.select(*_COLUMNS).where(
        one_of(Email.id, "ids") & (Email.tenant_id == bind("tenant_id")) & Email.delete_time.is_null()
    )
)
_ADDRESSES = Statement(
    lambda: (
        Recipient.select(Recipient.email_id, Recipient.role, Recipient.address)
        .where(one_of(Recipient.email_id, "ids"))
        .order_by(Recipient.email_id, Recipient.id)
    )
)
_HELD = Statement(
    lambda: (
        Delivery.select(Delivery.email_id, peewee.fn.COUNT(Delivery.id))
        .where(one_of(Delivery.email_id, "ids") & (Delivery.state == peewee.SQL("'HELD'")))
        .group_by(Delivery.email_id)
    )
)
_VERSIONS = Statement(
    lambda: TemplateVersion.select(TemplateVersion.id, TemplateVersion.number).where(
        one_of(TemplateVersion.id, "ids")
    )
)
_SUBJECTS = Statement(
    lambda: TemplateVariant.select(
        TemplateVariant.version_id, TemplateVariant.language, TemplateVariant.subject
    ).where(one_of(TemplateVariant.version_id, "ids"))
)


def load(ids: Sequence[int], tenant_id: int, *, most_addresses: int | None = None) -> list[EmailRecord]:
    """The tenant's emails of these ids, in their order; deleted, foreign and unknown ones are passed over.

    With `most_addresses` the list ends before the email, but the first, that would exceed it.
    """
    loaded = _LOAD.rows(ids=as_list(ids), tenant_id=tenant_id)
    by_id: dict[int, _Row] = {row[0]: dict(zip(_NAMES, row, strict=True)) for row in loaded}
    rows = _first_rows([by_id[i] for i in ids if i in by_id], most_addresses)
    addresses = _addresses(rows)
    held = dict(_HELD.rows(ids=as_list(r["id"] for r in rows if r["state"] == EmailState.PENDING)))
    versions = as_list({r["template_version_id"] for r in rows if r["template_version_id"] is not None})
    numbers = dict(_VERSIONS.rows(ids=versions))
    subjects = {(version, language): subject for version, language, subject in _SUBJECTS.rows(ids=versions)}
    audiences = _audiences(rows)
    return [
        _record(
            row,
            addresses.get(row["id"], {}),
            held.get(row["id"], 0),
            numbers.get(row["template_version_id"], 0),
            subjects.get((row["template_version_id"], row["template_language"]), ""),
            audiences.get(row["id"], (None, None)),
        )
        for row in rows
    ]


def _first_rows(rows: list[_Row], most_addresses: int | None) -> list[_Row]:
    if most_addresses is None:
        return rows
    room = most_addresses
    for i, row in enumerate(rows):
        room -= 0 if row["audience"] else row["recipient_count"]
        if room < 0:
            return rows[: max(i, 1)]
    return rows


def _addresses(rows: Sequence[_Row]) -> dict[int, dict[str, dict[str, None]]]:
    """By email and role, each address once: with separate copies Cc may travel with each of them."""
    found: dict[int, dict[str, dict[str, None]]] = {}
    # Whom an audience holds was not given as addresses; ListRecipients has them.
    given = as_list(row["id"] for row in rows if not row["audience"])
    for email_id, role, address in _ADDRESSES.rows(ids=given):
        found.setdefault(email_id, {}).setdefault(role, {})[address] = None
    return found


def _audiences(rows: Sequence[_Row]) -> dict[int, tuple[KeptAudience, AudienceRecord]]:
    kept = {row["id"]: KeptAudience.from_json(row["audience"]) for row in rows if row["audience"]}
    extras = open_extras([email_id for email_id, one in kept.items() if one.extras])
    return {
        row["id"]: (
            kept[row["id"]],
            AudienceRecord(
                kept[row["id"]].audience,
                found=row["audience_found"] or 0,
                done=(row["audience_found"] or 0) - row["open_count"] + extras.get(row["id"], 0),
                is_complete=row["audience_state"] == AudienceState.COMPLETE,
                unknown=Unknown.from_json(row["audience_unknown"]),
            ),
        )
        for row in rows
        if row["audience"]
    }


def _record(
    row: _Row,
    addresses: dict[str, dict[str, None]],
    held: int,
    version: int,
    template_subject: str,
    audience: tuple[KeptAudience, AudienceRecord] | tuple[None, None],
) -> EmailRecord:
    kept, progress = audience
    counts = Counts(
        total=row["recipient_count"],
        open=row["open_count"],
        delivered=row["delivered_count"],
        refused=row["refused_count"],
        expired=row["expired_count"],
        cancelled=row["cancelled_count"],
        suppressed=row["suppressed_count"],
        unknown=row["unknown_count"],
        bounced=row["bounced_count"],
    )
    state = EmailState(row["state"])
    failure = None
    if state is EmailState.FAILURE:
        failure = Failure(row["failure_reason"] or Failure.RECIPIENTS)
    return EmailRecord(
        id=row["id"],
        tenant_id=row["tenant_id"],
        sender_user_id=row["sender_user_id"],
        out_id=row["out_id"],
        biz_key=row["biz_key"] or "",
        invoke_name=row["invoke_name"] or "",
        template_version=version,
        language=row["language"] or "",
        template_language=row["template_language"] or "",
        subject=row["subject"] or template_subject,
        from_address=row["from_address"],
        from_name=row["from_name"],
        reply_to=tuple(json.loads(row["reply_to"] or "[]")),
        to=tuple(addresses.get(Role.TO, ())),
        cc=tuple(addresses.get(Role.CC, ())) if kept is None else kept.cc,
        bcc=tuple(addresses.get(Role.BCC, ())) if kept is None else kept.bcc,
        html=bool(row["html"]),
        verification=bool(row["verification"]),
        validity=row["validity"],
        state=state,
        failure=failure,
        failure_message=explain(failure, counts, row["audience_state"]),
        accept_time=row["accept_time"],
        schedule_time=row["schedule_time"],
        expire_time=row["expire_time"],
        settle_time=row["settle_time"],
        urgent=bool(row["urgent"]),
        separate=bool(row["separate"]),
        at_most_once=bool(row["at_most_once"]),
        ignore_suppression=bool(row["ignore_suppression"]),
        test=bool(row["test"]),
        labels=json.loads(row["labels"] or "{}"),
        headers=json.loads(row["headers"] or "{}"),
        counts=counts,
        ambiguous_count=row["ambiguous_count"],
        held_count=held,
        audience=progress,
    )
