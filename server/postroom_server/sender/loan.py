"""A slot's way to a mail server: over a connection of this process, or over one of the sender's."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from postroom_server.sender.draft import Draft
from postroom_server.smtp import Endpoint, Envelope, Loan, Timeouts, Transaction

log = structlog.get_logger()

# Mails that are with the sender behind the one under way, for each slot: while it hands these over, the
# outcomes of those before them are on their way here and the next ones on their way there.
AHEAD = 4

MayGo = Callable[[], Awaitable[bool]]


class NotBegun(Exception):  # noqa: N818 - it is not an error
    """No byte of the message has left: it may be handed over in another way."""


class Unwritten(Exception):  # noqa: N818 - it is not an error of ours
    """The sender could not write the letter; it has not begun."""


class SenderLost(Exception):  # noqa: N818 - it is not an error of ours
    """The sender ended with the message in its hands: nobody knows how far it came."""


@dataclasses.dataclass(slots=True, eq=False)
class Parcel:
    """What one transaction carries, and on which conditions."""

    content: Envelope | Draft
    may_go: MayGo  # asked after 354 and before the final dot
    asks: bool  # whether it must be; else it says yes while nobody recalls or aborts the parcel
    timeouts: Timeouts | None = None  # in place of the endpoint's
    is_alone: bool = False  # nothing rides behind it
    expires_in: float = math.inf  # seconds; not begun by then, it does not begin
    took: int | None = None  # milliseconds, where nobody watched it from here


NextParcel = Callable[[], Parcel | None]


class SlotLoan(Protocol):
    """One connection at most, one transaction at a time, for one server."""

    is_remote: bool

    @property
    def is_current(self) -> bool:
        """Whether new mail should still go this way."""

    async def ready(self) -> None:
        """Waits until a connection may be opened, if one has to be."""

    async def send(self, endpoint: Endpoint | None, parcel: Parcel, following: NextParcel) -> Transaction:
        """Hands a parcel over; see `smtp.Connection.send`. No endpoint: it was taken with one.

        `following` is asked for what goes behind its dot, which is then the next that is sent here, unless it
        was recalled. Raises NotBegun, Unwritten and SenderLost where it is remote.
        """

    def has_taken(self, parcel: Parcel | None) -> bool:
        """Whether a parcel that `following` gave is on its way already, and comes back by `send` alone."""

    def recall(self, parcel: Parcel, then: Callable[[], None], *, stop: bool = False) -> None:
        """Takes back what `following` gave, and calls `then` where it had not begun.

        `stop`: where it has begun, it is to end before its dot.
        """

    def abort_before_dot(self, why: str) -> None:
        """Ends the transaction under way unless its final dot is written: its outcome is LOCAL."""

    def give_back(self) -> None: ...


class OwnLoan:
    """Over a connection of this process."""

    is_remote = False

    def __init__(self, loan: Loan, is_current: Callable[[], bool]) -> None:
        self._loan = loan
        self._is_current = is_current

    @property
    def is_current(self) -> bool:
        return self._is_current()

    async def ready(self) -> None:
        """At once: whatever else there is of this process's is counted with it."""

    async def send(self, endpoint: Endpoint | None, parcel: Parcel, following: NextParcel) -> Transaction:
        def next_envelope() -> Envelope | None:
            parcel = following()
            return None if parcel is None else _written(parcel)

        if endpoint is None:
            raise TypeError("nothing is taken ahead here")
        return await self._loan.send(
            endpoint,
            _written(parcel),
            parcel.may_go,
            timeouts=parcel.timeouts,
            following=None if parcel.is_alone else next_envelope,
        )

    def has_taken(self, parcel: Parcel | None) -> bool:
        del parcel
        return False

    def recall(self, parcel: Parcel, then: Callable[[], None], *, stop: bool = False) -> None:
        del parcel, stop
        then()

    def abort_before_dot(self, why: str) -> None:
        self._loan.abort_before_dot(why)

    def give_back(self) -> None:
        self._loan.give_back()


class Errands(Protocol):
    """What a loan asks of the sender."""

    @property
    def is_ready(self) -> bool: ...

    def carry(self, loan: SenderLoan, endpoint: Endpoint, parcel: Parcel) -> Errand: ...

    def recall(self, errand: Errand, then: Callable[[], None], *, stop: bool) -> None: ...

    def forget_recall(self, errand: Errand) -> None: ...

    def stop(self, errand: Errand, why: str) -> None: ...

    def give_back(self, loan: SenderLoan) -> None: ...


@dataclasses.dataclass(slots=True, eq=False)
class Errand:
    """A parcel that is with the sender, and the outcome that is waited for."""

    number: int
    parcel: Parcel
    endpoint: Endpoint
    outcome: Awaitable[Transaction]


class SenderLoan:
    """Over a connection of the sender's, which has some of the next mails before their turn comes."""

    is_remote = True

    def __init__(
        self, sender: Errands, number: int, server_id: int, ready: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """`ready` is awaited before the first parcel."""
        self._sender = sender
        self._ready = ready
        self.number = number
        self.server_id = server_id
        self._under_way: Errand | None = None
        self._ahead: collections.deque[Errand] = collections.deque()

    @property
    def is_current(self) -> bool:
        return self._sender.is_ready

    async def ready(self) -> None:
        if self._ready is not None:
            ready, self._ready = self._ready, None
            await ready()

    async def send(self, endpoint: Endpoint | None, parcel: Parcel, following: NextParcel) -> Transaction:
        if self._ahead and self._ahead[0].parcel is parcel:
            errand = self._ahead.popleft()
            # Whatever it hears of a recall that is not answered yet, it hears as its outcome.
            self._sender.forget_recall(errand)
        elif endpoint is not None:
            errand = self._sender.carry(self, endpoint, parcel)
        else:
            raise TypeError("it is not taken")
        self._under_way = errand
        try:
            if not parcel.is_alone:
                self._fill(errand.endpoint, following)
            return await errand.outcome
        finally:
            self._under_way = None

    def _fill(self, endpoint: Endpoint, following: NextParcel) -> None:
        # Whatever goes wrong with the next ones, the one under way is with the sender, and has an outcome.
        try:
            while len(self._ahead) < AHEAD and (another := following()) is not None:
                self._ahead.append(self._sender.carry(self, endpoint, another))
        except Exception:
            log.exception("not_followed")

    def has_taken(self, parcel: Parcel | None) -> bool:
        return any(errand.parcel is parcel for errand in self._ahead)

    def recall(self, parcel: Parcel, then: Callable[[], None], *, stop: bool = False) -> None:
        def recalled() -> None:
            if errand is not None:
                self._ahead.remove(errand)
            then()

        errand = next((errand for errand in self._ahead if errand.parcel is parcel), None)
        if errand is None:
            then()  # it was never taken
        else:
            self._sender.recall(errand, recalled, stop=stop)

    def abort_before_dot(self, why: str) -> None:
        if self._under_way is not None:
            self._sender.stop(self._under_way, why)

    def give_back(self) -> None:
        self._sender.give_back(self)


def _written(parcel: Parcel) -> Envelope:
    if not isinstance(parcel.content, Envelope):
        raise TypeError("a draft goes to the sender alone")
    return parcel.content
