"""The rows of a page of an audience: for each member a delivery, a recipient, and what is their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from postroom_server.clock import Millis
from postroom_server.mail.audience_copies import FoundCopy
from postroom_server.mail.audience_email import ExpandingEmail
from postroom_server.mail.delivery_rows import DELIVERY, Row, new_delivery
from postroom_server.message.address import key as key_of
from postroom_server.store import history, suppressed
from postroom_server.store.ids import IdMint
from postroom_server.store.models import (
    DeliveryState,
    Lane,
    MemberCopy,
    Recipient,
    RecipientState,
    Role,
)
from postroom_server.store.statement import Insert, insert

_TO, _CC, _BCC = Role.TO.value, Role.CC.value, Role.BCC.value
_READY, _DONE = DeliveryState.READY.value, DeliveryState.DONE.value
_OPEN, _REFUSED = RecipientState.OPEN.value, RecipientState.REFUSED.value
_SUPPRESSED = RecipientState.SUPPRESSED.value

_RECIPIENT = Insert(
    Recipient,
    [
        Recipient.id, Recipient.tenant_id, Recipient.email_id, Recipient.delivery_id, Recipient.role,
        Recipient.address, Recipient.state, Recipient.last_reply, Recipient.settle_time,
    ],
)  # fmt: skip
_MEMBER_COPY = insert(MemberCopy)


@dataclasses.dataclass(slots=True)
class PageRows:
    """What one page adds to the tables, and to the counters of its email."""

    deliveries: list[Row] = dataclasses.field(default_factory=list)
    recipients: list[Row] = dataclasses.field(default_factory=list)
    member_copies: list[Row] = dataclasses.field(default_factory=list)
    events: list[Row] = dataclasses.field(default_factory=list)
    waiting: int = 0  # deliveries that are to be sent
    open: int = 0  # recipients
    refused: int = 0
    suppressed: int = 0
    position: int = 0  # of the next copy
    extras_placed: bool = False


def build(
    email: ExpandingEmail,
    copies: Sequence[FoundCopy],
    *,
    lane: Callable[[], Lane],
    mint: IdMint,
    now: Millis,
) -> PageRows:
    """Lays out the rows of these copies. Part of a unit that reads: the suppression list is asked.

    Whatever an audience gets is sent to many: who has unsubscribed is held back, too. Cc and Bcc travel with
    the first copy that can be written; its position is 0.
    """
    kept, tenant_id, email_id = email.kept, email.tenant_id, email.id
    extras = () if email.extras_placed else (*((_CC, a) for a in kept.cc), *((_BCC, a) for a in kept.bcc))
    rows = PageRows(position=email.position, extras_placed=email.extras_placed)
    if kept.extras and not rows.position:
        rows.position = 1
    listed: suppressed.Listed = {}
    if not email.ignore_suppression:
        addresses = (*(copy.member.address for copy in copies), *(address for _, address in extras))
        listed = suppressed.find({(tenant_id, key_of(address)) for address in addresses})
    ids = iter(mint.many(2 * len(copies) + len(extras)))
    for copy in copies:
        member, problem = copy.member, copy.problem or None
        delivery_id = next(ids)
        named = [(_TO, member.address)]
        position = rows.position
        if extras and problem is None:
            named += extras
            extras, position, rows.extras_placed = (), 0, True
        else:
            rows.position += 1
        is_open = False
        for role, address in named:
            recipient_id = next(ids)
            state = _OPEN
            if problem is not None:
                state = _REFUSED
                rows.refused += 1
            elif listed and suppressed.stops(listed.get((tenant_id, key_of(address))), is_batch=True):
                state = _SUPPRESSED
                rows.suppressed += 1
            else:
                is_open = True
                rows.open += 1
            rows.recipients.append(
                (
                    recipient_id, tenant_id, email_id, delivery_id, role, address, state, problem,
                    None if state == _OPEN else now,
                )
            )  # fmt: skip
            if state != _OPEN:
                rows.events.append(
                    history.event(
                        tenant_id, history.Kind.RECIPIENT_SETTLED, now, email_id=email_id,
                        delivery_id=delivery_id, recipient_id=recipient_id, state=state,
                    )
                )  # fmt: skip
        rows.waiting += is_open
        rows.deliveries.append(
            new_delivery(
                delivery_id,
                tenant_id,
                email_id,
                lane=int(lane()) if is_open else int(Lane.BULK),
                position=position,
                domain=email.domain,
                date_time=now,
                at_most_once=email.at_most_once,
                state=_READY if is_open else _DONE,
                run_at=now,
                expire_time=email.expire_time,
            )
        )
        rows.member_copies.append(
            (
                delivery_id,
                tenant_id,
                email_id,
                member.user_id,
                copy.language,
                copy.snapshot if problem is None else None,
                problem,
            )
        )
    return rows


def store(rows: PageRows) -> None:
    """Writes the rows, but for the events: those come behind the email's own row."""
    DELIVERY.together(rows.deliveries)
    _RECIPIENT.together(rows.recipients)
    _MEMBER_COPY.together(rows.member_copies)
