"""Carries one email through one named server at once, and waits for the outcome."""

from __future__ import annotations

import asyncio
import dataclasses

from postroom_server.clock import Clock, Millis
from postroom_server.delivery.endpoints import Endpoints
from postroom_server.delivery.lease import lease_email
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.settle import Settlement, settle
from postroom_server.delivery.verdict import Next, Outcome, Settled, Verdict, judge, judge_without_server
from postroom_server.refusals import Reason, Refusal
from postroom_server.smtp import Connection
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Memory, ServerFacts
from postroom_server.store.models import RecipientState
from postroom_server.store.unit import Store


class Trial:
    def __init__(
        self, store: Store, memory: Memory, mint: IdMint, endpoints: Endpoints, clock: Clock, *, owner: int
    ) -> None:
        self._store = store
        self._memory = memory
        self._mint = mint
        self._endpoints = endpoints
        self._clock = clock
        self._owner = owner
        self._letters = Letters(store, memory)

    async def carry(self, email_id: int, server_id: int, timeout: Millis) -> Settlement:
        """Leases the email's one delivery, transmits it within `timeout`, settles it for good."""
        leased, server = await self._store.write(self._lease, email_id, server_id)
        start = self._clock.now()
        settlement = await self._transmit(leased, server, start, timeout)
        await self._store.write(settle, self._owner, [settlement], self._mint, self._clock.now())
        return settlement

    def _lease(self, email_id: int, server_id: int) -> tuple[Leased, ServerFacts]:
        leased = lease_email(self._owner, email_id)
        server = self._memory.current().server(server_id)
        if not leased or server is None:
            raise Refusal(Reason.MAIL_SERVER_NOT_FOUND, "the mail server was removed in the meantime")
        return leased[0], server

    async def _transmit(
        self, leased: Leased, server: ServerFacts, start: Millis, timeout: Millis
    ) -> Settlement:
        if leased.email.test:
            verdict = judge_without_server(leased, RecipientState.DELIVERED, Outcome.DELIVERED, start)
            return Settlement(leased, verdict, None, server.id, start, start)
        connection = Connection(self._endpoints.of(server))
        envelope = await self._letters.envelope(leased)
        alarm = asyncio.get_running_loop().call_later(timeout / 1000, connection.abort)
        try:
            transaction = await connection.send(envelope)
        finally:
            alarm.cancel()
            await connection.close()
        now = self._clock.now()
        verdict = judge(leased, transaction, now=now, uniform=lambda low, _: low)
        return Settlement(leased, _final(verdict), transaction, server.id, start, now)


def _final(verdict: Verdict) -> Verdict:
    """A trial is not repeated: whoever is open when it ends has waited long enough."""
    ended = tuple(Settled(id_, RecipientState.EXPIRED, reply) for id_, reply in verdict.open)
    return dataclasses.replace(verdict, settled=verdict.settled + ended, open=(), next=Next.DONE)
