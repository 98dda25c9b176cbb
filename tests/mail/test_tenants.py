"""Tenants and their rules."""

from __future__ import annotations

import pytest

from fakes import NOON, ManualClock
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER, Configuration
from postroom_server.clock import DAY, HOUR
from postroom_server.mail import tenants
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.pages import PageRequest
from postroom_server.mail.tenants import TenantForm
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.filters import Filter, Operator
from postroom_server.store.models import Tenant
from postroom_server.store.opening import OpenDatabase
from refusing import refusal_of

FULL = TenantForm(
    name="Full",
    state="PAUSED",
    sender_domains=("Example.COM", "bücher.example", "example.com"),
    review_mode="MANUAL",
    default_language="ZH_cn",
    from_address="Post@Example.com",
    from_name="Post 邮局",
    content_retention=DAY,
    metadata_retention=2 * DAY,
    limits={"max_templates": 0, "max_pending_emails": 10**12},
)


@pytest.fixture
async def configured(opened: OpenDatabase) -> Configuration:
    return await Configuration(opened, ManualClock()).fill()


async def test_the_platform_is_made_once(configured: Configuration) -> None:
    await configured.store.write(configured.tenants.update, 0, TenantForm(name="HQ"), ["name"])
    await configured.store.write(tenants.ensure_platform, NOON + DAY)
    platform = await configured.store.read(configured.tenants.get, 0)
    assert (platform.rules.name, platform.create_time) == ("HQ", NOON)


async def test_a_tenant_is_told_in_normal_spelling(configured: Configuration) -> None:
    made = await configured.store.write(configured.tenants.create, 42, FULL)
    rules = (await configured.store.read(configured.tenants.get, 42)).rules
    assert rules == made.rules
    assert rules.sender_domains == ("example.com", "xn--bcher-kva.example")
    assert (rules.default_language, rules.from_address) == ("zh-CN", "Post@example.com")
    assert rules.limits == {"max_pending_emails": 10**12, "max_templates": 0}
    assert (rules.state, rules.review_mode) == ("PAUSED", "MANUAL")


async def test_what_is_unset_stays_the_settings(configured: Configuration) -> None:
    rules = (await configured.store.read(configured.tenants.get, ACME)).rules
    assert rules == TenantForm(name="acme")


async def test_id_0_lets_the_server_choose(configured: Configuration) -> None:
    made = await configured.store.write(configured.tenants.create, 0, TenantForm(name="new"))
    assert made.id > 0
    assert (await configured.store.read(configured.tenants.get, made.id)).rules.name == "new"


@pytest.mark.parametrize(("id_", "name"), [(ACME, "fresh"), (99, "acme"), (0, "platform")])
async def test_ids_and_names_are_taken_once(configured: Configuration, id_: int, name: str) -> None:
    refusal = await refusal_of(configured.store.write(configured.tenants.create, id_, TenantForm(name=name)))
    assert refusal.reason is Reason.TENANT_EXISTS


async def test_a_tenant_cannot_take_the_name_of_another(configured: Configuration) -> None:
    update = configured.store.write(configured.tenants.update, ACME, TenantForm(name="other"), ["name"])
    assert (await refusal_of(update)).reason is Reason.TENANT_EXISTS


async def test_every_violation_is_named_at_once(configured: Configuration) -> None:
    form = TenantForm(
        name="",
        sender_domains=("ok.example", "not a domain"),
        default_language="?",
        from_address="nobody",
        from_name="a\r\nBcc: x",
        content_retention=HOUR,
        metadata_retention=0,
        limits={"max_templates": -1},
    )
    refusal = await refusal_of(configured.store.write(configured.tenants.create, -5, form))
    assert [violation.field for violation in refusal.violations] == [
        "tenant.id",
        "tenant.name",
        "tenant.sender_domains[1]",
        "tenant.default_language",
        "tenant.from_address",
        "tenant.from_name",
        "tenant.content_retention",
        "tenant.metadata_retention",
        "tenant.metadata_retention",
        "tenant.limits.max_templates",
    ]


async def test_metadata_is_not_kept_shorter_than_content(configured: Configuration) -> None:
    # 180 days are the setting's for metadata.
    form = TenantForm(name="long", content_retention=181 * DAY)
    refusal = await refusal_of(configured.store.write(configured.tenants.create, 0, form))
    assert [violation.field for violation in refusal.violations] == ["tenant.metadata_retention"]


async def test_an_update_changes_the_named_fields_only(configured: Configuration) -> None:
    await configured.store.write(configured.tenants.create, 42, FULL)
    assert isinstance(configured.clock, ManualClock)
    configured.clock.advance(1000)
    form = TenantForm(name="ignored", state="ACTIVE", limits={"max_mail_servers": 3})
    paths = ["state", "limits.max_mail_servers", "limits.max_templates", "metadata_retention"]
    changed = await configured.store.write(configured.tenants.update, 42, form, paths)
    assert (changed.rules.name, changed.rules.state) == ("Full", "ACTIVE")
    assert changed.rules.limits == {"max_pending_emails": 10**12, "max_mail_servers": 3}
    assert (changed.rules.content_retention, changed.rules.metadata_retention) == (DAY, None)
    assert (changed.create_time, changed.update_time) == (NOON, NOON + 1000)


async def test_an_update_that_changes_nothing_changes_nothing(configured: Configuration) -> None:
    before = await configured.store.read(configured.tenants.get, ACME)
    assert isinstance(configured.clock, ManualClock)
    configured.clock.advance(1000)
    for paths in ([], ["name"], ["limits"]):
        after = await configured.store.write(configured.tenants.update, ACME, before.rules, paths)
        assert after == before


@pytest.mark.parametrize("path", ["id", "create_time", "limits.max_cats", "nothing", ""])
async def test_a_mask_names_fields_that_can_be_changed(configured: Configuration, path: str) -> None:
    refusal = await refusal_of(
        configured.store.write(configured.tenants.update, ACME, TenantForm(name="x"), ["name", path])
    )
    assert [violation.field for violation in refusal.violations] == ["update_mask"]


async def test_an_unknown_tenant_is_not_found(configured: Configuration) -> None:
    assert (
        await refusal_of(configured.store.read(configured.tenants.get, 99))
    ).reason is Reason.TENANT_NOT_FOUND
    update = configured.store.write(configured.tenants.update, 99, TenantForm(name="x"), ["name"])
    assert (await refusal_of(update)).reason is Reason.TENANT_NOT_FOUND


async def test_a_change_is_known_to_the_next_unit(configured: Configuration) -> None:
    known = await configured.store.read(configured.memory.current)
    assert await configured.store.read(known.tenant, ACME) is not None
    await configured.store.write(configured.tenants.update, ACME, TenantForm(state="PAUSED"), ["state"])
    known = await configured.store.read(configured.memory.current)
    facts = await configured.store.read(known.tenant, ACME)
    assert facts is not None
    assert facts.is_paused


async def test_a_limit_of_its_own_stands_in_for_the_setting(configured: Configuration) -> None:
    form = TenantForm(limits={"max_templates": 0})
    await configured.store.write(configured.tenants.update, ACME, form, ["limits.max_templates"])

    def limits() -> list[int]:
        rows = [Tenant.get_by_id(ACME), Tenant.get_by_id(OTHER)]
        return [tenants.limit_of(row, "templates_per_tenant", 1000) for row in rows]

    assert await configured.store.read(limits) == [0, 1000]


async def test_lists_are_by_id_and_filtered(configured: Configuration) -> None:
    await configured.store.write(configured.tenants.create, 42, FULL)
    everything = await configured.store.read(configured.tenant_list.list, PageRequest())
    paused = PageRequest(filters=(Filter("state", Operator.EQUAL, ("PAUSED",)),))
    kept = await configured.store.read(configured.tenant_list.list, paused)
    assert [tenant.id for tenant in everything.items] == [0, ACME, OTHER, 42]
    assert [tenant.id for tenant in kept.items] == [42]


async def test_what_is_the_platforms_changes_with_scope_platform_only() -> None:
    own = Caller(0, 1, "the platform's", frozenset(Scope) - {Scope.PLATFORM})
    assert tenants.tenant_to_change(OPERATOR, 0) == 0
    assert tenants.tenant_to_change(AUTHOR, None) == ACME
    for caller, named in ((own, None), (own, 0), (AUTHOR, 0)):
        with pytest.raises(Refusal) as caught:
            tenants.tenant_to_change(caller, named)
        assert caught.value.reason is Reason.TENANT_FORBIDDEN
