"""Mail servers: defaults, rules, sealed passwords, updates (security.md E2, F5, G1)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fakes import NOON, ManualClock
from peers.configuration import ACME, AUTHOR, OPERATOR, STRANGER, Configuration
from postroom_server import smtp
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.pages import PageRequest
from postroom_server.mail.server_form import AuthMechanism, ServerForm, TlsMode
from postroom_server.mail.servers import ServerRecord
from postroom_server.mail.tenants import TenantForm
from postroom_server.refusals import Reason
from postroom_server.store.filters import Filter, Operator
from postroom_server.store.models import MailServer, MailServerState
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.sealing import DataKeyError
from refusing import refusal_of

PLAIN = ServerForm(name="main", host="smtp.example.com")
WITH_LOGIN = ServerForm(name="main", host="smtp.example.com", username="user", password="s3cret-pass")


class World(Configuration):
    async def create(self, form: ServerForm = PLAIN, caller: Caller = AUTHOR) -> ServerRecord:
        return await self.store.write(self.servers.create, caller, None, form)

    async def update(self, id_: int, form: ServerForm, *paths: str, caller: Caller = AUTHOR) -> ServerRecord:
        return await self.store.write(self.servers.update, caller, None, id_, form, paths)

    async def password(self, id_: int, row_id: int | None = None) -> str | None:
        row = await self.store.read(MailServer.get_by_id, id_)
        if row.sealed_password is None:
            return None
        return self.sealer.open(
            row.sealed_password, table="mail_server", column="sealed_password", row_id=row_id or id_
        )


@pytest.fixture
async def world(opened: OpenDatabase) -> World:
    made = World(opened, ManualClock())
    await made.fill()
    return made


async def fields_refused(awaitable: Any) -> list[str]:
    return [violation.field for violation in (await refusal_of(awaitable)).violations]


async def test_a_server_has_careful_defaults(world: World) -> None:
    server = await world.create()
    assert server.form == dataclasses.replace(
        PLAIN,
        port=587,
        tls_mode=TlsMode.REQUIRED,
        auth_mechanism=AuthMechanism.AUTO,
        state=MailServerState.ENABLED,
        weight=1,
    )
    assert (server.tenant_id, server.has_password, server.auth_in_force) == (ACME, False, AuthMechanism.NONE)
    assert (server.create_time, server.update_time) == (NOON, NOON)


@pytest.mark.parametrize(
    ("mode", "host", "port"),
    [
        (TlsMode.REQUIRED, "mx.example", 587),
        (TlsMode.OPPORTUNISTIC, "mx.example", 587),
        (TlsMode.IMPLICIT, "mx.example", 465),
        (TlsMode.OFF, "localhost", 25),
    ],
)
async def test_the_port_is_the_modes(world: World, mode: TlsMode, host: str, port: int) -> None:
    server = await world.create(ServerForm(name="a", host=host, tls_mode=mode))
    assert server.form.port == port


async def test_the_mode_and_mechanism_words_are_those_of_the_conversation() -> None:
    assert set(TlsMode) == set(smtp.TlsMode)
    assert set(AuthMechanism) == set(smtp.AuthMechanism)


async def test_g1_a_password_is_sealed_for_its_row_and_never_told(world: World) -> None:
    first = await world.create(WITH_LOGIN)
    second = await world.create(dataclasses.replace(WITH_LOGIN, name="second"))
    stored = await world.store.read(lambda: list(MailServer.select().dicts()))
    assert first.has_password
    assert first.form.password == ""
    assert "s3cret-pass" not in repr(first) + repr(WITH_LOGIN)
    assert all(b"s3cret-pass" not in bytes(row["sealed_password"]) for row in stored)
    assert await world.password(first.id) == "s3cret-pass"
    with pytest.raises(DataKeyError):
        await world.password(first.id, row_id=second.id)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "relay.internal", "RELAY.internal."]
)
async def test_f5_plaintext_goes_to_loopback_and_to_named_hosts(world: World, host: str) -> None:
    server = await world.create(ServerForm(name="a", host=host, tls_mode=TlsMode.OFF))
    assert server.form.tls_mode is TlsMode.OFF


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "smtp.example.com", "localhost.example.com", "0.0.0.0", "relay.internal.example"]
)
async def test_f5_plaintext_goes_nowhere_else(world: World, host: str) -> None:
    refused = world.create(ServerForm(name="a", host=host, tls_mode=TlsMode.OFF))
    assert await fields_refused(refused) == ["mail_server.tls_mode"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("SMTP.Example.com.", "smtp.example.com"),
        ("mail_1.internal", "mail_1.internal"),
        ("[2001:DB8::1]", "2001:DB8::1"),
        ("192.0.2.7", "192.0.2.7"),
        ("relay", "relay"),
    ],
)
async def test_a_host_is_a_name_or_an_address(world: World, given: str, kept: str) -> None:
    assert (await world.create(ServerForm(name="a", host=given))).form.host == kept


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "a b",
        "a..b",
        "-a.example",
        "127.1",
        "1.2.3.4.5",
        "http://x",
        "x:25",
        "bücher.example",
        "a" * 254,
        "fe80::1%eth0",
        "a\r\nb",
        "host/",
    ],
)
async def test_what_is_neither_is_refused(world: World, host: str) -> None:
    assert await fields_refused(world.create(ServerForm(name="a", host=host))) == ["mail_server.host"]


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        (ServerForm(username="u"), ["password"]),
        (ServerForm(auth_mechanism=AuthMechanism.PLAIN), ["username"]),
        (ServerForm(auth_mechanism=AuthMechanism.LOGIN, password="p"), ["username"]),
        (ServerForm(username="u", password="a\0b"), ["password"]),
        (ServerForm(username="u", password="p" * 1001), ["password"]),
        (ServerForm(port=65536), ["port"]),
        (ServerForm(port=-1), ["port"]),
        (ServerForm(priority=1001, weight=-1), ["priority", "weight"]),
        (ServerForm(max_connections=1001), ["max_connections"]),
        (ServerForm(messages_per_second=float("nan")), ["messages_per_second"]),
        (ServerForm(messages_per_second=-0.5), ["messages_per_second"]),
        (ServerForm(allowed_senders=("a@b.example", "b.example", "@", "")), [
            "allowed_senders[1]", "allowed_senders[2]", "allowed_senders[3]"]),
        (ServerForm(allowed_senders=("@b.example",) * 1001), ["allowed_senders"]),
        (ServerForm(from_address="a b@c.example"), ["from_address"]),
        (ServerForm(from_name="x" * 201), ["from_name"]),
        (ServerForm(subject_prefix="[a]\r\nBcc: x"), ["subject_prefix"]),
        (ServerForm(subject_prefix="=?utf-8?q?x?="), ["subject_prefix"]),
        (ServerForm(subject_prefix="x" * 61), ["subject_prefix"]),
    ],
)  # fmt: skip
async def test_rules(world: World, form: ServerForm, fields: list[str]) -> None:
    refused = world.create(dataclasses.replace(form, name="a", host="mx.example"))
    assert await fields_refused(refused) == [f"mail_server.{field}" for field in fields]


async def test_every_violation_is_named_at_once(world: World) -> None:
    form = ServerForm(port=-1, tls_mode=TlsMode.OFF, from_address="?")
    assert await fields_refused(world.create(form)) == [
        "mail_server.name",
        "mail_server.host",
        "mail_server.port",
        "mail_server.from_address",
    ]
    assert await world.store.read(MailServer.select().count) == 0


async def test_no_login_needs_no_password(world: World) -> None:
    form = ServerForm(name="a", host="mx.example", username="u", auth_mechanism=AuthMechanism.NONE)
    assert (await world.create(form)).auth_in_force is AuthMechanism.NONE


async def test_allowed_senders_are_compared_without_case(world: World) -> None:
    form = dataclasses.replace(
        PLAIN, allowed_senders=("Post@Example.COM", "@Bücher.example", "post@example.com")
    )
    made = await world.create(form)
    assert made.form.allowed_senders == ("post@example.com", "@xn--bcher-kva.example")
    known = await world.store.read(world.memory.current)
    facts = await world.store.read(known.server, made.id)
    assert facts is not None
    assert facts.allows("POST@example.com")
    assert facts.allows("x@xn--bcher-kva.example")
    assert not facts.allows("other@example.com")


async def test_names_are_taken_once_in_a_tenant(world: World) -> None:
    first = await world.create()
    assert (await refusal_of(world.create())).reason is Reason.MAIL_SERVER_EXISTS
    assert (await world.create(caller=STRANGER)).tenant_id != ACME
    second = await world.create(dataclasses.replace(PLAIN, name="second"))
    refusal = await refusal_of(world.update(second.id, PLAIN, "name"))
    assert (refusal.reason, refusal.metadata) == (Reason.MAIL_SERVER_EXISTS, {"name": first.form.name})


async def test_e6_a_tenant_has_ten_servers_or_what_it_is_allowed(world: World) -> None:
    for number in range(10):
        await world.create(dataclasses.replace(PLAIN, name=f"server {number}"))
    refusal = await refusal_of(world.create(dataclasses.replace(PLAIN, name="one more")))
    assert (refusal.reason, refusal.metadata) == (Reason.MAIL_SERVER_LIMIT, {"limit": "10"})
    await world.create(caller=STRANGER)
    eleven = TenantForm(limits={"max_mail_servers": 11})
    await world.store.write(world.tenants.update, ACME, eleven, ["limits.max_mail_servers"])
    await world.create(dataclasses.replace(PLAIN, name="one more"))


async def test_an_update_changes_the_named_fields_only(world: World) -> None:
    made = await world.create(WITH_LOGIN)
    assert isinstance(world.clock, ManualClock)
    world.clock.advance(1000)
    form = ServerForm(name="ignored", priority=5, state=MailServerState.PAUSED)
    changed = await world.update(made.id, form, "priority", "state")
    assert changed.form == dataclasses.replace(made.form, priority=5, state=MailServerState.PAUSED)
    assert (changed.create_time, changed.update_time) == (NOON, NOON + 1000)
    assert await world.password(made.id) == "s3cret-pass"


async def test_an_update_that_changes_nothing_changes_nothing(world: World) -> None:
    made = await world.create()
    assert isinstance(world.clock, ManualClock)
    world.clock.advance(1000)
    assert await world.update(made.id, ServerForm(name="x")) == made
    assert await world.update(made.id, PLAIN, "name", "host") == made


async def test_a_password_is_replaced_and_removed(world: World) -> None:
    made = await world.create(WITH_LOGIN)
    changed = await world.update(made.id, ServerForm(password="another"), "password")
    assert changed.has_password
    assert await world.password(made.id) == "another"
    refused = world.update(made.id, ServerForm(), "password")
    assert await fields_refused(refused) == ["mail_server.password"]
    removed = await world.update(made.id, ServerForm(), "password", "username")
    assert not removed.has_password
    assert await world.password(made.id) is None


async def test_a_user_name_given_later_logs_in(world: World) -> None:
    made = await world.create()
    changed = await world.update(made.id, WITH_LOGIN, "username", "password")
    assert changed.auth_in_force is AuthMechanism.AUTO


async def test_a_default_port_follows_the_mode_and_a_chosen_one_stays(world: World) -> None:
    default = await world.create()
    chosen = await world.create(ServerForm(name="b", host="mx.example", port=2525))
    implicit = ServerForm(tls_mode=TlsMode.IMPLICIT)
    assert (await world.update(default.id, implicit, "tls_mode")).form.port == 465
    assert (await world.update(chosen.id, implicit, "tls_mode")).form.port == 2525


async def test_f5_an_update_cannot_open_a_plaintext_line(world: World) -> None:
    made = await world.create()
    off = ServerForm(tls_mode=TlsMode.OFF)
    assert await fields_refused(world.update(made.id, off, "tls_mode")) == ["mail_server.tls_mode"]
    loopback = await world.create(ServerForm(name="b", host="localhost", tls_mode=TlsMode.OFF))
    moved = world.update(loopback.id, PLAIN, "host")
    assert await fields_refused(moved) == ["mail_server.tls_mode"]


@pytest.mark.parametrize("path", ["id", "has_password", "breaker", "tenant_id", "nothing"])
async def test_a_mask_names_fields_that_can_be_changed(world: World, path: str) -> None:
    made = await world.create()
    assert await fields_refused(world.update(made.id, PLAIN, path)) == ["update_mask"]


async def test_e2_foreign_servers_are_not_found(world: World) -> None:
    made = await world.create()
    servers, store = world.servers, world.store
    for unit in (
        store.read(servers.get, STRANGER, None, made.id),
        store.write(servers.update, STRANGER, None, made.id, PLAIN, ["name"]),
        store.write(servers.delete, STRANGER, None, made.id),
        store.read(servers.get, AUTHOR, None, 99),
    ):
        assert (await refusal_of(unit)).reason is Reason.MAIL_SERVER_NOT_FOUND


async def test_the_platforms_servers_are_the_operators(world: World) -> None:
    own = Caller(0, 9, "no platform scope", frozenset({Scope.SERVER}))
    made = await world.create(caller=OPERATOR)
    assert made.tenant_id == 0
    for unit in (
        world.create(dataclasses.replace(PLAIN, name="b"), caller=own),
        world.update(made.id, PLAIN, "name", caller=own),
        world.store.write(world.servers.delete, own, None, made.id),
        world.store.write(world.servers.create, AUTHOR, 0, PLAIN),
    ):
        assert (await refusal_of(unit)).reason is Reason.TENANT_FORBIDDEN
    assert await world.store.read(world.servers.get, own, None, made.id) == made


async def test_a_deleted_server_is_gone(world: World) -> None:
    made = await world.create()
    known = await world.store.read(world.memory.current)
    assert len(await world.store.read(known.servers_for, ACME)) == 1
    await world.store.write(world.servers.delete, AUTHOR, None, made.id)
    assert (await refusal_of(world.store.write(world.servers.delete, AUTHOR, None, made.id))).reason is (
        Reason.MAIL_SERVER_NOT_FOUND
    )
    known = await world.store.read(world.memory.current)
    assert await world.store.read(known.servers_for, ACME) == ()


async def test_lists_are_in_the_order_of_use_and_filtered(world: World) -> None:
    for name, priority in (("a", 2), ("b", 1), ("c", 2)):
        await world.create(dataclasses.replace(PLAIN, name=name, priority=priority))
    await world.create(caller=STRANGER)
    await world.create(caller=OPERATOR)
    everything = await world.store.read(world.server_list.list, AUTHOR, None, PageRequest())
    first = PageRequest(filters=(Filter("priority", Operator.LESS_THAN, ("2",)),))
    kept = await world.store.read(world.server_list.list, AUTHOR, None, first)
    assert [server.form.name for server in everything.items] == ["b", "a", "c"]
    assert [server.form.name for server in kept.items] == ["b"]
