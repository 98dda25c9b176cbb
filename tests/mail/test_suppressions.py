"""The suppression list as its callers see it: added, listed, removed."""

from __future__ import annotations

from typing import Any

import pytest

from fakes import NOON, ManualClock
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER, STRANGER, Configuration
from postroom_server.mail.caller import Caller
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import PageRequest
from postroom_server.mail.suppression_list import SuppressionList
from postroom_server.mail.suppressions import Added, SuppressionForm, SuppressionRecord, Suppressions
from postroom_server.refusals import Reason
from postroom_server.store import suppressed
from postroom_server.store.filters import Filter, Operator
from postroom_server.store.models import Suppression, SuppressionReason
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.suppressed import Entry
from refusing import refusal_of

pytestmark = pytest.mark.every_database
LIST = SuppressionList(PageTokens(b"k" * 32))


class World(Configuration):
    def __init__(self, opened: OpenDatabase) -> None:
        super().__init__(opened, ManualClock())
        self.suppressions = Suppressions(self.clock, self.mint)

    async def add(
        self, *forms: SuppressionForm, caller: Caller = AUTHOR, tenant_id: int | None = None
    ) -> Added:
        checked = self.suppressions.check_new(forms)
        return await self.store.write(self.suppressions.add, caller, tenant_id, checked)

    async def remove(self, *addresses: str, caller: Caller = AUTHOR) -> int:
        keys = self.suppressions.check_addresses(addresses)
        return await self.store.write(self.suppressions.remove, caller, None, keys)

    async def listed(self, caller: Caller = AUTHOR, **request: Any) -> list[SuppressionRecord]:
        return (await self.store.read(LIST.list, caller, None, PageRequest(**request))).items

    async def addresses(self, caller: Caller = AUTHOR, **request: Any) -> list[str]:
        return [record.address for record in await self.listed(caller, **request)]


@pytest.fixture
async def world(opened: OpenDatabase) -> World:
    made = World(opened)
    await made.fill()
    return made


def form(address: str, reason: SuppressionReason | None = SuppressionReason.MANUAL, note: str = "") -> Any:
    return SuppressionForm(address, reason, note)


async def test_an_address_is_listed_as_it_was_given(world: World) -> None:
    added = await world.add(form("Ann@EXAMPLE.com", SuppressionReason.COMPLAINED, "by phone"))
    (record,) = await world.listed()
    assert added == Added(1, 0)
    assert (record.address, record.reason, record.note) == ("Ann@example.com", "COMPLAINED", "by phone")
    assert (record.tenant_id, record.email_id, record.create_time) == (ACME, 0, NOON)


async def test_who_is_listed_keeps_the_entry(world: World) -> None:
    await world.add(form("ann@example.com", SuppressionReason.BOUNCED, "first"))
    added = await world.add(form("ANN@example.com", note="second"), form("bob@example.com"))
    assert added == Added(1, 1)
    assert {record.address: record.note for record in await world.listed()} == {
        "ann@example.com": "first",
        "bob@example.com": "",
    }


async def test_an_address_twice_in_one_call_is_listed_once_as_it_stands_first(world: World) -> None:
    added = await world.add(form("ann@example.com", note="first"), form("Ann@example.com", note="second"))
    assert added == Added(1, 1)
    assert [record.note for record in await world.listed()] == ["first"]


async def test_unsubscribed_gives_way_to_a_reason_that_stops_every_mail(world: World) -> None:
    await world.add(form("ann@example.com", SuppressionReason.UNSUBSCRIBED, "left"))
    again = await world.add(form("ann@example.com", SuppressionReason.UNSUBSCRIBED, "left again"))
    (before,) = await world.listed()
    stronger = await world.add(form("ann@example.com", SuppressionReason.MANUAL, "asked for it"))
    weaker = await world.add(form("ann@example.com", SuppressionReason.UNSUBSCRIBED))
    (after,) = await world.listed()
    assert again == stronger == weaker == Added(0, 1)
    assert (before.reason, before.note) == ("UNSUBSCRIBED", "left")
    assert (after.id, after.reason, after.note) == (before.id, "MANUAL", "asked for it")


async def test_a_thousand_at_once_and_not_one_more(world: World) -> None:
    many = [form(f"a{n}@example.com") for n in range(1001)]
    refused = await refusal_of(world.add(*many))
    nobody = await refusal_of(world.add())
    assert [refused.violations[0].field, nobody.violations[0].field] == ["suppressions"] * 2
    assert await world.add(*many[:1000]) == Added(1000, 0)
    assert await world.add(*many[1:]) == Added(1, 999)
    too_many = await refusal_of(world.remove(*(f"a{n}@example.com" for n in range(1001))))
    assert [v.field for v in too_many.violations] == ["addresses"]
    assert await world.remove(*(f"a{n}@example.com" for n in range(1000))) == 1000


async def test_everything_wrong_is_told_at_once(world: World) -> None:
    refused = await refusal_of(
        world.add(
            form("good@example.com"),
            form("bad"),
            form(""),
            form("ann@example.com", None),
            form("bob@example.com", note="x" * 501),
            form("cat@example.com", note="a\0b"),
        )
    )
    assert refused.reason is Reason.INVALID_FIELD
    assert [v.field for v in refused.violations] == [
        "suppressions[1].address",
        "suppressions[2].address",
        "suppressions[3].reason",
        "suppressions[4].note",
        "suppressions[5].note",
    ]
    assert await world.listed() == []
    assert await world.add(form("bob@example.com", note="x" * 500)) == Added(1, 0)


async def test_removing_passes_over_who_is_not_listed(world: World) -> None:
    await world.add(form("ann@example.com"), form("bob@example.com"), form("cat@example.com"))
    assert await world.remove("ANN@example.com", "nobody@example.com", "bob@example.com") == 2
    assert await world.addresses() == ["cat@example.com"]


async def test_removing_nobody_is_not_found_and_so_is_repeating(world: World) -> None:
    await world.add(form("ann@example.com"))
    assert await world.remove("ann@example.com") == 1
    assert (await refusal_of(world.remove("ann@example.com"))).reason is Reason.SUPPRESSION_NOT_FOUND
    bad = await refusal_of(world.remove("bad", "ann@example.com", ""))
    assert [v.field for v in bad.violations] == ["addresses[0]", "addresses[2]"]


async def test_each_tenant_has_a_list_of_its_own(world: World) -> None:
    await world.add(form("ann@example.com"))
    await world.add(form("ann@example.com", note="other"), caller=STRANGER)
    assert [record.note for record in await world.listed(STRANGER)] == ["other"]
    assert await world.remove("ann@example.com", caller=STRANGER) == 1
    assert await world.addresses() == ["ann@example.com"]


async def test_naming_another_tenant_needs_the_platform(world: World) -> None:
    forbidden = await refusal_of(world.add(form("ann@example.com"), tenant_id=OTHER))
    unknown = await refusal_of(world.add(form("ann@example.com"), caller=OPERATOR, tenant_id=99))
    assert (forbidden.reason, unknown.reason) == (Reason.TENANT_FORBIDDEN, Reason.TENANT_NOT_FOUND)
    assert await world.add(form("ann@example.com"), caller=OPERATOR, tenant_id=OTHER) == Added(1, 0)
    assert await world.addresses(STRANGER) == ["ann@example.com"]


async def test_the_list_is_filtered_ordered_and_walked(world: World) -> None:
    def put() -> None:
        entries = [
            Entry(ACME, "bob@example.com", SuppressionReason.REFUSED, email_id=5),
            Entry(ACME, "Ann@example.com", SuppressionReason.MANUAL),
            Entry(ACME, "cat@other.org", SuppressionReason.BOUNCED, email_id=6),
        ]
        for entry in entries:
            suppressed.put([entry], world.mint, NOON)
        Suppression.insert(
            id=1, tenant_id=ACME, address_key="hash", reason="MANUAL", create_time=NOON - 5000
        ).execute()

    await world.store.write(put)

    def where(field: str, operator: Operator, *values: str) -> dict[str, Any]:
        return {"filters": (Filter(field, operator, values),)}

    everybody = ["cat@other.org", "Ann@example.com", "bob@example.com", ""]
    assert await world.addresses() == everybody
    assert await world.addresses(order_by="address desc") == [
        "cat@other.org", "bob@example.com", "Ann@example.com", "",
    ]  # fmt: skip
    assert await world.addresses(order_by="create_time") == everybody[::-1]
    assert await world.addresses(order_by="create_time desc, address") == everybody
    assert await world.addresses(**where("reason", Operator.IN, "REFUSED", "BOUNCED")) == [
        "cat@other.org", "bob@example.com",
    ]  # fmt: skip
    assert await world.addresses(**where("address", Operator.CONTAINS, "@example.com")) == everybody[1:3]
    assert await world.addresses(**where("address", Operator.EQUAL, "ann@example.com")) == []
    assert await world.addresses(**where("email_id", Operator.EQUAL, "5")) == ["bob@example.com"]
    assert await world.addresses(**where("email_id", Operator.IS_NULL)) == ["Ann@example.com", ""]
    early = where("create_time", Operator.LESS_THAN, "2026-06-01T12:00:00Z")
    assert [record.id for record in await world.listed(**early)] == [1]
    page = await world.store.read(LIST.list, AUTHOR, None, PageRequest(page_size=3))
    rest = await world.addresses(page_token=page.token_after(2))
    assert ([record.address for record in page.items], rest, page.total_size) == (everybody[:3], [""], 4)


async def test_what_the_list_does_not_know_is_refused(world: World) -> None:
    request = {"filters": (Filter("note", Operator.EQUAL, ("x",)),), "order_by": "reason", "page_size": -1}
    refused = await refusal_of(world.listed(**request))
    assert {v.field for v in refused.violations} == {"filters[0].field", "order_by", "page_size"}
