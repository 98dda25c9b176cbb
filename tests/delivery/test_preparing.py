"""The PREPARING stage: slots, retries, refusals, and what a stop or a crash leaves behind."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import hashlib
import itertools
from collections.abc import AsyncIterator, Callable

import pytest

from delivery.waiting_mail import (
    FAILED,
    READY,
    URL,
    execute,
    files,
    put_waiting,
    states,
    waits,
)
from fakes import NOON, ManualClock
from fetch.web_peer import ok, web_peer
from postroom_server.clock import HOUR
from postroom_server.delivery.preparation import CLAIM, RETRY_DELAYS, conclude
from postroom_server.delivery.preparing import Preparing, PreparingSettings
from postroom_server.fetch import Fetched, Fetcher, FetchFailed, FetchRefused, Rules
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.ids import IdMint
from postroom_server.store.unit import Store

PATIENCE = 10  # seconds; a test that waits this long has failed
SETTINGS = PreparingSettings(total_bytes=1000, poll_seconds=0.01, store_pause_seconds=0.01)


class Files:
    """Files by URL: bytes, errors, or a gate that holds whoever asks. The last answer is repeated."""

    def __init__(self) -> None:
        self.answers: dict[str, list[object]] = {URL: [b"abc"]}
        self.asked: collections.Counter[str] = collections.Counter()
        self.limits: list[int | None] = []
        self.at_once = self.most_at_once = 0

    def say(self, url: str, *answers: object) -> None:
        self.answers[url] = list(answers)

    async def fetch(self, url: str, *, max_bytes: int | None = None) -> Fetched:
        self.asked[url] += 1
        self.limits.append(max_bytes)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            answers = self.answers[url]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(answer, asyncio.Event):
                await answer.wait()
                answer = b"at last"
            if isinstance(answer, Exception):
                raise answer
            assert isinstance(answer, bytes)
            return Fetched(answer, "", hashlib.sha256(answer).digest())
        finally:
            self.at_once -= 1


class World:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = ManualClock()
        self.web = Files()
        self.woken = 0
        self._nodes = itertools.count(100)  # away from the ids of stored_mail

    def _wake_engine(self) -> None:
        self.woken += 1

    def stage(self, settings: PreparingSettings = SETTINGS) -> Preparing:
        return Preparing(
            self.store,
            self.web,
            IdMint(self.clock, node=next(self._nodes)),
            settings=settings,
            due_now=self.clock.now,
            on_ready=self._wake_engine,
        )

    @contextlib.asynccontextmanager
    async def running(self, settings: PreparingSettings = SETTINGS) -> AsyncIterator[Preparing]:
        stage = self.stage(settings)
        await stage.start()
        try:
            yield stage
        finally:
            await asyncio.wait_for(stage.stop(), PATIENCE)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits until the rows say so."""
        async with asyncio.timeout(PATIENCE):
            while not await self.store.read(holds):  # noqa: ASYNC110 - rows do not call
                await asyncio.sleep(0.005)


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


@pytest.mark.every_database
async def test_an_email_gets_its_files_and_becomes_ready_and_the_engine_is_woken(world: World) -> None:
    other = "https://files.example.com/g"
    world.web.say(other, b"g" * 10)
    email_id = await world.store.write(
        lambda: put_waiting(urls=(URL, other), contents=[b"own"], delivery={"run_at": NOON + HOUR})
    )
    async with world.running():
        # The engine is woken after the commit that makes it ready; a stop in between leaves it to polling.
        await world.until(lambda: states(email_id) == READY and world.woken > 0)
    assert await world.store.read(files, email_id) == [b"own", b"abc", b"g" * 10]
    assert world.web.limits == [997, 994]
    assert world.woken == 1


async def test_a_real_fetcher_brings_a_real_file(world: World) -> None:
    async with web_peer(ok(b"from the wire")) as peer:
        url = peer.url("localhost", scheme="http")
        stage = Preparing(
            world.store,
            Fetcher(Rules.of(hosts=[f"localhost:{peer.port}"])),
            IdMint(world.clock, node=99),
            settings=SETTINGS,
            due_now=world.clock.now,
            on_ready=lambda: None,
        )
        email_id, refused = await world.store.write(
            lambda: [put_waiting(urls=(url,)), put_waiting(urls=("https://[::1]/",))]
        )
        await stage.start()
        await world.until(lambda: states(email_id) == READY and states(refused) == FAILED)
        await stage.stop()
    assert await world.store.read(files, email_id) == [b"from the wire"]


async def test_c4_a_file_is_fetched_once_though_another_one_fails(world: World) -> None:
    other = "https://files.example.com/g"
    world.web.say(other, FetchFailed("busy"), FetchFailed("busy"), b"g")
    email_id = await world.store.write(lambda: put_waiting(urls=(other, URL)))
    async with world.running():
        for tries, pause in ((1, RETRY_DELAYS[0]), (2, RETRY_DELAYS[1])):
            due = world.clock.now() + pause
            await world.until(lambda due=due, tries=tries: waits(email_id) == (due, tries))
            world.clock.advance(pause)
        await world.until(lambda: states(email_id) == READY)
    assert world.web.asked == {other: 3, URL: 1}
    assert await world.store.read(files, email_id) == [b"g", b"abc"]


@pytest.mark.every_database
async def test_a_fetch_that_keeps_failing_fails_the_email_after_the_last_delay(world: World) -> None:
    world.web.say(URL, FetchFailed("down"))
    email_id = await world.store.write(put_waiting)
    async with world.running():
        for tries, pause in enumerate(RETRY_DELAYS, 1):
            await world.until(lambda tries=tries: (waits(email_id) or (0, 0))[1] == tries)
            world.clock.advance(pause)
        await world.until(lambda: states(email_id) == FAILED)
    assert world.web.asked[URL] == 5
    assert world.woken == 0


async def test_an_email_that_is_due_again_before_its_round_is_over_is_taken_up_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.web.say(URL, FetchFailed("busy"), b"abc")
    email_id = await world.store.write(put_waiting)
    write, answers = world.store.write, asyncio.Event()
    writes: list[object] = []

    async def write_and_answer_late(unit: Callable[..., object], *given: object) -> object:
        writes.append(unit)
        written = await write(unit, *given)
        if unit is conclude:
            await answers.wait()
        return written

    monkeypatch.setattr(world.store, "write", write_and_answer_late)
    async with world.running():
        await world.until(lambda: waits(email_id) == (NOON + RETRY_DELAYS[0], 1))
        world.clock.advance(RETRY_DELAYS[0])
        before = len(writes)
        await world.until(lambda: len(writes) > before + 3)  # of claims: nothing else is under way
        assert world.web.asked == {URL: 1}
        answers.set()
        await world.until(lambda: states(email_id) == READY)
    assert world.web.asked == {URL: 2}


async def test_a_refused_fetch_fails_the_email_at_once(world: World) -> None:
    world.web.say(URL, FetchRefused("resolves to 10.0.0.1"))
    email_id = await world.store.write(lambda: put_waiting(urls=(URL, "https://never.example.com/")))
    async with world.running():
        await world.until(lambda: states(email_id) == FAILED)
    assert world.web.asked == {URL: 1}


async def test_files_that_are_too_much_together_fail_the_email(world: World) -> None:
    world.web.say(URL, b"x" * 600)
    other = "https://files.example.com/g"
    world.web.say(other, b"y" * 401)
    email_id = await world.store.write(lambda: put_waiting(urls=(URL, other)))
    async with world.running():
        await world.until(lambda: states(email_id) == FAILED)
    assert world.web.limits == [1000, 400]


async def test_an_email_that_expires_while_it_waits_fails(world: World) -> None:
    world.web.say(URL, FetchFailed("down"))
    email_id = await world.store.write(lambda: put_waiting(expire_time=NOON + 5))
    async with world.running():
        await world.until(lambda: waits(email_id) == (NOON + 5, 1))
        world.clock.advance(5)
        await world.until(lambda: states(email_id) == FAILED)
    assert world.web.asked[URL] == 1


async def test_an_email_that_is_cancelled_while_it_is_fetched_stays_cancelled(world: World) -> None:
    gate = asyncio.Event()
    world.web.say(URL, gate)
    email_id = await world.store.write(lambda: put_waiting(urls=(URL, "https://never.example.com/")))
    async with world.running():
        await world.until(lambda: world.web.asked[URL] == 1)
        await world.store.write(
            execute, "UPDATE delivery SET state = 'CANCELLED' WHERE email_id = ?", email_id
        )
        gate.set()
        await world.until(lambda: waits(email_id) is None)
    assert (await world.store.read(states, email_id))[2] == {"CANCELLED"}
    assert world.web.asked == {URL: 1}


async def test_our_own_mistake_counts_as_a_failure_and_stops_nothing_else(world: World) -> None:
    world.web.say("https://odd.example.com/", ValueError("a bug"))
    odd = await world.store.write(lambda: put_waiting(urls=("https://odd.example.com/",)))
    fine = await world.store.write(put_waiting)
    async with world.running():
        await world.until(lambda: states(fine) == READY and waits(odd) == (NOON + RETRY_DELAYS[0], 1))


async def test_no_more_are_fetched_at_a_time_than_there_are_slots_and_half_of_them_for_one_tenant(
    world: World,
) -> None:
    gate = asyncio.Event()
    world.web.say(URL, gate)
    ids = await world.store.write(lambda: [put_waiting(tenant_id=1 + n // 6) for n in range(18)])

    def claimed(tenant_id: int) -> int:
        query = "SELECT COUNT(*) FROM preparation WHERE tenant_id = ? AND fetch_time > ?"
        return int(execute(query, tenant_id, NOON).fetchone()[0])

    async with world.running(PreparingSettings(slots=4, total_bytes=1000, poll_seconds=0.01)):
        await world.until(lambda: world.web.at_once == 4)
        taken = await world.store.read(lambda: [claimed(tenant_id) for tenant_id in (1, 2, 3)])
        gate.set()
        await world.until(lambda: all(states(i) == READY for i in ids))
    assert sum(taken) == 4
    assert max(taken) <= 2
    assert world.web.most_at_once == 4


async def test_a_tenant_of_slow_files_does_not_keep_others_waiting(world: World) -> None:
    gate = asyncio.Event()
    world.web.say("https://slow.example.com/", gate)
    await world.store.write(
        lambda: [put_waiting(tenant_id=1, urls=("https://slow.example.com/",)) for _ in range(20)]
    )
    async with world.running():
        await world.until(lambda: world.web.at_once == 4)
        quick = await world.store.write(lambda: put_waiting(tenant_id=2))
        await world.until(lambda: states(quick) == READY)
        assert world.web.at_once == 4


async def test_a_stop_gives_back_what_is_under_way_and_the_next_process_takes_it_at_once(
    world: World,
) -> None:
    world.web.say(URL, asyncio.Event(), b"abc")
    email_id = await world.store.write(put_waiting)
    async with world.running():
        await world.until(lambda: world.web.asked[URL] == 1)
    assert await world.store.read(waits, email_id) == (NOON, 0)
    async with world.running():
        await world.until(lambda: states(email_id) == READY)


async def test_what_a_process_dies_with_is_taken_up_when_its_claim_has_run_out(world: World) -> None:
    # The rows as kill -9 leaves them: claimed, one file stored, the other not.
    email_id = await world.store.write(lambda: put_waiting(contents=[b"had"], fetch_time=NOON + CLAIM))
    async with world.running():
        world.clock.advance(CLAIM)
        await world.until(lambda: states(email_id) == READY)
    assert world.web.asked == {URL: 1}


@pytest.mark.every_database
async def test_two_processes_share_the_work_and_neither_does_it_twice(world: World) -> None:
    ids = await world.store.write(lambda: [put_waiting(tenant_id=n % 5) for n in range(60)])
    async with world.running(), world.running():
        await world.until(lambda: all(states(i) == READY for i in ids))
    assert world.web.asked[URL] == 60


async def test_a_pause_of_the_database_is_not_the_files_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    email_id = await world.store.write(put_waiting)
    write, troubles = world.store.write, iter(range(5))

    async def write_at_last(*given: object) -> object:
        if next(troubles, None) is not None:
            raise Refusal(Reason.STORE_UNAVAILABLE, "the database does not answer")
        return await write(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(world.store, "write", write_at_last)
    async with world.running():
        await world.until(lambda: states(email_id) == READY)
    assert next(troubles, None) is None


async def test_waking_starts_the_work_before_the_next_poll(world: World) -> None:
    async with world.running(PreparingSettings(total_bytes=1000, poll_seconds=600)) as stage:
        first = await world.store.write(put_waiting)
        await asyncio.to_thread(stage.wake)
        await world.until(lambda: states(first) == READY)
        email_id = await world.store.write(put_waiting)
        await asyncio.to_thread(stage.wake)
        await world.until(lambda: states(email_id) == READY)


async def test_a_stage_that_was_never_started_stops(world: World) -> None:
    stage = world.stage()
    stage.wake()
    await stage.stop()
