"""A loan: a connection of the pool, kept for one mail after the other to the same server."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from postroom_server.smtp.connection import Connection
from postroom_server.smtp.conversation import BeforeDot, Following
from postroom_server.smtp.endpoint import Endpoint, Timeouts
from postroom_server.smtp.envelope import Envelope
from postroom_server.smtp.transaction import Level, Phase, Transaction


class Lender(Protocol):
    """What a loan asks of its pool."""

    @property
    def is_closed(self) -> bool: ...

    def take(self, key: Hashable, endpoint: Endpoint) -> Connection: ...

    def open_another(self, endpoint: Endpoint) -> Connection: ...

    def put_back(self, key: Hashable, connection: Connection) -> None: ...


class Loan:
    """One connection at most, one transaction at a time. Ends with `give_back`; `send` begins it anew."""

    def __init__(self, pool: Lender, key: Hashable) -> None:
        self._pool = pool
        self._key = key
        self._connection: Connection | None = None

    async def send(
        self,
        endpoint: Endpoint,
        envelope: Envelope,
        before_dot: BeforeDot | None = None,
        *,
        timeouts: Timeouts | None = None,
        following: Following | None = None,
    ) -> Transaction:
        """Hands one envelope over; see `Connection.send`.

        What `following` gave is best sent next. When it is not, or the line was lost, it was not begun: no
        byte of its message has left.
        """
        if self._pool.is_closed:
            return _refused(envelope)
        connection = self._connection_for(endpoint, envelope)
        reused = connection.is_open
        transaction = await connection.send(
            envelope, before_dot=before_dot, timeouts=timeouts, following=following
        )
        # A server may hang up on an idle line at any time; that says nothing about the server.
        failed_at_once = transaction.level is Level.CONNECTION and transaction.phase is Phase.MAIL
        if reused and failed_at_once and not self._pool.is_closed:
            self.give_back()
            connection = self._connection = self._pool.open_another(endpoint)
            transaction = await connection.send(
                envelope, before_dot=before_dot, timeouts=timeouts, following=following
            )
        return transaction

    def abort_before_dot(self, why: str) -> None:
        """Closes the line unless the message under way has written its final dot: its outcome is LOCAL."""
        if self._connection is not None and not self._connection.dot_written:
            self._connection.abort(why)

    def give_back(self) -> None:
        """Returns the connection to the pool. An envelope that was begun on it and not sent closes it."""
        if self._connection is not None:
            self._pool.put_back(self._key, self._connection)
            self._connection = None

    def _connection_for(self, endpoint: Endpoint, envelope: Envelope) -> Connection:
        connection = self._connection
        if (
            connection is not None
            and (connection.endpoint is endpoint or connection.endpoint == endpoint)
            and (connection.has_begun(envelope) or connection.is_reusable)
        ):
            return connection
        self.give_back()
        connection = self._connection = self._pool.take(self._key, endpoint)
        return connection


def _refused(envelope: Envelope) -> Transaction:
    nobody = (None,) * len(envelope.recipients)
    return Transaction(Phase.RESOLVE, Level.LOCAL, nobody, error="the pool is closed")
