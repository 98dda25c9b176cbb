"""The rows of emails that wait for attachments: claimed tenant by tenant, filled, and let go.

An email is in the table `preparation` for as long as its deliveries are PREPARING and a file is missing. What
is due is claimed by moving its time a minute ahead: whoever dies with it leaves it to the next after that
minute, and a file that two have fetched is stored once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import peewee

from postroom_server.clock import MINUTE, SECOND, Millis
from postroom_server.delivery.verdict import Outcome
from postroom_server.fetch import Fetched
from postroom_server.store import expansions, history, outcome
from postroom_server.store.history import Kind, event
from postroom_server.store.ids import IdMint
from postroom_server.store.models import (
    Attachment,
    AudienceState,
    Blob,
    Delivery,
    Email,
    Lane,
    Preparation,
    Recipient,
    RecipientState,
    bound,
)
from postroom_server.store.statement import Statement, as_list, bind, insert, is_postgresql, one_of

# Longer than a fetch may take (30 s) and its file needs to be stored; each file renews it.
CLAIM: Millis = MINUTE
# After the first failure, the second …; who has failed once more than that fails for good.
RETRY_DELAYS: tuple[Millis, ...] = (10 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE)
FAILURE = "ATTACHMENT"  # of email.failure_reason: the contract's EmailFailure
_TENANTS_A_TURN = 256

Now = Callable[[], Millis]

_PREPARATION: Any = Preparation

# As the engine leases (lease.py): skip from tenant to tenant through the index preparation_due, and take the
# oldest due email of the first that has one and is not working on as many as it may.
_TURN = """
WITH RECURSIVE turn(tenant_id) AS (
  SELECT (SELECT MIN(tenant_id) FROM preparation WHERE lane = {p} AND tenant_id > {p})
  UNION ALL
  SELECT (SELECT MIN(n.tenant_id) FROM preparation n WHERE n.lane = {p} AND n.tenant_id > turn.tenant_id)
  FROM turn WHERE turn.tenant_id IS NOT NULL
), taken(tenant_id) AS (
  SELECT tenant_id FROM turn WHERE tenant_id IS NOT NULL AND NOT tenant_id {busy} LIMIT {p}
)"""
_DUE = """SELECT x.email_id FROM preparation x
  WHERE x.lane = {p} AND x.tenant_id = taken.tenant_id AND x.fetch_time <= {p} AND NOT x.email_id {in_hand}
  ORDER BY x.fetch_time, x.email_id LIMIT 1"""
_IN_SQLITE, _IN_POSTGRESQL = "IN (SELECT value FROM json_each(?))", "= ANY(%s)"
_RETURNING = "RETURNING preparation.email_id, preparation.tenant_id"
CLAIM_SQLITE = (
    f"{_TURN} UPDATE preparation SET fetch_time = {{p}} WHERE email_id = (SELECT p.email_id FROM taken"  # noqa: S608
    f" JOIN preparation p ON p.email_id = ({_DUE}) LIMIT 1) {_RETURNING}"
).format(p="?", busy=_IN_SQLITE, in_hand=_IN_SQLITE)
CLAIM_POSTGRESQL = (
    f"{_TURN}, due AS MATERIALIZED (SELECT d.email_id FROM taken CROSS JOIN LATERAL"  # noqa: S608 - as above
    f" ({_DUE} FOR UPDATE SKIP LOCKED) d LIMIT 1)"
    " UPDATE preparation SET fetch_time = {p} FROM due WHERE preparation.email_id = due.email_id"
    f" {_RETURNING}"
).format(p="%s", busy=_IN_POSTGRESQL, in_hand=_IN_POSTGRESQL)

_PREPARING = peewee.SQL("'PREPARING'")
_THIS_EMAIL = Delivery.email_id == bind("email_id")
_EXPIRES = Statement(
    lambda: Delivery.select(peewee.fn.MIN(Delivery.expire_time)).where(
        _THIS_EMAIL & (Delivery.state == _PREPARING)
    )
)
_FILES = Statement(
    lambda: (
        Attachment.select(Attachment.id, Attachment.position, Attachment.url, Attachment.blob_id, Blob.size)
        .join(Blob, peewee.JOIN.LEFT_OUTER, on=(Blob.id == Attachment.blob_id))
        .where(Attachment.email_id == bind("email_id"))
        .order_by(Attachment.position)
    )
)
_BLOB = insert(Blob, suffix='ON CONFLICT ("tenant_id", "sha256") DO NOTHING')
_FIND_BLOB = Statement(
    lambda: Blob.select(Blob.id).where(
        (Blob.tenant_id == bind("tenant_id")) & (Blob.sha256 == bind("sha256"))
    )
)
_FILL = Statement(
    lambda: Attachment.update(blob_id=bind("blob_id")).where(
        (Attachment.id == bind("id")) & Attachment.blob_id.is_null()
    )
)
_MOVE = Statement(
    lambda: _PREPARATION.update(
        {_PREPARATION.fetch_time: bind("fetch_time"), _PREPARATION.tries: bind("tries")}
    ).where(_PREPARATION.email_id == bind("email_id"))
)
_RENEW = Statement(
    lambda: _PREPARATION.update({_PREPARATION.fetch_time: bind("fetch_time")}).where(
        _PREPARATION.email_id == bind("email_id")
    )
)
_TRIES = Statement(
    lambda: _PREPARATION.select(_PREPARATION.tries).where(_PREPARATION.email_id == bind("email_id"))
)
_FORGET = Statement(lambda: _PREPARATION.delete().where(_PREPARATION.email_id == bind("email_id")))
_LEAVE = Statement(
    lambda: (
        Delivery.update(state=bind("state"))
        .where(_THIS_EMAIL & (Delivery.state == _PREPARING))
        .returning(Delivery.id, Delivery.tenant_id)
    )
)
_END_RECIPIENTS = Statement(
    lambda: (
        Recipient.update(state=RecipientState.EXPIRED.value, settle_time=bind("now"))
        .where(one_of(Recipient.delivery_id, "delivery_ids") & (Recipient.state == RecipientState.OPEN.value))
        .returning(Recipient.id, Recipient.delivery_id)
    )
)
_FAIL_EMAIL = Statement(lambda: Email.update(failure_reason=FAILURE).where(Email.id == bind("email_id")))


@dataclasses.dataclass(frozen=True, slots=True)
class Claimed:
    email_id: int
    tenant_id: int


@dataclasses.dataclass(frozen=True, slots=True)
class MissingFile:
    attachment_id: int
    position: int
    url: str
    max_bytes: int  # what the email's other files leave of the bytes that it may have


@dataclasses.dataclass(frozen=True, slots=True)
class Concluded:
    """`ready`: the email has all its files and may be leased. `failure`: why it has ended, for the log."""

    ready: bool = False
    failure: str = ""


@dataclasses.dataclass(slots=True)
class Turns:
    """Where the round of tenants stands in each lane."""

    after: dict[Lane, int] = dataclasses.field(default_factory=lambda: dict.fromkeys(Lane, -1))


def claim(turns: Turns, busy_tenants: Iterable[int], in_hand: Iterable[int], due_now: Now) -> Claimed | None:
    """Claims one due email, urgent ones first, of a tenant that is not busy. A unit of work.

    None of those `in_hand`, which are due where a round takes longer than its claim, or has been stored and
    is not over yet: a claim that nobody works on would put them off.
    """
    now = due_now()
    busy, held = as_list(busy_tenants), as_list(in_hand)
    for lane in Lane:
        row = _take(lane, turns.after[lane], busy, held, now)
        if row is None and turns.after[lane] >= 0:
            row = _take(lane, -1, busy, held, now)
        if row is not None:
            turns.after[lane] = row[1]
            return Claimed(*row)
        turns.after[lane] = -1
    return None


def _take(lane: Lane, after: int, busy: Any, in_hand: Any, now: Millis) -> tuple[int, int] | None:
    turn = (int(lane), after, int(lane), busy, _TENANTS_A_TURN)
    due, until = (int(lane), now, in_hand), now + CLAIM
    connection = bound.connection()
    if is_postgresql():
        rows = connection.execute(CLAIM_POSTGRESQL, (*turn, *due, until)).fetchall()
    else:
        rows = connection.execute(CLAIM_SQLITE, (*turn, until, *due)).fetchall()
    return rows[0] if rows else None


def next_file(email_id: int, after: int, total_bytes: int, due_now: Now) -> MissingFile | None:
    """The next file to fetch behind position `after`, the claim renewed. A unit of work.

    None where nothing is left to do: no more is missing, or the email was cancelled or has expired.
    """
    now = due_now()
    expire_time = _expire_time(email_id)
    if expire_time is None or expire_time <= now:
        return None
    files = _FILES.rows(email_id=email_id)
    left = total_bytes - sum(size or 0 for *_, size in files)
    for id_, position, url, blob_id, _ in files:
        if blob_id is None and position > after:
            _RENEW.execute(email_id=email_id, fetch_time=now + CLAIM)
            return MissingFile(id_, position, url, max(0, left))
    return None


def keep(
    claimed: Claimed, file: MissingFile, fetched: Fetched, total_bytes: int, mint: IdMint, due_now: Now
) -> bool:
    """Stores a file. False: with it the email's files are more than they may be. A unit of work."""
    # Also the lock under which the sum holds, should two have come to fetch for one email.
    if not _RENEW.change(email_id=claimed.email_id, fetch_time=due_now() + CLAIM):
        return True
    stored = sum(size or 0 for *_, size in _FILES.rows(email_id=claimed.email_id))
    if stored + len(fetched.content) > total_bytes:
        return False
    row = (mint.one(), claimed.tenant_id, fetched.sha256, len(fetched.content), fetched.content)
    _BLOB.many([row])
    # Another email of the tenant may have brought the same bytes before.
    [(blob_id,)] = _FIND_BLOB.rows(tenant_id=claimed.tenant_id, sha256=fetched.sha256)
    _FILL.execute(id=file.attachment_id, blob_id=blob_id)
    return True


def conclude(email_id: int, due_now: Now) -> Concluded:
    """Ends one round: the email becomes READY, is tried again later, or has failed. A unit of work."""
    now = due_now()
    expire_time = _expire_time(email_id)
    tries = _TRIES.rows(email_id=email_id)
    if expire_time is None or not tries:
        # It was cancelled or deleted meanwhile, or another has come to its end.
        _FORGET.execute(email_id=email_id)
        return Concluded()
    if all(blob_id is not None for _, _, _, blob_id, _ in _FILES.rows(email_id=email_id)):
        expansions.let_go(email_id)
        _LEAVE.rows(email_id=email_id, state="READY")
        _FORGET.execute(email_id=email_id)
        return Concluded(ready=True)
    failures = tries[0][0] + 1
    if expire_time <= now or failures > len(RETRY_DELAYS):
        return fail(email_id, "time ran out" if expire_time <= now else f"failed {failures} times", due_now)
    wake_time = min(now + RETRY_DELAYS[failures - 1], expire_time)
    _MOVE.execute(email_id=email_id, fetch_time=wake_time, tries=failures)
    return Concluded()


def fail(email_id: int, failure: str, due_now: Now) -> Concluded:
    """Ends an email whose attachment cannot be had. A unit of work.

    Its recipients end EXPIRED: no server has refused them, and RetryEmail opens them again.
    """
    now = due_now()
    if stopped := expansions.stop([email_id]):
        # Nobody was looked up: who cannot have the files gets no mail.
        _FORGET.execute(email_id=email_id)
        _FAIL_EMAIL.execute(email_id=email_id)
        expansions.end(stopped, AudienceState.ABANDONED, now)
        return Concluded(failure=failure)
    left = dict(_LEAVE.rows(email_id=email_id, state="DONE"))
    _FORGET.execute(email_id=email_id)
    if not left:
        return Concluded()
    ended = sorted(_END_RECIPIENTS.rows(delivery_ids=as_list(left), now=now))
    history.append(
        [
            event(
                left[delivery_id],
                Kind.RECIPIENT_SETTLED,
                now,
                email_id=email_id,
                delivery_id=delivery_id,
                recipient_id=recipient_id,
                state=RecipientState.EXPIRED.value,
                outcome=Outcome.ABANDONED.value,
            )
            for recipient_id, delivery_id in ended
        ]
    )
    _FAIL_EMAIL.execute(email_id=email_id)
    outcome.record([(email_id, RecipientState.EXPIRED, len(ended))], now)
    return Concluded(failure=failure)


def give_back(email_id: int, due_now: Now) -> None:
    """Lets the next one have the email at once; the round does not count. A unit of work."""
    _RENEW.execute(email_id=email_id, fetch_time=due_now())


def _expire_time(email_id: int) -> Millis | None:
    """When the email expires; None when none of it is PREPARING, and no audience waits for its files."""
    [(expire_time,)] = _EXPIRES.rows(email_id=email_id)
    return expansions.expire_time(email_id) if expire_time is None else int(expire_time)
