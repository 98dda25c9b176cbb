"""Whom the suppression list holds back of mail that is being accepted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from postroom_server.mail.accepted_rows import EmailRows
from postroom_server.mail.checks import Checked
from postroom_server.message.address import key
from postroom_server.store import suppressed
from postroom_server.store.models import TemplateKind
from postroom_server.store.suppressed import Held, Listed


def find_listed(tenant_id: int, items: Iterable[Checked]) -> Listed:
    """What the list says of all recipients of these emails. Part of a unit: one question for all of them."""
    asked = {
        (tenant_id, key(address))
        for item in items
        if not item.draft.ignore_suppression
        for address in recipients(item)
    }
    return suppressed.find(asked)


def recipients(checked: Checked) -> tuple[str, ...]:
    return (*checked.to, *checked.cc, *checked.bcc)


def choose(tenant_id: int, checked: Checked, listed: Listed, kind: str | None) -> tuple[int, ...]:
    """Which recipients are held back, by their places among all of them. `kind` is the template's."""
    if not listed or checked.draft.ignore_suppression:
        return ()
    is_batch = kind == TemplateKind.BATCH
    return tuple(
        place
        for place, address in enumerate(recipients(checked))
        if suppressed.stops(listed.get((tenant_id, key(address))), is_batch=is_batch)
    )


def rows_of(rows: EmailRows, addresses: Sequence[str]) -> list[Held]:
    """The rows of these recipients of an email."""
    return [
        Held(tenant_id, email_id, delivery_id, recipient_id)
        for recipient_id, tenant_id, email_id, delivery_id, _, address, *_ in rows.recipients
        if address in addresses
    ]


def addresses_at(checked: Checked, places: Sequence[int]) -> tuple[str, ...]:
    """The recipients at these places."""
    named = recipients(checked)
    return tuple(named[place] for place in places)
