"""Real processes that are told to stop or to cancel with mail in every phase of its way (delivery.md §2)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from acceptance.world import DATA_KEY, until
from faults.processes import Process, processes
from peers.freezing_proxy import FreezingProxy
from peers.smtp_peer import Script, Session, SmtpPeer, silence
from postroom.v1 import email_pb2, email_service_pb2
from postroom_server.store.models import Attempt, Delivery, Email, Recipient
from postroom_server.store.opening import Address, open_database

pytestmark = pytest.mark.every_database


@dataclasses.dataclass
class Told:
    """A move that a test lets happen when it likes."""

    answer: str
    go_on: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    async def __call__(self, session: Session) -> None:
        await self.go_on.wait()
        await session.say(self.answer)


@dataclasses.dataclass(frozen=True)
class Left:
    """What stands in the tables of the one mail."""

    state: str
    recipient: str
    transactions: int
    crashes: int
    doubts: int
    attempts: list[str]


@contextlib.asynccontextmanager
async def serving(
    folder: Path, database: str, script: Script, count: int = 1, **settings: str
) -> AsyncIterator[tuple[list[Process], SmtpPeer]]:
    async with SmtpPeer(script) as peer, processes(folder, database, [peer], count, **settings) as made:  # type: ignore[list-item]
        yield made, peer


async def left(database: str) -> Left:
    opened = open_database(
        Address(database), key_text=DATA_KEY, key_file=None, auto_migrate=False, serving=False
    )

    def look() -> Left:
        delivery, recipient = Delivery.get(), Recipient.get()
        return Left(
            delivery.state,
            recipient.state,
            delivery.transactions,
            delivery.crash_count,
            Email.get().ambiguous_count,
            [row.outcome for row in Attempt.select().order_by(Attempt.id)],
        )

    try:
        return await opened.store.read(look)
    finally:
        opened.close()


async def test_a_stop_waits_for_the_answer_to_a_dot_and_refuses_whoever_comes(
    database: str, tmp_path: Path
) -> None:
    dot = Told("250 taken")
    async with serving(tmp_path, database, Script({"DOT": dot})) as ([process], peer):
        health = health_pb2_grpc.HealthStub(process.channel)
        watch: Any = health.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        await process.client.send()
        await peer.until(lambda: len(peer.messages) == 1)
        stopping = asyncio.create_task(process.stop())
        for ended in (until_it_ends(watch), process.client.send()):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await ended
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert not stopping.done()
        dot.go_on.set()
        assert await stopping == 0
    assert await left(database) == Left("DONE", "DELIVERED", 1, 0, 0, ["DELIVERED"])
    assert len(peer.messages) == 1


async def until_it_ends(watch: Any) -> None:
    while True:
        await watch.read()


@pytest.mark.parametrize("occasion", ["BANNER", "DATA"])
async def test_a_stop_gives_back_what_has_not_written_its_dot_and_counts_nothing(
    database: str, tmp_path: Path, occasion: str
) -> None:
    async with serving(tmp_path, database, Script({occasion: silence})) as ([process], peer):
        await process.client.send()
        await peer.until(lambda: bool(peer.sessions) and occasion in heard(peer))
        async with asyncio.timeout(20):  # and not for the minutes that such a phase may take
            assert await process.stop() == 0
    assert await left(database) == Left("READY", "OPEN", 0, 0, 0, ["ABANDONED"])
    assert peer.messages == []


def heard(peer: SmtpPeer) -> list[str]:
    return ["BANNER", *(command.split(" ")[0] for command in peer.commands)]


async def test_a_dot_that_stays_unanswered_is_waited_for_and_then_counted_as_a_doubt(
    database: str, tmp_path: Path
) -> None:
    settings = {"POSTROOM_DRAIN_SECONDS": "1"}
    async with serving(tmp_path, database, Script({"DOT": silence}), **settings) as ([process], peer):
        await process.client.send()
        await peer.until(lambda: len(peer.messages) == 1)
        begun = asyncio.get_running_loop().time()
        assert await process.stop() == 0
        assert asyncio.get_running_loop().time() - begun >= 1
    assert await left(database) == Left("READY", "OPEN", 1, 0, 1, ["AMBIGUOUS"])


async def test_a_stop_leases_nothing_more(database: str, tmp_path: Path) -> None:
    dot = Told("250 taken")
    async with serving(tmp_path, database, Script({"DOT": [dot, "250 taken"]})) as ([process], peer):
        await process.client.send(subject="first")
        await peer.until(lambda: len(peer.messages) == 1)
        soon = process.client.at(300)
        await process.client.send(subject="second", schedule_time=soon)
        stopping = asyncio.create_task(process.stop())
        await until(lambda: is_past(process, soon))
        dot.go_on.set()
        assert await stopping == 0
        assert len(peer.messages) == 1
        await process.start()
        await peer.until(lambda: len(peer.messages) == 2)


async def is_past(process: Process, time: Any) -> bool:
    """Two seconds ago."""
    return process.client.clock.now() > time.ToMilliseconds() + 2000


async def test_a_cancel_is_noticed_before_the_body_and_not_only_when_a_silence_is_over(
    database: str, tmp_path: Path
) -> None:
    async with serving(tmp_path, database, Script({"RCPT": silence})) as ([process], peer):
        email_id = await process.client.send()
        await peer.until(lambda: "RCPT" in heard(peer))
        await process.client.call("CancelEmail", email_service_pb2.CancelEmailRequest(id=email_id))
        await peer.until_ended()
        await process.client.settled(email_id)
    assert (await left(database)).recipient == "CANCELLED"
    assert peer.messages == []


async def test_a_cancel_reaches_mail_in_another_process_before_its_body(
    postgresql_database: str, tmp_path: Path
) -> None:
    answers = {"RCPT": [silence, "250 ok"]}
    async with serving(tmp_path, postgresql_database, Script(answers), count=2) as (made, peer):
        one, other = made
        email_id = await one.client.send()
        await peer.until(lambda: "RCPT" in heard(peer))
        # Whichever process has it, one of the two is the other.
        for process in made:
            with contextlib.suppress(grpc.aio.AioRpcError):
                await process.client.call("CancelEmail", email_service_pb2.CancelEmailRequest(id=email_id))
        await other.client.settled(email_id)
        await peer.until_ended()
    assert (await left(postgresql_database)).recipient == "CANCELLED"
    assert peer.messages == []


async def test_who_hears_nothing_from_the_database_lets_go_of_what_has_not_written_its_dot(
    postgresql_database: str, tmp_path: Path
) -> None:
    answers = {"RCPT": [silence, "250 ok"]}
    async with (
        FreezingProxy(postgresql_database) as proxy,
        serving(tmp_path, postgresql_database, Script(answers), through=proxy.url) as ([process], peer),
    ):
        email_id = await process.client.send()
        await peer.until(lambda: "RCPT" in heard(peer))
        proxy.freeze()
        # No beat for three quarters of the time after which others take it for dead.
        await peer.until_ended()
        assert process.is_running
        proxy.go_on()
        email = await process.client.settled(email_id)
        assert (email.state, email.ambiguous_count) == (email_pb2.EMAIL_STATE_SUCCESS, 0)
    assert len(peer.messages) == 1
