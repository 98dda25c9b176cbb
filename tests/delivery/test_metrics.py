"""What the engine tells Prometheus, under the names that docs/reference/metrics.md explains."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from acceptance.world import World as Whole
from acceptance.world import serving, until
from delivery.carrying import World, at
from delivery.values import CONNECTION, DELIVERED, from_sender, job, leased, middle, server
from fakes import NOON
from peers.smtp_peer import Script, SmtpPeer, hang_up
from postroom.v1 import mail_server_pb2, mail_server_service_pb2
from postroom_server.clock import HOUR, SECOND
from postroom_server.delivery import queue as queue_module
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.breaker import BreakerState
from postroom_server.delivery.lease import ALONE
from postroom_server.delivery.metrics import MOST_SENDERS, OTHERS, DeliveryMetrics, Waiting
from postroom_server.delivery.queue import look
from postroom_server.delivery.rescue import Rescued
from postroom_server.delivery.verdict import judge
from postroom_server.exposition import new_registry
from postroom_server.smtp import Level, Phase, Transaction
from postroom_server.store.models import Delivery, Lane
from postroom_server.store.unit import Store
from stored_mail import put_email

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
EXPLAINED = set(re.findall(r"`(postroom_\w+)", PAGE.read_text()))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> DeliveryMetrics:
    return DeliveryMetrics(registry)


def values(registry: CollectorRegistry, name: str) -> dict[str, float]:
    """A metric's values by the last of its labels, those that are not 0."""
    return {
        list(sample.labels.values())[-1] if sample.labels else "": sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name and sample.value
    }


def ended(transaction: Transaction, *earlier: Settlement) -> Settlement:
    one = leased()
    verdict = judge(one, transaction, now=NOON, uniform=middle)
    return Settlement(one, verdict, transaction, 1, NOON, NOON, earlier)


def test_attempts_and_recipients_are_counted_as_they_end(
    registry: CollectorRegistry, metrics: DeliveryMetrics
) -> None:
    lost = Transaction(Phase.DOT, Level.AMBIGUOUS, (None,), started=True)
    metrics.settled([ended(DELIVERED), ended(DELIVERED, ended(CONNECTION)), ended(lost)])
    found = values(registry, "postroom_attempts_total")
    assert found == {"DELIVERED": 2, "CONNECTION": 1, "AMBIGUOUS": 1}
    assert values(registry, "postroom_recipients_total") == {"DELIVERED": 2}
    assert values(registry, "postroom_ambiguous_total") == {"line": 1}


def test_leases_rescues_and_what_is_put_off_are_counted(
    registry: CollectorRegistry, metrics: DeliveryMetrics
) -> None:
    metrics.leased([leased(), leased(lane=Lane.BULK), leased()])
    metrics.rescued(Rescued(ready=3, held=1, ambiguous=4))
    metrics.put_off("busy")
    assert values(registry, "postroom_leases_total") == {"normal": 2, "bulk": 1}
    assert values(registry, "postroom_rescues_total") == {"ready": 3, "held": 1}
    assert values(registry, "postroom_ambiguous_total") == {"crash": 4}
    assert values(registry, "postroom_put_off_total") == {"busy": 1}


def test_refused_senders_are_counted_by_server_and_domain_and_no_more_than_fit(
    registry: CollectorRegistry, metrics: DeliveryMetrics
) -> None:
    for number in range(MOST_SENDERS + 1):
        metrics.sender_refused(server(), f"{number}.example")
    metrics.sender_refused(server(), "0.example")
    found = values(registry, "postroom_sender_refusals_total")
    assert (len(found), found["0.example"], found[OTHERS]) == (MOST_SENDERS + 1, 2, 1)


def test_what_stands_at_a_value_is_asked_at_the_scrape(
    registry: CollectorRegistry, metrics: DeliveryMetrics
) -> None:
    states = [(server(), BreakerState.OPEN), (server(2), BreakerState.HALF_OPEN)]
    metrics.watch(lambda: 5, lambda: states, lambda: {Lane.URGENT: Waiting(7, 1.5)}, lambda: True)
    assert values(registry, "postroom_deliveries_in_hand") == {"": 5}
    assert values(registry, "postroom_sending_processes") == {"": 1}
    assert values(registry, "postroom_breaker_state") == {"server-1": 2, "server-2": 1}
    assert values(registry, "postroom_queue_deliveries") == {"urgent": 7}
    assert values(registry, "postroom_queue_oldest_seconds") == {"urgent": 1.5}


# What the engine does with it.


async def test_a_server_that_lets_nobody_in_opens_its_breaker_and_raises_the_alarm(world: World) -> None:
    async with SmtpPeer(Script({"BANNER": "554 no"})) as peer:
        world.begin(job(at(peer)))
        await world.outcomes(1)
    assert values(world.registry, "postroom_breaker_openings_total") == {"server-1": 1}
    assert values(world.registry, "postroom_login_refusals_total") == {}


async def test_refused_credentials_are_an_alarm_of_their_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoints = world.transmission._handover._endpoints
    monkeypatch.setattr(endpoints, "_sealer", Opened())
    async with SmtpPeer(Script({"AUTH": "535 5.7.8 no"}, offers=("AUTH PLAIN",))) as peer:
        world.begin(job(at(peer, auth_mechanism="PLAIN", username="me", sealed_password=b"sealed")))
        await world.outcomes(1)
    assert values(world.registry, "postroom_login_refusals_total") == {"server-1": 1}


class Opened:
    def open(self, *_: Any, **__: Any) -> str:
        return "secret"


async def test_a_sender_that_is_refused_is_counted(world: World) -> None:
    async with SmtpPeer(Script({"MAIL": "550 5.7.1 not you"})) as peer:
        world.begin(from_sender("a@shop.example", at(peer)))
        await world.outcomes(1)
    assert values(world.registry, "postroom_sender_refusals_total") == {"shop.example": 1}


@pytest.mark.parametrize(
    ("servers", "why", "told"),
    [
        ([server(state="PAUSED")], "no_server", "not sent: no mail server is enabled for it"),
        (
            [server(allowed_senders=frozenset({"@other.example"}))],
            "no_server",
            "not sent: no mail server may carry mail from noreply@example.com",
        ),
    ],
)
async def test_mail_that_nobody_may_carry_says_why(
    world: World, servers: list[Any], why: str, told: str
) -> None:
    world.begin(job(*servers))
    await world.outcomes(1)
    assert world.reported[0].verdict.why == told
    assert values(world.registry, "postroom_put_off_total") == {why: 1}


async def test_mail_behind_an_open_breaker_says_so(world: World) -> None:
    async with SmtpPeer(Script({"BANNER": hang_up})) as peer:
        facts = at(peer)
        for number in range(5):
            world.begin(job(facts))
            await world.outcomes(number + 1)
        world.begin(job(facts))
        await world.outcomes(6)
    assert world.reported[5].verdict.why == "not sent: no mail server can be reached"


# The queue.


@pytest.mark.every_database
async def test_the_queue_is_what_is_due_in_each_lane(store: Store) -> None:
    def put() -> None:
        for lane, due, tenant in ((0, -5, 1), (1, -60, 1), (1, -90, 2), (1, 3600, 3), (1 + ALONE, -10, 1)):
            put_email(tenant_id=tenant, delivery={"lane": lane, "run_at": NOON + due * SECOND})
        for state in ("LEASED", "HELD", "DONE"):
            put_email(delivery={"lane": 2, "state": state})

    await store.write(put)
    found = await store.read(look, lambda: NOON)
    assert found == {
        Lane.URGENT: Waiting(1, 5.0), Lane.NORMAL: Waiting(3, 90.0), Lane.BULK: Waiting(0, 0.0)
    }  # fmt: skip


async def test_a_long_queue_is_not_counted_to_its_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "COUNTED_TO", 2)

    def put() -> None:
        for _ in range(3):
            put_email()

    await store.write(put)
    assert (await store.read(look, lambda: NOON))[Lane.NORMAL] == Waiting(2, 0.0)


# A whole server.


async def test_every_metric_of_a_server_is_explained_and_counts_its_mail(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = new_registry()
    monkeypatch.setattr("postroom_server.assembly.new_registry", lambda: registry)
    script = Script({"DOT": ["451 no", "250 ok"]})
    async with serving(sqlite_database) as world, SmtpPeer(script) as peer:
        await world.furnish()
        await world.add_server(peer.port)
        for _ in range(2):
            await world.send()

        async def counted() -> bool:
            return sum(values(registry, "postroom_attempts_total").values()) == 2

        await until(counted)
        assert values(registry, "postroom_attempts_total") == {"TRANSIENT": 1, "DELIVERED": 1}
        assert values(registry, "postroom_leases_total") == {"normal": 2}
        assert values(registry, "postroom_deliveries_in_hand") == {}
        served = set(re.findall(r"^# TYPE (postroom_\w+) ", generate_latest(registry).decode(), re.MULTILINE))
    served = {name for name in served if not name.endswith("_created")}
    assert served <= EXPLAINED
    # The HTTP face and unsubscribe links are not served here.
    assert EXPLAINED - served <= {
        "postroom_http_requests_total", "postroom_http_seconds", "postroom_unsubscribed_total"
    }  # fmt: skip


@pytest.mark.every_database
async def test_mail_that_lost_its_server_says_what_it_waits_for_until_it_is_sent(database: str) -> None:
    async with serving(database) as world, SmtpPeer() as peer:
        await world.furnish()
        server_id = await world.add_server(peer.port)
        email_id = await world.send(schedule_time=world.at(HOUR))
        await change(world, server_id, mail_server_pb2.MAIL_SERVER_STATE_PAUSED)
        await make_due(world)
        waiting = await world.once(email_id, lambda email: bool(email.recipients[0].reply))
        recipient = waiting.recipients[0]
        assert (recipient.code, recipient.reply) == (0, "not sent: no mail server is enabled for it")
        assert list(waiting.attempts) == []
        await change(world, server_id, mail_server_pb2.MAIL_SERVER_STATE_ENABLED)
        await make_due(world)
        sent = await world.settled(email_id)
        assert (sent.recipients[0].code, sent.recipients[0].reply) == (250, "taken")


async def make_due(world: Whole) -> None:
    """On PostgreSQL it is the database's clock that says what is due."""
    await world.running.store.write(lambda: Delivery.update(run_at=0).execute())


async def change(world: Whole, server_id: int, state: Any) -> None:
    server = mail_server_pb2.MailServer(id=server_id, state=state)
    request = mail_server_service_pb2.UpdateMailServerRequest(mail_server=server)
    await world.call("UpdateMailServer", request)


def test_the_page_names_no_metric_twice() -> None:
    names = re.findall(r"^\| `(postroom_\w+)", PAGE.read_text(), re.MULTILINE)
    assert len(names) == len(set(names)) == len(EXPLAINED)
