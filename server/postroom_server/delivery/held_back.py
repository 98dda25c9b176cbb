"""The suppression list on the way out: whom it holds back of what was leased, and who is put on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable

from postroom_server.clock import Millis
from postroom_server.delivery.leased import Leased, LeasedRecipient
from postroom_server.delivery.verdict import Verdict
from postroom_server.message.address import key
from postroom_server.smtp import Transaction
from postroom_server.store.models import SuppressionReason, TemplateKind, TemplateVersion
from postroom_server.store.statement import Statement, as_list, bind, one_of
from postroom_server.store.suppressed import HARD_REFUSALS, Entry, Held, Listed, find, hold_back, stops

_BATCH_VERSIONS = Statement(
    lambda: TemplateVersion.select(TemplateVersion.id).where(
        one_of(TemplateVersion.id, "ids") & (TemplateVersion.kind == bind("kind"))
    )
)


def without_suppressed(leased: list[Leased], now: Millis) -> list[Leased]:
    """Settles whom the list names by now, and returns what is left to send. Part of the unit that leases."""
    listed = find(
        {
            (one.tenant_id, key(recipient.address))
            for one in leased
            if not one.email.ignore_suppression
            for recipient in one.open_recipients
        }
    )
    if not listed:
        return leased
    batches = _batch_versions(leased, listed)
    held: list[Held] = []
    left: list[Leased] = []
    for one in leased:
        stopped = set() if one.email.ignore_suppression else _stopped(one, listed, batches)
        held += [Held(one.tenant_id, one.email.id, one.id, recipient_id) for recipient_id in stopped]
        one = _without(one, stopped) if stopped else one
        if one.open_recipients or not stopped:
            left.append(one)
    hold_back(held, now)
    return left


def hard_refusals(
    leased: Leased, verdict: Verdict, transaction: Transaction | None, still_open: Container[int]
) -> list[Entry]:
    """What an attempt tells the list: who was refused because "there is no such address".

    Not who heard that from a server that then said 421: nobody is refused by it, and the next one may differ.
    """
    if transaction is None or not verdict.refused_count:
        return []
    return [
        Entry(leased.tenant_id, recipient.address, SuppressionReason.REFUSED, leased.email.id)
        for recipient, reply in zip(leased.open_recipients, transaction.replies, strict=False)
        if reply is not None
        and reply.enhanced in HARD_REFUSALS
        and reply.is_permanent
        and recipient.id in still_open
    ]


def _stopped(one: Leased, listed: Listed, batches: set[int]) -> set[int]:
    # What an audience gets is sent to many, whatever it is made of.
    is_batch = one.email.to_audience or one.email.template_version_id in batches
    return {
        recipient.id
        for recipient in one.open_recipients
        if stops(listed.get((one.tenant_id, key(recipient.address))), is_batch=is_batch)
    }


def _without(one: Leased, recipient_ids: set[int]) -> Leased:
    def closed(recipient: LeasedRecipient) -> LeasedRecipient:
        if recipient.id not in recipient_ids:
            return recipient
        return dataclasses.replace(recipient, is_open=False)

    return dataclasses.replace(one, recipients=tuple(map(closed, one.recipients)))


def _batch_versions(leased: Iterable[Leased], listed: Listed) -> set[int]:
    """The template versions of these mails that are sent to many; asked for only where that decides."""
    if SuppressionReason.UNSUBSCRIBED not in listed.values():
        return set()
    ids = {one.email.template_version_id for one in leased} - {None}
    rows = _BATCH_VERSIONS.rows(ids=as_list(id_ for id_ in ids if id_), kind=TemplateKind.BATCH.value)
    return {row[0] for row in rows}
