"""A sender at work, and what it is given."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Iterable

from peers.smtp_peer import SmtpPeer
from postroom_server.message.mailing import Copy, Mailing
from postroom_server.message.template import CompiledTemplate
from postroom_server.sender.draft import Draft
from postroom_server.sender.loan import NotBegun, Parcel, SenderLoan
from postroom_server.sender.remote import Sender
from postroom_server.smtp import Endpoint, Envelope, TlsMode, Transaction

_LOANS = itertools.count(1)


async def yes() -> bool:
    return True


def nobody() -> None:
    """Nothing rides behind."""


def endpoint(peer: SmtpPeer) -> Endpoint:
    return Endpoint("127.0.0.1", peer.port, tls=TlsMode.OFF)


def letter(number: int = 0, text: str = "Hi") -> Envelope:
    message = f"Message-ID: <{number}@x.test>\r\n\r\n{text}\r\n"
    return Envelope("noreply@example.com", ("a@example.com",), message.encode())


def draft(
    number: int = 0, *, template: CompiledTemplate | None = None, to: str = "a@example.com", **changes: object
) -> Draft:
    values: dict[str, object] = {
        "subject": "Hi", "subject_prefix": None, "from_address": "noreply@example.com", "from_name": "",
        "reply_to": (), "headers": (), "html": None, "text": "Hello", "params": {}, "recipient_params": {},
    }  # fmt: skip
    mailing = Mailing(**{**values, **changes})  # type: ignore[arg-type]
    return Draft(number, mailing, Copy(f"{number}@x.test", 1_780_000_000_000, (to,), ()), (to,), template)


def parcel(content: Envelope | Draft, **changes: object) -> Parcel:
    values: dict[str, object] = {"may_go": yes, "asks": False, **changes}
    return Parcel(content, **values)  # type: ignore[arg-type]


class Sent:
    """Parcels on one loan, in order: the first under way, the others behind it."""

    def __init__(self, sender: Sender, peer: SmtpPeer, parcels: Iterable[Parcel]) -> None:
        self.loan = SenderLoan(sender, next(_LOANS), server_id=1)
        self._endpoint = endpoint(peer)
        self._parcels = list(parcels)
        self._given = iter(self._parcels[1:])
        self.outcomes = [asyncio.ensure_future(self._send(self._parcels[0]))]

    def follow(self) -> Parcel | None:
        return next(self._given, None)

    async def outcome(self, index: int) -> Transaction:
        """What became of one of them; those before it have to have ended."""
        while len(self.outcomes) <= index:
            await asyncio.wait([self.outcomes[-1]])
            self.outcomes.append(asyncio.ensure_future(self._send(self._parcels[len(self.outcomes)])))
        async with asyncio.timeout(10):
            return await self.outcomes[index]

    async def ends(self) -> list[Transaction | Exception]:
        """What became of all, what was raised among it."""
        told: list[Transaction | Exception] = []
        for index in range(len(self._parcels)):
            try:
                told.append(await self.outcome(index))
            except Exception as error:
                told.append(error)
        return told

    def _send(self, one: Parcel) -> asyncio.Future[Transaction]:
        return asyncio.ensure_future(self.loan.send(self._endpoint, one, self.follow))


async def send(sender: Sender, peer: SmtpPeer, content: Envelope | Draft, **changes: object) -> Transaction:
    """One parcel on a loan of its own."""
    return await Sent(sender, peer, [parcel(content, **changes)]).outcome(0)


async def started(
    believed_until: Callable[[], float] = lambda: math.inf, ended: Callable[[Sender], None] = lambda _: None
) -> Sender:
    sender = Sender(believed_until, ended)
    await sender.start()
    return sender


__all__ = ["NotBegun", "Sent", "draft", "letter", "parcel", "send", "started"]
