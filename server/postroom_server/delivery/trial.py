"""Carries one email through one named server at once, and waits for the outcome."""

from __future__ import annotations

import asyncio
import dataclasses

import structlog

from postroom_server.clock import Clock, Millis
from postroom_server.delivery import attempts
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.endpoints import Endpoints
from postroom_server.delivery.lease import lease_email
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.settle import settle_once
from postroom_server.delivery.verdict import (
    Next,
    Outcome,
    Settled,
    Verdict,
    judge,
    judge_local_error,
    judge_without_server,
)
from postroom_server.refusals import Reason, Refusal
from postroom_server.smtp import Connection
from postroom_server.store.facts import ServerFacts
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Memory
from postroom_server.store.models import RecipientState
from postroom_server.store.unit import Store

log = structlog.get_logger()

_STORE_PAUSE_SECONDS = 1.0  # after the database did not answer


class Trial:
    def __init__(
        self,
        store: Store,
        memory: Memory,
        mint: IdMint,
        letters: Letters,
        endpoints: Endpoints,
        clock: Clock,
        *,
        owner: int,
    ) -> None:
        self._store = store
        self._memory = memory
        self._mint = mint
        self._endpoints = endpoints
        self._clock = clock
        self._owner = owner
        self._letters = letters
        self._carrying: set[asyncio.Task[Settlement]] = set()

    async def carry(self, email_id: int, server_id: int, patience: Millis) -> Settlement:
        """Leases the email's one delivery, transmits it within `patience`, settles it for good.

        It goes on when its caller gives up: what was leased must be settled.
        """
        carrying = asyncio.create_task(self._carry(email_id, server_id, patience))
        self._carrying.add(carrying)
        carrying.add_done_callback(self._carrying.discard)
        return await asyncio.shield(carrying)

    async def _carry(self, email_id: int, server_id: int, patience: Millis) -> Settlement:
        leased, server = await self._store.write(self._lease, email_id, server_id)
        start = self._clock.now()
        try:
            settlement = await self._transmit(leased, server, start, patience)
        except Exception:
            log.exception("trial_not_built", delivery=leased.id, email=email_id)
            verdict = judge_local_error(leased, now=start, uniform=lambda low, _: low)
            settlement = Settlement(leased, _final(verdict), None, server.id, start, self._clock.now())
        await self._settle(settlement)
        return settlement

    async def _settle(self, settlement: Settlement) -> None:
        """Until the database answers: a lease that nobody ends would keep the mail for ever."""
        ids: list[int] = []
        while True:
            try:
                ids = ids or self._mint.many(attempts.count([settlement]))
                given = (self._owner, [settlement], ids, self._mint, self._clock.now())
                await self._store.write(settle_once, *given)
                return
            except Refusal as refusal:
                log.warning("trial_waits", delivery=settlement.leased.id, reason=refusal.reason.value)
            await asyncio.sleep(_STORE_PAUSE_SECONDS)

    def _lease(self, email_id: int, server_id: int) -> tuple[Leased, ServerFacts]:
        leased = lease_email(self._owner, email_id)
        server = self._memory.current().server(server_id)
        if not leased or server is None:
            raise Refusal(Reason.MAIL_SERVER_NOT_FOUND, "the mail server was removed in the meantime")
        return leased[0], server

    async def _transmit(
        self, leased: Leased, server: ServerFacts, start: Millis, patience: Millis
    ) -> Settlement:
        if leased.email.test:
            verdict = judge_without_server(leased, RecipientState.DELIVERED, Outcome.DELIVERED, start)
            return Settlement(leased, verdict, None, server.id, start, start)
        connection = Connection(self._endpoints.of(server))
        envelope = await self._letters.envelope(leased)
        seconds = patience / 1000
        alarm = asyncio.get_running_loop().call_later(
            seconds, connection.abort, f"no answer within {seconds:g} s"
        )
        try:
            transaction = await connection.send(envelope)
        finally:
            alarm.cancel()
            await connection.close()
        now = self._clock.now()
        verdict = judge(leased, transaction, now=now, uniform=lambda low, _: low)
        return Settlement(leased, _final(verdict), transaction, server.id, start, now)


def _final(verdict: Verdict) -> Verdict:
    """A trial is not repeated: whoever is open when it ends has waited long enough, or may even have it."""
    state = RecipientState.UNKNOWN if verdict.ambiguous else RecipientState.EXPIRED
    ended = tuple(Settled(id_, state, reply) for id_, reply in verdict.open)
    return dataclasses.replace(verdict, settled=verdict.settled + ended, open=(), next=Next.DONE)
