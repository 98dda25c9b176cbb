"""The email by which a mail server is tried: whose servers may be tried, from whom, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from accepting import Accepting
from fakes import NOON
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER, STRANGER, content, template
from postroom_server.clock import MINUTE, SECOND
from postroom_server.mail.caller import Caller
from postroom_server.mail.server_test import ServerTest
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Content, Delivery, Email, Idempotency, MailServerState, Recipient
from postroom_server.store.opening import OpenDatabase

PLATFORM = 0
TO = ("ann@example.com",)


class Trying(Accepting):
    async def attempt(self, server_id: int, caller: Caller = AUTHOR, **asked: Any) -> int:
        test = ServerTest(self.acceptance, self.memory, self.clock)
        wanted = {"tenant_id": None, "sender_user_id": None, "to": TO, "timeout": None, **asked}
        checked = test.check(caller, server_id=server_id, **wanted)
        return await self.store.write(test.accept, caller, checked)

    async def sender(self, server_id: int, caller: Caller = AUTHOR, **asked: Any) -> str:
        email_id = await self.attempt(server_id, caller, **asked)
        (row,) = await self.rows(Email, Email.id == email_id)
        return str(row.from_address)


@pytest.fixture
async def world(opened: OpenDatabase) -> Trying:
    made = Trying(opened)
    await made.fill()
    return made


async def refusal_of(world: Trying, *args: Any, **asked: Any) -> Refusal:
    before = await world.counts()
    with pytest.raises(Refusal) as caught:
        await world.attempt(*args, **asked)
    assert await world.counts() == before
    return caught.value


async def test_every_trial_leaves_one_email_that_the_engine_keeps_away_from(world: Trying) -> None:
    server = await world.add_server(name="Main line")
    email_id = await world.attempt(server.id, to=("a@x.test", "b@x.test", "A@X.test"), timeout=5 * SECOND)
    (email,) = await world.rows(Email)
    assert (email.id, email.biz_key, email.urgent, email.separate) == (email_id, "CHANNEL_TEST", True, False)
    assert (email.subject, email.tenant_id) == ("Test of the mail server Main line", ACME)
    assert email.expire_time == NOON + 5 * SECOND + MINUTE
    (delivery,) = await world.rows(Delivery)
    assert (delivery.state, delivery.run_at) == ("READY", email.expire_time)
    assert [row.address for row in await world.rows(Recipient)] == ["a@x.test", "b@x.test", "A@x.test"]
    assert await world.rows(Idempotency) == []


async def test_what_is_bound_to_channel_test_is_what_it_says(world: Trying) -> None:
    server = await world.add_server(name="Main line")
    await world.platform_template(template("try", content("Try %channelType%", "<p>%channelType%</p>")))
    await world.store.write(world.bindings.put, PLATFORM, "CHANNEL_TEST", "try")
    await world.attempt(server.id)
    (email,) = await world.rows(Email)
    assert (email.invoke_name, email.subject) == ("try", None)
    (row,) = await world.rows(Content)
    assert row.params == '{"channelType":"Main line"}'


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({"to": ()}, ["to"]),
        ({"to": tuple(f"u{n}@x.test" for n in range(11))}, ["to"]),
        ({"timeout": SECOND - 1}, ["timeout"]),
        ({"timeout": 60 * SECOND + 1}, ["timeout"]),
        ({"timeout": -(2**62)}, ["timeout"]),
        ({"to": (), "timeout": 0}, ["to", "timeout"]),
        ({"to": ("ok@x.test", "bad", "a@x.test\n")}, ["to[1]", "to[2]"]),
    ],
)
async def test_addresses_and_time_are_limited(world: Trying, asked: Any, fields: list[str]) -> None:
    server = await world.add_server()
    refusal = await refusal_of(world, server.id, **asked)
    assert [violation.field for violation in refusal.violations] == fields


async def test_ten_addresses_and_a_minute_are_fine(world: Trying) -> None:
    server = await world.add_server()
    ten = tuple(f"u{n}@x.test" for n in range(10))
    await world.attempt(server.id, to=ten, timeout=60 * SECOND)
    await world.attempt(server.id, timeout=SECOND)
    assert len(await world.rows(Email)) == 2


async def test_e2_servers_of_others_are_not_found(world: Trying) -> None:
    theirs = await world.add_server(OTHER)
    for caller, asked in ((AUTHOR, {}), (OPERATOR, {}), (OPERATOR, {"tenant_id": ACME})):
        refusal = await refusal_of(world, theirs.id, caller, **asked)
        assert refusal.reason is Reason.MAIL_SERVER_NOT_FOUND
    assert (await refusal_of(world, theirs.id, AUTHOR, tenant_id=OTHER)).reason is Reason.TENANT_FORBIDDEN
    await world.attempt(theirs.id, OPERATOR, tenant_id=OTHER)
    for unknown in (0, -1, 4711, 2**63 - 1):
        assert (await refusal_of(world, unknown)).reason is Reason.MAIL_SERVER_NOT_FOUND


async def test_the_platforms_servers_may_be_tried_by_those_whose_mail_they_carry(world: Trying) -> None:
    platform = await world.add_server(PLATFORM)
    await world.attempt(platform.id)
    await world.add_server(ACME)
    assert (await refusal_of(world, platform.id)).reason is Reason.MAIL_SERVER_NOT_FOUND
    await world.attempt(platform.id, STRANGER)
    await world.attempt(platform.id, OPERATOR)


async def test_a_disabled_server_can_be_tried(world: Trying) -> None:
    server = await world.add_server(state=MailServerState.DISABLED)
    await world.attempt(server.id)
    assert len(await world.rows(Delivery)) == 1


async def test_it_comes_from_the_servers_own_address_where_that_may_be_used(world: Trying) -> None:
    await world.change_tenant(from_address="tenant@acme.example")
    own = await world.add_server(name="a", from_address="server@acme.example")
    picky = await world.add_server(
        name="b", from_address="server@acme.example", allowed_senders=("tenant@acme.example",)
    )
    assert await world.sender(own.id) == "server@acme.example"
    assert await world.sender(picky.id) == "tenant@acme.example"


async def test_a9_a_trial_of_a_platform_server_keeps_to_the_tenants_domains(world: Trying) -> None:
    platform = await world.add_server(PLATFORM, from_address="noreply@platform.example")
    assert await world.sender(platform.id) == "noreply@platform.example"
    await world.change_tenant(sender_domains=("acme.example",))
    assert (await refusal_of(world, platform.id)).reason is Reason.SENDER_NOT_ALLOWED
    await world.change_tenant(from_address="tenant@acme.example")
    assert await world.sender(platform.id) == "tenant@acme.example"


async def test_a_paused_tenant_tries_nothing(world: Trying) -> None:
    server = await world.add_server()
    await world.change_tenant(state="PAUSED")
    assert (await refusal_of(world, server.id)).reason is Reason.TENANT_PAUSED
