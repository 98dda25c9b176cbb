"""Bindings of business keys, the tenant's own and the platform's."""

from __future__ import annotations

from typing import Any

import pytest

from fakes import NOON, ManualClock
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER, STRANGER, Configuration, template
from postroom_server.mail.bindings import BindingRecord
from postroom_server.mail.caller import Caller
from postroom_server.mail.pages import PageRequest
from postroom_server.refusals import Reason
from postroom_server.store.filters import Filter, Operator
from postroom_server.store.opening import OpenDatabase
from refusing import refusal_of


class World(Configuration):
    async def bind(self, key: str, name: str, caller: Caller = AUTHOR) -> BindingRecord:
        return await self.store.write(self.bindings.bind, caller, None, key, name)

    async def unbind(self, key: str, caller: Caller = AUTHOR) -> None:
        await self.store.write(self.bindings.unbind, caller, None, key)

    async def bound(self, key: str, tenant_id: int = ACME) -> str | None:
        known = await self.store.read(self.memory.current)
        return await self.store.read(known.bound_name, tenant_id, key)

    async def listed(self, request: PageRequest | None = None, **options: Any) -> list[tuple[int, str]]:
        page = await self.store.read(self.bindings.list, AUTHOR, None, request or PageRequest(), **options)
        return [(binding.tenant_id, binding.biz_key) for binding in page.items]


@pytest.fixture
async def world(opened: OpenDatabase) -> World:
    made = World(opened, ManualClock())
    await made.fill()
    await made.new_template(template("own"))
    await made.new_template(template("shared"), OPERATOR)
    return made


async def test_a_key_stands_for_a_template(world: World) -> None:
    assert await world.bind("SIGNUP", "own") == BindingRecord(ACME, "SIGNUP", "own", NOON)
    assert (await world.bound("SIGNUP"), await world.bound("SIGNUP", OTHER)) == ("own", None)


async def test_names_that_stand_for_nothing_fill_no_memory(world: World) -> None:
    known = await world.store.read(world.memory.current)
    for number in range(50):
        assert await world.bound(f"ORDER_{number}") is None
        assert await world.store.read(known.template, ACME, f"nothing-{number}") is None
    assert not [key for key in known._values if key[0] in ("binding", "template")]  # type: ignore[index]


async def test_a_later_binding_replaces_an_earlier_one_and_repeating_is_harmless(world: World) -> None:
    await world.bind("SIGNUP", "own")
    assert isinstance(world.clock, ManualClock)
    world.clock.advance(1000)
    assert (await world.bind("SIGNUP", "own")).update_time == NOON
    assert (await world.bind("SIGNUP", "shared")).update_time == NOON + 1000
    assert await world.bound("SIGNUP") == "shared"
    assert await world.listed() == [(ACME, "SIGNUP")]


async def test_the_tenants_own_binding_wins_over_the_platforms(world: World) -> None:
    await world.bind("SIGNUP", "shared", OPERATOR)
    assert (await world.bound("SIGNUP"), await world.bound("SIGNUP", OTHER)) == ("shared", "shared")
    await world.bind("SIGNUP", "own")
    assert (await world.bound("SIGNUP"), await world.bound("SIGNUP", OTHER)) == ("own", "shared")
    await world.unbind("SIGNUP")
    assert await world.bound("SIGNUP") == "shared"


async def test_a_binding_names_a_template_that_the_tenant_can_send(world: World) -> None:
    await world.new_template(template("foreign"), STRANGER)
    for caller, name in ((AUTHOR, "nothing"), (AUTHOR, "foreign"), (OPERATOR, "own")):
        assert (await refusal_of(world.bind("SIGNUP", name, caller))).reason is Reason.TEMPLATE_NOT_FOUND


@pytest.mark.parametrize("key", ["", "signup", "1A", "_A", "A" * 65, "A-B", "Ä"])
async def test_a_key_is_written_in_capitals(world: World, key: str) -> None:
    refusal = await refusal_of(world.bind(key, "own name"))
    assert [violation.field for violation in refusal.violations] == ["biz_key", "invoke_name"]


async def test_what_is_not_bound_cannot_be_unbound(world: World) -> None:
    await world.bind("SIGNUP", "shared", OPERATOR)
    await world.bind("SIGNIN", "own")
    await world.unbind("SIGNIN")
    for key, caller in (("SIGNIN", AUTHOR), ("SIGNUP", AUTHOR), ("SIGNUP", STRANGER)):
        assert (await refusal_of(world.unbind(key, caller))).reason is Reason.BINDING_NOT_FOUND


async def test_e4_other_tenants_are_not_bound(world: World) -> None:
    for tenant_id in (OTHER, 0):
        unit = world.store.write(world.bindings.bind, AUTHOR, tenant_id, "SIGNUP", "own")
        assert (await refusal_of(unit)).reason is Reason.TENANT_FORBIDDEN


async def test_lists_are_by_key_and_show_the_platforms_where_the_tenant_has_none(world: World) -> None:
    for key in ("B", "A"):
        await world.bind(key, "own")
    for key in ("C", "B"):
        await world.bind(key, "shared", OPERATOR)
    assert await world.listed() == [(ACME, "A"), (ACME, "B")]
    assert await world.listed(include_platform=True) == [(ACME, "A"), (ACME, "B"), (0, "C")]
    shared = PageRequest(filters=(Filter("invoke_name", Operator.EQUAL, ("shared",)),))
    assert await world.listed(shared, include_platform=True) == [(0, "C")]
    assert await world.listed(PageRequest(order_by="biz_key desc", page_size=1)) == [(ACME, "B")]
