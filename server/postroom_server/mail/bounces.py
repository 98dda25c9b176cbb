"""Bounces: a message that was delivered came back, and somebody says so."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from postroom_server.clock import Clock, Millis
from postroom_server.mail.form_checks import Findings
from postroom_server.message import address
from postroom_server.refusals import Reason, Refusal, Violation, refuse_all
from postroom_server.store import history, suppressed
from postroom_server.store.history import Kind
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Delivery, Email, Recipient, RecipientState, SuppressionReason
from postroom_server.store.statement import Statement, bind, is_postgresql

_ENHANCED = re.compile(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}")
# Accepting gives a message the id of its delivery, in hexadecimal (accepted_rows.py).
_MESSAGE_ID = re.compile(r"([0-9a-f]{1,16})\..*")
_REPLY_CHARACTERS = 512
_LARGEST_ID = (1 << 63) - 1

_BY_ID = Statement(
    lambda: Delivery.select(Delivery.email_id, Delivery.message_id).where(
        (Delivery.id == bind("id")) & (Delivery.tenant_id == bind("tenant_id"))
    )
)


def _recipients_query() -> Any:
    query = (
        Recipient.select(Recipient.id, Recipient.address, Recipient.state)
        .where(Recipient.delivery_id == bind("delivery_id"))
        .order_by(Recipient.id)
    )
    return query.for_update() if is_postgresql() else query


_RECIPIENTS = Statement(_recipients_query)
_BOUNCE = Statement(
    lambda: Recipient.update(
        state=RecipientState.BOUNCED.value,
        last_code=bind("code"),
        last_enhanced=bind("enhanced"),
        last_reply=bind("reply"),
        settle_time=bind("time"),
    ).where(Recipient.id == bind("id"))
)
# The email stays as it is: what came back had been delivered.
_COUNT = Statement(
    lambda: Email.update(
        delivered_count=Email.delivered_count - 1, bounced_count=Email.bounced_count + 1
    ).where(Email.id == bind("id"))
)


@dataclasses.dataclass(frozen=True, slots=True)
class BounceForm:
    """A bounce as reported. The message is named by its delivery's id, or (None) by its Message-ID."""

    delivery_id: int | None
    message_id: str = ""
    address: str = ""
    code: int = 0
    enhanced_code: str = ""
    reply: str = ""
    time: Millis | None = None  # None: now
    unreadable: tuple[Violation, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Bounce:
    """The same, checked."""

    delivery_id: int
    message_id: str  # empty: whatever it is
    address: str
    code: int | None
    enhanced: str | None
    reply: str | None
    time: Millis | None


@dataclasses.dataclass(frozen=True, slots=True)
class Reported:
    email_id: int
    recipient_id: int
    state: RecipientState
    changed: bool


class Bounces:
    """`check` needs no database; `report` is a unit of work."""

    def __init__(self, clock: Clock, mint: IdMint) -> None:
        self._clock = clock
        self._mint = mint

    def check(self, form: BounceForm) -> Bounce:
        """Refuses what is wrong with the report, all at once. Another's Message-ID is not found later."""
        found = Findings()
        found.violations.extend(form.unreadable)
        message_id = form.message_id.strip().removeprefix("<").removesuffix(">")
        if form.delivery_id is None and not message_id:
            found.add("target", "name the message by delivery_id or by message_id")
        if form.code and not 400 <= form.code <= 599:
            found.add("code", "must be 400 to 599, or 0 when it is not known")
        if form.enhanced_code and not _ENHANCED.fullmatch(form.enhanced_code):
            found.add("enhanced_code", "must be like 5.1.1, of class 4 or 5, or empty when it is not known")
        parsed = found.address("address", form.address)
        refuse_all(found.violations)
        return Bounce(
            _named(message_id) if form.delivery_id is None else form.delivery_id,
            message_id,
            parsed,
            form.code or None,
            form.enhanced_code or None,
            _printable(form.reply) or None,
            form.time,
        )

    def report(self, tenant_id: int, bounce: Bounce) -> Reported:
        """Marks a delivered recipient BOUNCED, and lists the address where the code says it is no good.

        Whoever is not DELIVERED stays as they are, so that a report can be repeated. Deleted emails take
        reports, too: theirs are found by what came back.
        """
        now = self._clock.now()
        rows = _BY_ID.rows(id=bounce.delivery_id, tenant_id=tenant_id)
        if not rows or (bounce.message_id and rows[0][1] != bounce.message_id):
            raise _not_found("there is no such delivery")
        email_id = rows[0][0]
        recipient_id, listed, state = _recipient(bounce)
        if state != RecipientState.DELIVERED:
            return Reported(email_id, recipient_id, RecipientState(state), changed=False)
        _BOUNCE.execute(
            id=recipient_id,
            code=bounce.code,
            enhanced=bounce.enhanced,
            reply=bounce.reply,
            # A reporter's clock may be ahead of ours.
            time=now if bounce.time is None else min(bounce.time, now),
        )
        if bounce.enhanced in suppressed.HARD_REFUSALS:
            entry = suppressed.Entry(tenant_id, listed, SuppressionReason.BOUNCED, email_id)
            suppressed.put([entry], self._mint, now)
        _COUNT.execute(id=email_id)
        event = history.event(
            tenant_id,
            Kind.RECIPIENT_BOUNCED,
            now,
            email_id=email_id,
            delivery_id=bounce.delivery_id,
            recipient_id=recipient_id,
            state=RecipientState.BOUNCED.value,
            code=bounce.code,
            enhanced=bounce.enhanced,
        )
        history.append([event])
        return Reported(email_id, recipient_id, RecipientState.BOUNCED, changed=True)


def _recipient(bounce: Bounce) -> tuple[int, str, str]:
    """The recipient that is meant, as (id, address, state)."""
    rows: list[tuple[int, str, str]] = _RECIPIENTS.rows(delivery_id=bounce.delivery_id)
    if not bounce.address:
        if len(rows) > 1:
            refuse_all([Violation("address", f"is required: the message went to {len(rows)} addresses")])
        return rows[0]
    exact = [row for row in rows if row[1] == bounce.address]
    # Bounces often tell the address in another case than it was written in.
    alike = [row for row in rows if row[1] and address.key(row[1]) == address.key(bounce.address)]
    if not alike:
        raise _not_found("the message went to no such address")
    return (exact or alike)[0]


def _named(message_id: str) -> int:
    """The delivery that a Message-ID of ours names; 0, which is none, for another's."""
    matched = _MESSAGE_ID.fullmatch(message_id)
    number = int(matched[1], 16) if matched else 0
    return number if number <= _LARGEST_ID else 0


def _printable(text: str) -> str:
    shown = "".join(char if char.isprintable() else "?" for char in text[:_REPLY_CHARACTERS])
    return shown.strip()


def _not_found(message: str) -> Refusal:
    return Refusal(Reason.DELIVERY_NOT_FOUND, message)
