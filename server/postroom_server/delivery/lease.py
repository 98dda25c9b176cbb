"""Takes due deliveries in lane order, tenants in turn, and reads what is needed to send them."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import peewee

from postroom_server.clock import Millis
from postroom_server.delivery.codes import first_to, seeds
from postroom_server.delivery.held_back import without_suppressed
from postroom_server.delivery.leased import Leased, LeasedEmail, LeasedRecipient
from postroom_server.delivery.marks import mark_waiting
from postroom_server.delivery.shares import share
from postroom_server.message.mailing import Mailing
from postroom_server.store.models import (
    Attachment,
    Blob,
    Content,
    Email,
    Lane,
    MemberCopy,
    Recipient,
    RecipientState,
    Role,
    bound,
)
from postroom_server.store.statement import Statement, as_list, is_postgresql, one_of

# A delivery whose process has crashed moves from lane n to lane n + ALONE: nobody leases two of these at
# once, so that one mail that brings processes down does not hold all those that were in hand with it. One
# that only waits for a server's answer does not count: it is marked, and not blamed for the next crash.
ALONE = len(Lane)

_LANES = {number: Lane(number % ALONE) for number in range(2 * ALONE)}
_ROLES = {role.value: role for role in Role}
_OPEN = RecipientState.OPEN.value

# One statement: walk the tenants that have something READY in the lane by skipping through the partial
# index delivery_due (two index look-ups a tenant, however much each has), and take a few of each that is due.
# The walk ends with the last delivery that is wanted.
_TURN = """
WITH RECURSIVE turn(tenant_id) AS (
  SELECT (SELECT MIN(tenant_id) FROM delivery WHERE state = 'READY' AND lane = {p} AND tenant_id > {p})
  UNION ALL
  SELECT (SELECT MIN(d.tenant_id) FROM delivery d
          WHERE d.state = 'READY' AND d.lane = {p} AND d.tenant_id > turn.tenant_id)
  FROM turn WHERE turn.tenant_id IS NOT NULL
)"""
_DUE = """SELECT x.id FROM delivery x
  WHERE x.state = 'READY' AND x.lane = {p} AND x.tenant_id = turn.tenant_id AND x.run_at <= {p}
  ORDER BY x.run_at, x.id LIMIT {p}"""
_SET = """SET state = 'LEASED', lease_owner = {p}, lease_token = lease_token + 1,
  transactions = transactions + 1, phase = NULL, dot_time = NULL"""
_RETURNING = """RETURNING delivery.id, delivery.tenant_id, delivery.email_id, delivery.lane,
  delivery.message_id, delivery.date_time, delivery.at_most_once, delivery.expire_time, delivery.lease_token,
  delivery.transactions, delivery.tries, delivery.crash_count"""

_LEASE_EMAIL = f"UPDATE delivery {_SET} WHERE email_id = {{p}} AND state = 'READY' {_RETURNING}"
LEASE_SQLITE = (
    f"{_TURN} UPDATE delivery {_SET} WHERE id IN"
    f" (SELECT d.id FROM turn CROSS JOIN delivery d ON d.id IN ({_DUE}) LIMIT {{p}}) {_RETURNING}"
).format(p="?")
LEASE_POSTGRESQL = (
    f"{_TURN}, due AS MATERIALIZED (SELECT d.id FROM turn CROSS JOIN LATERAL"
    f" ({_DUE} FOR UPDATE SKIP LOCKED) d LIMIT {{p}})"
    # An array, because of a join whose size it does not know PostgreSQL makes a scan of the table.
    f" UPDATE delivery {_SET} WHERE delivery.id = ANY(ARRAY(SELECT id FROM due)) {_RETURNING}"
).format(p="%s")
_SOMETHING_ALONE = "SELECT 1 FROM delivery WHERE state = 'READY' AND lane >= {p} LIMIT 1"

_FILE_OCTETS = (
    Attachment.select(peewee.fn.SUM(peewee.fn.COALESCE(Blob.size, 0)))
    .join(Blob, peewee.JOIN.LEFT_OUTER, on=(Blob.id == Attachment.blob_id))
    .where(Attachment.email_id == Email.id)
)
_EMAILS = Statement(
    lambda: (
        Email.select(
            Email.id, Email.tenant_id, Email.subject, Email.subject_prefix, Email.from_address,
            Email.from_name, Email.reply_to, Email.headers, Email.template_version_id,
            Email.template_language, Content.html, Content.text, Content.params, Content.recipient_params,
            Email.test, Email.verification, _FILE_OCTETS, Email.language,
            Email.ignore_suppression, Email.audience.is_null(False),
        )
        .join(Content, on=(Content.email_id == Email.id))
        .where(one_of(Email.id, "ids"))
    )
)  # fmt: skip
_MEMBER_COPIES = Statement(
    lambda: MemberCopy.select(MemberCopy.delivery_id, MemberCopy.language, MemberCopy.member).where(
        one_of(MemberCopy.delivery_id, "ids")
    )
)
_RECIPIENTS = Statement(
    lambda: (
        Recipient.select(
            Recipient.delivery_id, Recipient.id, Recipient.role, Recipient.address, Recipient.state
        )
        .where(one_of(Recipient.delivery_id, "ids"))
        .order_by(Recipient.delivery_id, Recipient.id)
    )
)


@dataclasses.dataclass(slots=True)
class Turns:
    """Behind which tenant the next round begins, in each lane."""

    after: dict[int, int] = dataclasses.field(default_factory=dict)


def lease(
    owner: int,
    held: Mapping[Lane, int],
    capacity: int,
    turns: Turns,
    now: Millis,
    *,
    alone: bool,
    waiting: Sequence[tuple[int, int]] = (),
) -> list[Leased]:
    """Leases due deliveries beside those held, urgent first, as many as each lane's share allows.

    `alone`: also one delivery whose process has crashed, since none is held but those in `waiting`, by their
    ids and tokens: they are marked as above suspicion, should this process crash. A unit of work.
    """
    rows = _lease_alone(owner, turns, now, waiting) if alone else []
    held = dict(held)
    for lane in Lane:
        taken = _lease_lane(owner, lane, share(lane, held, capacity), turns, now)
        held[lane] += len(taken)
        rows += taken
    return without_suppressed(_read(rows), now) if rows else []


def lease_email(owner: int, email_id: int) -> list[Leased]:
    """Leases every READY delivery of one email, due or not. A unit of work."""
    rows = bound.connection().execute(_placed(_LEASE_EMAIL), (owner, email_id)).fetchall()
    return _read(rows) if rows else []


def _lease_alone(
    owner: int, turns: Turns, now: Millis, waiting: Sequence[tuple[int, int]]
) -> list[tuple[Any, ...]]:
    if bound.connection().execute(_placed(_SOMETHING_ALONE), (ALONE,)).fetchone() is None:
        return []
    mark_waiting(owner, waiting)
    for lane in Lane:
        if taken := _lease_lane(owner, lane + ALONE, 1, turns, now):
            return taken
    return []


def _lease_lane(owner: int, lane: int, wanted: int, turns: Turns, now: Millis) -> list[tuple[Any, ...]]:
    """Goes round the tenants, a quarter of what is wanted of each, until it is enough or there is no more."""
    rows: list[tuple[Any, ...]] = []
    after, each = turns.after.get(lane, -1), max(1, wanted // 4)
    while len(rows) < wanted:
        missing = wanted - len(rows)
        taken = _take(owner, lane, after, each, missing, now)
        rows += taken
        served = collections.Counter(row[1] for row in taken)
        if len(taken) == missing:
            # The next round begins behind the last tenant that was served, or with it when it was cut short.
            last = max(served)
            turns.after[lane] = last if 2 * served[last] >= each else last - 1
            return rows
        if after < 0:
            if max(served.values(), default=0) < each:
                break  # everybody has had all that was due
            if len(served) == 1:
                each = missing  # nobody else waits
        after = -1  # round the corner
    turns.after[lane] = -1
    return rows


def _take(owner: int, lane: int, after: int, each: int, most: int, now: Millis) -> list[tuple[Any, ...]]:
    turn = (int(lane), after, int(lane))
    due = (int(lane), now, each)
    connection = bound.connection()
    if is_postgresql():
        return connection.execute(LEASE_POSTGRESQL, (*turn, *due, most, owner)).fetchall()  # type: ignore[no-any-return]
    return connection.execute(LEASE_SQLITE, (*turn, owner, *due, most)).fetchall()  # type: ignore[no-any-return]


def _placed(sql: str) -> str:
    return sql.format(p="%s" if is_postgresql() else "?")


def _read(rows: list[tuple[Any, ...]]) -> list[Leased]:
    found = _EMAILS.rows(ids=as_list({delivery[2] for delivery in rows}))
    emails = {row[0]: _email(row) for row in found}
    audiences = {row[0] for row in found if row[19]}
    copies = _member_copies(row[0] for row in rows if row[2] in audiences)
    recipients: dict[int, list[LeasedRecipient]] = {}
    for delivery_id, id_, role, address, state in _RECIPIENTS.rows(ids=as_list(row[0] for row in rows)):
        recipients.setdefault(delivery_id, []).append(
            LeasedRecipient(id_, _ROLES[role], address, state == _OPEN)
        )
    code_mails = {email.id for email in emails.values() if email.is_code}
    code_rows = [row for row in rows if row[2] in code_mails] if code_mails else []
    code_seeds = seeds(row[0] for row in code_rows)
    first = first_to(row[2] for row in code_rows if row[0] not in code_seeds)
    # Lane by lane as they were taken, and oldest first within each: RETURNING promises no order.
    rows.sort(key=lambda row: (row[3] % ALONE, row[0]))
    return [
        Leased(
            id=row[0], tenant_id=row[1], email=_copied(emails[row[2]], copies.get(row[0])),
            lane=_LANES[row[3]],
            message_id=row[4], date_time=row[5], at_most_once=bool(row[6]), expire_time=row[7],
            lease_token=row[8], transactions=row[9], tries=row[10], crash_count=row[11],
            alone=row[3] >= ALONE, recipients=tuple(recipients.get(row[0], ())),
            code_seed=code_seeds.get(row[0]), params_of=first.get(row[2], ""),
        )
        for row in rows
    ]  # fmt: skip


def _member_copies(delivery_ids: Iterable[int]) -> dict[int, tuple[str | None, str | None]]:
    """The language and the member of each of these copies."""
    ids = list(delivery_ids)
    if not ids:
        return {}
    return {row[0]: (row[1], row[2]) for row in _MEMBER_COPIES.rows(ids=as_list(ids))}


def _copied(email: LeasedEmail, copy: tuple[str | None, str | None] | None) -> LeasedEmail:
    if copy is None:
        return email
    language, member = copy
    return dataclasses.replace(email, template_language=language, member=member)


def _email(row: tuple[Any, ...]) -> LeasedEmail:
    mailing = Mailing(
        subject=row[2], subject_prefix=row[3], from_address=row[4], from_name=row[5],
        reply_to=tuple(json.loads(row[6])) if row[6] else (),
        headers=tuple(json.loads(row[7]).items()) if row[7] else (),
        html=row[10], text=row[11], params=json.loads(row[12]) if row[12] else {},
        recipient_params=json.loads(row[13]) if row[13] else {}, language=row[17] or "",
    )  # fmt: skip
    return LeasedEmail(
        id=row[0], tenant_id=row[1], mailing=mailing, template_version_id=row[8], template_language=row[9],
        file_octets=int(row[16] or 0), has_files=row[16] is not None,
        test=bool(row[14]), is_code=bool(row[15]), ignore_suppression=bool(row[18]),
        to_audience=bool(row[19]),
    )  # fmt: skip
