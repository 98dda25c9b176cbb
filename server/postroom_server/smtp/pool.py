"""A pool: the connections to all servers, lent to whoever has mail for them and kept for the next."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Hashable

from postroom_server.smtp.connection import Connection
from postroom_server.smtp.conversation import BeforeDot
from postroom_server.smtp.endpoint import Endpoint, Timeouts
from postroom_server.smtp.envelope import Envelope
from postroom_server.smtp.loan import Loan
from postroom_server.smtp.transaction import Transaction

SWEEP_SECONDS = 5.0
ABORT_PATIENCE = 1.0


class Pool:
    """Opens as many connections as are asked for at once: how many that may be is the caller's to decide."""

    def __init__(self) -> None:
        self._endpoints: dict[Hashable, Endpoint] = {}  # as each key was last used
        self._idle: dict[Hashable, list[Connection]] = {}
        self._busy: set[Connection] = set()
        self._farewells: dict[asyncio.Task[None], Hashable] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._free = asyncio.Event()
        self._closed = False
        self._keeps = True

    @property
    def connections(self) -> int:
        """Connections held, in use or idle."""
        return len(self._busy) + sum(map(len, self._idle.values()))

    async def send(
        self,
        key: Hashable,
        endpoint: Endpoint,
        envelope: Envelope,
        before_dot: BeforeDot | None = None,
        *,
        timeouts: Timeouts | None = None,
    ) -> Transaction:
        """Hands one envelope to a server, over an idle connection if there is one; see `Loan.send`."""
        loan = self.loan(key)
        try:
            return await loan.send(endpoint, envelope, before_dot, timeouts=timeouts)
        finally:
            loan.give_back()

    def loan(self, key: Hashable) -> Loan:
        """A way to send one mail after the other to the server that `key` names; to be given back."""
        return Loan(self, key)

    def abort_before_dot(self) -> None:
        """Closes every connection under way that has not written its final dot: their outcome is LOCAL.

        Those that have written it get their verdict, and then close if another was begun behind it.
        """
        for connection in self._busy:
            if connection.dot_written:
                connection.retire()
            else:
                connection.abort()

    def stand_down(self) -> None:
        """Keeps no connection for the next mail: those that are idle close, the others when they are done."""
        self._keeps = False
        for key in list(self._idle):
            self._retire(key)

    def stand_up(self) -> None:
        """Takes that back."""
        self._keeps = True

    async def farewell(self, key: Hashable) -> None:
        """Waits for the connections of a key that are saying goodbye now."""
        if leaving := [task for task, whose in self._farewells.items() if whose == key]:
            await asyncio.wait(leaving)

    async def close(self, grace: float) -> None:
        """Stops what has not written its dot, waits `grace` seconds for the rest, and closes everything."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for key in list(self._idle):
            self._retire(key)
        self.abort_before_dot()
        await self._until_free(grace)
        for connection in self._busy:
            connection.abort()
        await self._until_free(ABORT_PATIENCE)
        if self._farewells:
            await asyncio.wait(self._farewells)

    # What loans call.

    @property
    def is_closed(self) -> bool:
        return self._closed

    def take(self, key: Hashable, endpoint: Endpoint) -> Connection:
        """An idle connection or a new one. An endpoint other than the key's last retires what it had."""
        if (last := self._endpoints.get(key)) is not endpoint:
            self._endpoints[key] = endpoint
            if last != endpoint:
                self._retire(key)
        idle = self._idle.get(key, [])
        # The one used last is the least likely to have been hung up on; the others may grow old and go.
        while idle:
            connection = idle.pop()
            if connection.is_reusable:
                self._busy.add(connection)
                return connection
            self._dismiss(key, connection)
        return self.open_another(endpoint)

    def open_another(self, endpoint: Endpoint) -> Connection:
        connection = Connection(endpoint)
        self._busy.add(connection)
        return connection

    def put_back(self, key: Hashable, connection: Connection) -> None:
        self._busy.discard(connection)
        if not self._busy:
            self._free.set()
        current = self._endpoints.get(key) == connection.endpoint
        if self._closed or not self._keeps or not current or not connection.is_reusable:
            self._dismiss(key, connection)
            return
        self._idle.setdefault(key, []).append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    # Below.

    def _sweep(self) -> None:
        """Closes idle connections that no longer serve, so that a quiet server is left in peace."""
        self._sweeper = None
        for key, idle in list(self._idle.items()):
            kept = [connection for connection in idle if connection.is_reusable]
            for connection in idle:
                if connection not in kept:
                    self._dismiss(key, connection)
            if kept:
                self._idle[key] = kept
            else:
                del self._idle[key]
        if self._idle:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def _retire(self, key: Hashable) -> None:
        for connection in self._idle.pop(key, []):
            self._dismiss(key, connection)

    def _dismiss(self, key: Hashable, connection: Connection) -> None:
        """Says goodbye in the background: nobody waits for an answer to QUIT."""
        if not connection.is_open:
            connection.abort()
            return
        farewell = asyncio.create_task(connection.close())
        self._farewells[farewell] = key
        farewell.add_done_callback(lambda ended: self._farewells.pop(ended, None))

    async def _until_free(self, seconds: float) -> None:
        if self._busy:
            self._free.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._free.wait()
