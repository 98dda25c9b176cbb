"""The balance of a run: what was promised beside what the sinks were given, once nothing moves any more."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc.aio

from acceptance.world import Client
from faults.ledger import AGAIN, Ledger
from postroom.v1 import email_pb2, email_service_pb2, filter_pb2

PENDING, SUCCESS = email_pb2.EMAIL_STATE_PENDING, email_pb2.EMAIL_STATE_SUCCESS
# So long nothing moves before mail counts as stuck: longer than anything in these runs has to wait.
STILL_SECONDS = 45.0


@dataclasses.dataclass(frozen=True)
class Balance:
    accepted: int
    lost: list[str]  # ended without a yes from a server: the mail itself is gone, or called delivered in vain
    duplicates: int
    ambiguous: int
    unexplained: list[str]  # more copies than ambiguous events, or any of what was told never to be repeated
    stuck: list[str]
    unknown: int  # told never to be repeated, and nobody knows
    held: int  # set aside after three crashes, then released
    changed: list[str]  # copies of one mail that were not the same, byte by byte
    strangers: list[str]  # given to a sink though nobody was told that they were accepted

    @property
    def is_even(self) -> bool:
        wrong = (self.lost, self.unexplained, self.stuck, self.changed, self.strangers)
        return not any(wrong) and self.duplicates <= self.ambiguous

    def check(self) -> None:
        """Names what is wrong, not only how much of it."""
        assert self.is_even, dataclasses.asdict(self)

    def __str__(self) -> str:
        counts = {name: value if isinstance(value, int) else len(value) for name, value in vars(self).items()}
        return ", ".join(f"{name} {count}" for name, count in counts.items())


async def balance(
    ledger: Ledger,
    *,
    still_seconds: float = STILL_SECONDS,
    nudge: Callable[[], Awaitable[None]] | None = None,
) -> Balance:
    """Waits until everything accepted is settled or nothing moves any more, and counts.

    `nudge` is called now and then while mail is pending, where the test turns the hands of the clock.
    """
    client = ledger.clients[0]
    pending, held = await _quiescence(client, ledger, still_seconds, nudge)
    emails = {email.id: email async for email in _emails(client)}
    names = {promise.id: subject for subject, promise in ledger.accepted.items()}
    copies: collections.Counter[str] = collections.Counter()
    digests: dict[str, set[bytes]] = collections.defaultdict(set)
    for sink in ledger.sinks:
        copies += sink.copies
        for handed in sink.handed:
            digests[handed.subject].add(handed.digest)
    said_yes = {one.subject for sink in ledger.sinks for one in sink.handed if one.answer.startswith("2")}
    lost, unexplained, unknown, duplicates = [], [], 0, 0
    for subject, promise in ledger.accepted.items():
        email = emails.get(promise.id)
        duplicates += max(0, copies[subject] - 1)
        if email is None:
            lost.append(subject)
            continue
        if email.state == SUCCESS:
            is_lost = subject not in said_yes
        else:
            is_unknown = promise.never_twice and email.counts.unknown > 0
            unknown += is_unknown
            is_lost = email.state != PENDING and not is_unknown
        if is_lost:
            lost.append(subject)
        if copies[subject] > (1 if promise.never_twice else 1 + email.ambiguous_count):
            unexplained.append(subject)
    return Balance(
        accepted=len(ledger.accepted),
        lost=lost,
        duplicates=duplicates,
        ambiguous=sum(email.ambiguous_count for email in emails.values()),
        unexplained=unexplained,
        stuck=sorted(names.get(id_, str(id_)) for id_ in pending),
        unknown=unknown,
        held=held,
        changed=[subject for subject, found in digests.items() if len(found) > 1],
        strangers=sorted(set(digests) - set(ledger.accepted)),
    )


async def held_count(client: Client) -> int:
    """How many deliveries are set aside; 0 when nobody answers."""
    try:
        return sum([email.held_count async for email in _emails(client, state="PENDING")])
    except grpc.aio.AioRpcError as error:
        if error.code() not in AGAIN:
            raise
        return 0


async def _quiescence(
    client: Client, ledger: Ledger, still_seconds: float, nudge: Callable[[], Awaitable[None]] | None
) -> tuple[set[int], int]:
    """What is pending when nothing moves any more, and how many held mails were released meanwhile."""
    seen: tuple[int, ...] = ()
    moved, held = time.monotonic(), 0
    while True:
        pending = [email async for email in _emails(client, state="PENDING")]
        now = (len(pending), ledger.handed, held)
        if now != seen:
            seen, moved = now, time.monotonic()
        if not pending or time.monotonic() - moved > still_seconds:
            return {email.id for email in pending}, held
        for email in pending:
            held += await release(client, email) if email.held_count else 0
        if nudge is not None:
            await nudge()
        await asyncio.sleep(0.1)


async def release(client: Client, email: email_pb2.Email) -> int:
    """Lets what is held of an email go on: 1 if there was any."""
    try:
        await client.call("ReleaseEmail", email_service_pb2.ReleaseEmailRequest(id=email.id))
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
            raise
        return 0  # it has expired, or was released, in the meantime
    return 1


async def _emails(client: Client, *, state: str = "") -> AsyncIterator[email_pb2.Email]:
    """Every email that the server knows, or those in one state."""
    equal = filter_pb2.FILTER_OPERATOR_EQUAL
    filters = [filter_pb2.Filter(field="state", operator=equal, values=[state])] if state else []
    request = email_service_pb2.ListEmailsRequest(page_size=1000, order_by="id", filters=filters)
    while True:
        page = await client.call("ListEmails", request)
        for email in page.emails:
            yield email
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
