"""TenantService as its callers see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf import duration_pb2, field_mask_pb2

from fakes import ManualClock
from peers.configuration import ACME, OTHER, Configuration
from peers.configuration_services import ConfigurationServices, told
from postroom.v1 import tenant_pb2
from postroom.v1 import tenant_service_pb2 as api
from postroom_server.mail.caller import Scope
from postroom_server.store.opening import OpenDatabase

FULL = tenant_pb2.Tenant(
    id=42,
    name="Full",
    state=tenant_pb2.TENANT_STATE_PAUSED,
    sender_domains=["example.com"],
    review_mode=tenant_pb2.REVIEW_MODE_MANUAL,
    default_language="zh-CN",
    from_address="post@example.com",
    from_name="Post",
    content_retention=duration_pb2.Duration(seconds=86400),
    metadata_retention=duration_pb2.Duration(seconds=172800),
    limits=tenant_pb2.TenantLimits(max_templates=0, urgent_burst=7),
)


@pytest.fixture
async def world(opened: OpenDatabase) -> AsyncIterator[ConfigurationServices]:
    services = ConfigurationServices(await Configuration(opened, ManualClock()).fill())
    await services.let_in("operator", 0, Scope.PLATFORM)
    await services.let_in("admin", ACME, Scope.ADMIN)
    yield services
    await services.close()


class Operator:
    def __init__(self, world: ConfigurationServices) -> None:
        self._world = world

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._world.tenants, method)
        message = getattr(api, f"{method}Request")
        return lambda as_="operator", **fields: call(message(**fields), metadata=self._world.as_(as_))


@pytest.fixture
def operator(world: ConfigurationServices) -> Operator:
    return Operator(world)


async def test_a_tenant_comes_back_whole(operator: Operator) -> None:
    made = (await operator.CreateTenant(tenant=FULL)).tenant
    assert (await operator.GetTenant(id=42)).tenant == made
    assert made.create_time == made.update_time
    made.ClearField("create_time")
    made.ClearField("update_time")
    assert made == FULL


async def test_what_is_the_settings_stays_unset(operator: Operator) -> None:
    tenant = (await operator.GetTenant(id=ACME)).tenant
    set_ = {field.name for field, _ in tenant.ListFields()}
    assert set_ == {"id", "name", "state", "create_time", "update_time"}
    assert tenant.state == tenant_pb2.TENANT_STATE_ACTIVE


async def test_an_update_takes_single_limits(operator: Operator) -> None:
    await operator.CreateTenant(tenant=FULL)
    wanted = tenant_pb2.Tenant(id=42, limits=tenant_pb2.TenantLimits(max_mail_servers=2))
    mask = field_mask_pb2.FieldMask(paths=["limits.max_mail_servers", "limits.max_templates"])
    limits = (await operator.UpdateTenant(tenant=wanted, update_mask=mask)).tenant.limits
    assert limits == tenant_pb2.TenantLimits(max_mail_servers=2, urgent_burst=7)


async def test_an_update_without_a_mask_takes_what_is_set(operator: Operator) -> None:
    wanted = tenant_pb2.Tenant(id=0, name="HQ", state=tenant_pb2.TENANT_STATE_PAUSED)
    changed = (await operator.UpdateTenant(tenant=wanted)).tenant
    assert (changed.id, changed.name, changed.state) == (0, "HQ", tenant_pb2.TENANT_STATE_PAUSED)


async def test_refusals(operator: Operator) -> None:
    bad = tenant_pb2.Tenant(id=-1, content_retention=duration_pb2.Duration(), from_address="x")
    refused = await told(operator.CreateTenant(tenant=bad))
    assert refused.fields == ["tenant.id", "tenant.name", "tenant.from_address", "tenant.content_retention"]
    taken = await told(operator.CreateTenant(tenant=tenant_pb2.Tenant(name="acme")))
    assert (taken.code, taken.reason) == ("ALREADY_EXISTS", "TENANT_EXISTS")
    newer = await told(operator.CreateTenant(tenant=tenant_pb2.Tenant(name="n", state=9)))  # type: ignore[arg-type]
    assert newer.fields == ["tenant.state"]
    assert (await told(operator.GetTenant(id=99))).reason == "TENANT_NOT_FOUND"
    assert (await told(operator.GetTenant("admin", id=ACME))).reason == "SCOPE_MISSING"


async def test_lists_are_paged(operator: Operator) -> None:
    first = await operator.ListTenants(page_size=2)
    rest = await operator.ListTenants(page_size=2, page_token=first.next_page_token)
    assert [tenant.id for tenant in first.tenants] == [0, ACME]
    assert [tenant.id for tenant in rest.tenants] == [OTHER]
    assert (first.total_size, rest.next_page_token) == (3, "")


async def test_answers_stay_below_4_mib(operator: Operator) -> None:
    domains = [f"{'d' * 60}.{'e' * 60}.{'f' * 60}.x{number}.example" for number in range(1000)]
    for id_ in range(100, 125):
        tenant = tenant_pb2.Tenant(id=id_, name=f"t{id_}", sender_domains=domains)
        await operator.CreateTenant(tenant=tenant)
    first = await operator.ListTenants()
    rest = await operator.ListTenants(page_token=first.next_page_token)
    ids = [tenant.id for tenant in [*first.tenants, *rest.tenants]]
    assert first.ByteSize() < 4 << 20
    assert ids == [0, ACME, OTHER, *range(100, 125)]
    assert first.total_size == 28


async def test_what_comes_later_is_unimplemented(operator: Operator) -> None:
    for method in ("CreateDkimKey", "ListDkimKeys", "DeleteDkimKey", "EraseAddress"):
        assert (await told(getattr(operator, method)())).code == "UNIMPLEMENTED"
