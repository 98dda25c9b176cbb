"""Who a mail comes from: defaults, the tenant's domains, the servers' senders (security.md A9)."""

from __future__ import annotations

from typing import Any

import pytest

from accepting import Accepting, draft
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER, STRANGER
from postroom_server.mail.server_form import ServerForm
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.facts import ServerFacts
from postroom_server.store.models import Email, MailServer, MailServerState
from postroom_server.store.opening import OpenDatabase

PLATFORM = 0


@pytest.fixture
async def world(opened: OpenDatabase) -> Accepting:
    made = Accepting(opened)
    await made.fill()
    return made


async def sender(world: Accepting, **fields: Any) -> tuple[str, str]:
    """From as it is stored."""
    accepted = await world.accept(draft(**fields))
    (row,) = await world.rows(Email, Email.id == accepted.id)
    return row.from_address, row.from_name


async def refusal_of(world: Accepting, caller: Any = AUTHOR, **fields: Any) -> Refusal:
    before = await world.counts()
    with pytest.raises(Refusal) as caught:
        await world.accept(draft(**fields), caller)
    assert await world.counts() == before
    return caught.value


async def refused(world: Accepting, address: str, caller: Any = AUTHOR) -> None:
    refusal = await refusal_of(world, caller, from_address=address)
    assert refusal.reason is Reason.SENDER_NOT_ALLOWED
    assert [violation.field for violation in refusal.violations] == ["from_address"]


async def test_without_any_server_nothing_is_accepted(world: Accepting) -> None:
    assert (await refusal_of(world)).reason is Reason.NO_MAIL_SERVER
    await world.add_server(OTHER)
    await world.add_server(ACME, state=MailServerState.DISABLED)
    assert (await refusal_of(world)).reason is Reason.NO_MAIL_SERVER


async def test_the_callers_address_goes_before_the_tenants_and_that_before_the_servers(
    world: Accepting,
) -> None:
    await world.add_server(from_address="server@acme.example", from_name="Server")
    assert await sender(world) == ("server@acme.example", "Server")
    await world.change_tenant(from_address="tenant@acme.example", from_name="Tenant")
    assert await sender(world) == ("tenant@acme.example", "Tenant")
    assert await sender(world, from_address="mine@ACME.example") == ("mine@acme.example", "")


async def test_a_default_name_goes_with_its_own_address_only(world: Accepting) -> None:
    await world.add_server(from_address="server@acme.example", from_name="Server")
    await world.change_tenant(from_address="tenant@acme.example", from_name="Tenant")
    assert await sender(world, from_address="tenant@acme.example") == ("tenant@acme.example", "Tenant")
    assert await sender(world, from_address="server@acme.example") == ("server@acme.example", "Server")
    assert await sender(world, from_name="Me") == ("tenant@acme.example", "Me")


async def test_somebody_must_name_a_sender(world: Accepting) -> None:
    await world.add_server(from_address="")
    refusal = await refusal_of(world)
    assert (refusal.reason, [v.field for v in refusal.violations]) == (
        Reason.INVALID_FIELD, ["from_address"],
    )  # fmt: skip


async def test_the_first_server_with_a_default_that_may_be_used_gives_it(world: Accepting) -> None:
    await world.change_tenant(sender_domains=("acme.example",))
    await world.add_server(name="first", priority=1, from_address="")
    await world.add_server(name="second", priority=2, from_address="x@elsewhere.example")
    await world.add_server(
        name="third", priority=3, from_address="third@acme.example", allowed_senders=("fourth@acme.example",)
    )
    await world.add_server(name="fourth", priority=4, from_address="fourth@acme.example", from_name="Four")
    assert await sender(world) == ("fourth@acme.example", "Four")


async def test_the_subject_prefix_is_that_of_the_first_server_that_may_carry_the_sender(
    world: Accepting,
) -> None:
    await world.add_server(name="a", priority=1, allowed_senders=("@a.example",), subject_prefix="A")
    await world.add_server(name="b", priority=2, allowed_senders=("me@b.example",), subject_prefix="B")
    for address in ("x@a.example", "ME@b.example"):
        await world.accept(draft(from_address=address))
    assert [row.subject_prefix for row in await world.rows(Email)] == ["A", "B"]


async def test_a_tenants_domains_do_not_include_subdomains(world: Accepting) -> None:
    await world.add_server()
    await world.change_tenant(sender_domains=("acme.example", "bücher.example"))
    assert (await sender(world, from_address="a@ACME.example"))[0] == "a@acme.example"
    assert (await sender(world, from_address="a@bücher.example"))[0] == "a@xn--bcher-kva.example"
    for address in ("a@sub.acme.example", "a@notacme.example", "a@acme.example.evil.example"):
        await refused(world, address)


async def test_a_server_takes_the_senders_it_names(world: Accepting) -> None:
    await world.add_server(allowed_senders=("@acme.example", "Boss@other.example"), from_address="")
    for address in ("any@acme.example", "boss@other.example", "BOSS@other.example"):
        assert (await sender(world, from_address=address))[0] == address
    for address in ("x@other.example", "x@sub.acme.example"):
        await refused(world, address)


async def test_own_servers_are_used_alone_and_paused_ones_count(world: Accepting) -> None:
    await world.add_server(PLATFORM, from_address="noreply@platform.example")
    assert (await sender(world))[0] == "noreply@platform.example"
    own = await world.add_server(from_address="own@acme.example", state=MailServerState.PAUSED)
    assert (await sender(world))[0] == "own@acme.example"
    disabled = ServerForm(state=MailServerState.DISABLED)
    await world.store.write(world.servers.update, AUTHOR, None, own.id, disabled, ["state"])
    assert (await sender(world))[0] == "noreply@platform.example"


# A9: tenants do not write as one another through servers that they share.


async def test_a9_where_nobody_names_senders_only_the_operators_defaults_may_be_used(
    world: Accepting,
) -> None:
    await world.add_server(PLATFORM, name="a", from_address="noreply@platform.example")
    await world.add_server(PLATFORM, name="b", from_address="second@platform.example")
    await world.change_tenant(from_address="tenant@acme.example")
    for allowed in ("tenant@acme.example", "noreply@platform.example", "second@platform.example"):
        assert (await sender(world, from_address=allowed))[0] == allowed
    for spoofed in ("ceo@other.example", "x@acme.example", "admin@platform.example"):
        await refused(world, spoofed)


async def test_a9_a_tenants_domains_open_the_platforms_servers_for_it_alone(world: Accepting) -> None:
    await world.add_server(PLATFORM)
    await world.change_tenant(sender_domains=("acme.example",))
    await world.change_tenant(OTHER, sender_domains=("other.example",))
    assert (await sender(world, from_address="x@acme.example"))[0] == "x@acme.example"
    await world.accept(draft(from_address="x@other.example"), STRANGER)
    await refused(world, "x@other.example")
    await refused(world, "x@acme.example", STRANGER)


async def test_a9_a_platform_server_that_names_senders_is_open_for_these(world: Accepting) -> None:
    await world.add_server(PLATFORM, allowed_senders=("@shared.example",), from_address="")
    assert (await sender(world, from_address="x@shared.example"))[0] == "x@shared.example"
    await refused(world, "x@acme.example")
    await world.change_tenant(sender_domains=("acme.example",))
    # Both the tenant and the server must let it.
    await refused(world, "x@shared.example")
    await refused(world, "x@acme.example")


async def test_a9_the_platform_itself_and_own_servers_carry_any_sender(world: Accepting) -> None:
    await world.add_server(PLATFORM)
    await world.accept(draft(from_address="any@where.example"), OPERATOR)
    await refused(world, "any@where.example")
    await world.add_server(ACME)
    assert (await sender(world, from_address="any@where.example"))[0] == "any@where.example"


async def test_a9_mail_of_a_tenants_own_server_does_not_leave_through_the_platforms_as_somebody_else(
    world: Accepting,
) -> None:
    await world.add_server(PLATFORM, from_address="noreply@platform.example")
    own = await world.add_server()
    assert (await sender(world, from_address="ceo@other.example"))[0] == "ceo@other.example"
    await world.store.write(world.servers.delete, AUTHOR, None, own.id)
    (carrier,) = await world.store.read(lambda: world.memory.current().servers_for(ACME))
    assert isinstance(carrier, ServerFacts)
    assert not carrier.allows("ceo@other.example")
    assert carrier.allows("noreply@platform.example")
    (raw,) = await world.rows(MailServer)
    assert raw.allowed_senders == "[]"
