"""Takes due deliveries in lane order, tenants in turn, and reads what is needed to send them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

import peewee

from postroom_server.clock import Millis
from postroom_server.delivery.leased import Leased, LeasedEmail, LeasedRecipient
from postroom_server.message.mailing import Mailing
from postroom_server.store.models import (
    Attachment,
    Content,
    Delivery,
    Email,
    Lane,
    Recipient,
    RecipientState,
    Role,
    bound,
)
from postroom_server.store.statement import Statement, as_list, bind, is_postgresql, one_of

_TENANTS_A_TURN = 256

# One statement: walk the tenants that have something READY in the lane by skipping through the partial
# index delivery_due (an index look-up a tenant, however much each has), and take a few of each.
_TURN = """
WITH RECURSIVE turn(tenant_id) AS (
  SELECT (SELECT MIN(tenant_id) FROM delivery WHERE state = 'READY' AND lane = {p} AND tenant_id > {p})
  UNION ALL
  SELECT (SELECT MIN(d.tenant_id) FROM delivery d
          WHERE d.state = 'READY' AND d.lane = {p} AND d.tenant_id > turn.tenant_id)
  FROM turn WHERE turn.tenant_id IS NOT NULL
), taken(tenant_id) AS (SELECT tenant_id FROM turn WHERE tenant_id IS NOT NULL LIMIT {p})"""
_DUE = """SELECT x.id FROM delivery x
  WHERE x.state = 'READY' AND x.lane = {p} AND x.tenant_id = taken.tenant_id AND x.run_at <= {p}
  ORDER BY x.run_at, x.id LIMIT {p}"""
_SET = """SET state = 'LEASED', lease_owner = {p}, lease_token = lease_token + 1,
  transactions = transactions + 1, phase = NULL, dot_time = NULL"""
_RETURNING = """RETURNING delivery.id, delivery.tenant_id, delivery.email_id, delivery.lane, delivery.message_id,
  delivery.date_time, delivery.at_most_once, delivery.expire_time, delivery.lease_token, delivery.tries,
  delivery.crash_count"""

_LEASE_EMAIL = f"UPDATE delivery {_SET} WHERE email_id = {{p}} AND state = 'READY' {_RETURNING}"
LEASE_SQLITE = (
    f"{_TURN} UPDATE delivery {_SET} WHERE id IN (SELECT d.id FROM taken JOIN delivery d ON d.id IN ({_DUE})"
    f" LIMIT {{p}}) {_RETURNING}"
).format(p="?")
LEASE_POSTGRESQL = (
    f"{_TURN}, due AS MATERIALIZED (SELECT d.id FROM taken CROSS JOIN LATERAL"
    f" ({_DUE} FOR UPDATE SKIP LOCKED) d LIMIT {{p}})"
    f" UPDATE delivery {_SET} FROM due WHERE delivery.id = due.id {_RETURNING}"
).format(p="%s")

_HAS_FILES = peewee.fn.EXISTS(Attachment.select(Attachment.id).where(Attachment.email_id == Email.id))
_EMAILS = Statement(
    lambda: (
        Email.select(
            Email.id, Email.tenant_id, Email.subject, Email.subject_prefix, Email.from_address,
            Email.from_name, Email.reply_to, Email.headers, Email.template_version_id,
            Email.template_language, Content.html, Content.text, Content.params, Content.recipient_params,
            Email.test, Email.verification, _HAS_FILES,
        )
        .join(Content, on=(Content.email_id == Email.id))
        .where(one_of(Email.id, "ids"))
    )
)  # fmt: skip
_RECIPIENTS = Statement(
    lambda: (
        Recipient.select(
            Recipient.delivery_id, Recipient.id, Recipient.role, Recipient.address, Recipient.state
        )
        .where(one_of(Recipient.delivery_id, "ids"))
        .order_by(Recipient.delivery_id, Recipient.id)
    )
)
_RELEASE = Statement(
    lambda: Delivery.update(
        state="READY", lease_owner=None, transactions=Delivery.transactions - 1, run_at=bind("now")
    ).where(
        (Delivery.id == bind("id"))
        & (Delivery.state == "LEASED")
        & (Delivery.lease_owner == bind("owner"))
        & (Delivery.lease_token == bind("token"))
    )
)


@dataclasses.dataclass(slots=True)
class Turns:
    """Where the round of tenants stands in each lane."""

    after: dict[Lane, int] = dataclasses.field(default_factory=lambda: dict.fromkeys(Lane, -1))


def lease(owner: int, shares: Mapping[Lane, int], turns: Turns, now: Millis) -> list[Leased]:
    """Leases up to `shares[lane]` due deliveries of each lane, urgent first. A unit of work."""
    rows: list[tuple[Any, ...]] = []
    for lane in Lane:
        rows += _lease_lane(owner, lane, shares.get(lane, 0), turns, now)
    return _read(rows) if rows else []


def lease_email(owner: int, email_id: int) -> list[Leased]:
    """Leases every READY delivery of one email, due or not. A unit of work."""
    place = "%s" if is_postgresql() else "?"
    rows = bound.connection().execute(_LEASE_EMAIL.format(p=place), (owner, email_id)).fetchall()
    return _read(rows) if rows else []


def _lease_lane(owner: int, lane: Lane, wanted: int, turns: Turns, now: Millis) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    # First a few of every tenant in turn; then, where share is left, as many as there are.
    for each in (max(1, wanted // 8), wanted):
        missing = wanted - len(rows)
        if missing <= 0:
            break
        taken = _take(owner, lane, turns.after[lane], each, missing, now)
        if not taken and turns.after[lane] >= 0:
            turns.after[lane] = -1
            taken = _take(owner, lane, -1, each, missing, now)
        rows += taken
        # The next round begins behind the last tenant that was served; alone, a tenant is served again.
        turns.after[lane] = max((row[1] for row in taken), default=-1) if len(taken) == missing else -1
    return rows


def _take(owner: int, lane: Lane, after: int, each: int, most: int, now: Millis) -> list[tuple[Any, ...]]:
    turn = (int(lane), after, int(lane), _TENANTS_A_TURN)
    due = (int(lane), now, each)
    connection = bound.connection()
    if is_postgresql():
        return connection.execute(LEASE_POSTGRESQL, (*turn, *due, most, owner)).fetchall()  # type: ignore[no-any-return]
    return connection.execute(LEASE_SQLITE, (*turn, owner, *due, most)).fetchall()  # type: ignore[no-any-return]


def release(owner: int, leased: Iterable[Leased], now: Millis) -> None:
    """Gives deliveries back that were not begun; the lease does not count. A unit of work."""
    _RELEASE.execute_many(
        [{"id": one.id, "owner": owner, "token": one.lease_token, "now": now} for one in leased]
    )


def _read(rows: list[tuple[Any, ...]]) -> list[Leased]:
    emails = {row[0]: _email(row) for row in _EMAILS.rows(ids=as_list({delivery[2] for delivery in rows}))}
    recipients: dict[int, list[LeasedRecipient]] = {}
    for delivery_id, id_, role, address, state in _RECIPIENTS.rows(ids=as_list(row[0] for row in rows)):
        recipients.setdefault(delivery_id, []).append(
            LeasedRecipient(id_, Role(role), address, state == RecipientState.OPEN)
        )
    # Lane by lane as they were taken, and oldest first within each: RETURNING promises no order.
    rows.sort(key=lambda row: (row[3], row[0]))
    return [
        Leased(
            id=row[0], tenant_id=row[1], email=emails[row[2]], lane=Lane(row[3]), message_id=row[4],
            date_time=row[5], at_most_once=bool(row[6]), expire_time=row[7], lease_token=row[8], tries=row[9],
            crash_count=row[10], recipients=tuple(recipients.get(row[0], ())),
        )
        for row in rows
    ]  # fmt: skip


def _email(row: tuple[Any, ...]) -> LeasedEmail:
    mailing = Mailing(
        subject=row[2], subject_prefix=row[3], from_address=row[4], from_name=row[5],
        reply_to=tuple(json.loads(row[6])) if row[6] else (),
        headers=tuple(json.loads(row[7]).items()) if row[7] else (),
        html=row[10], text=row[11], params=json.loads(row[12]) if row[12] else {},
        recipient_params=json.loads(row[13]) if row[13] else {},
    )  # fmt: skip
    return LeasedEmail(
        id=row[0], tenant_id=row[1], mailing=mailing, template_version_id=row[8], template_language=row[9],
        has_files=bool(row[16]), test=bool(row[14]), is_code=bool(row[15]),
    )  # fmt: skip
