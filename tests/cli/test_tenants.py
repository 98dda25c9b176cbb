"""`postroom tenant create|list`."""

from __future__ import annotations

from google.protobuf.json_format import MessageToDict

from peers.canned_server import CannedServer, Postroom
from postroom.v1.tenant_pb2 import Tenant
from postroom.v1.tenant_service_pb2 import CreateTenantResponse, ListTenantsResponse

SHOP = Tenant(id=7, name="shop", state="TENANT_STATE_ACTIVE", review_mode="REVIEW_MODE_MANUAL")


def test_a_tenant_is_created_and_its_id_alone_is_printed(postroom: Postroom, server: CannedServer) -> None:
    server.answers["CreateTenant"] = CreateTenantResponse(tenant=SHOP)
    result = postroom("tenant", "create", "shop", "--id", "7", "--domain", "x.test", "--from", "me@x.test")
    assert (result.stdout, result.stderr) == ("7\n", "")
    assert MessageToDict(server.asked("CreateTenant").tenant) == {
        "id": "7",
        "name": "shop",
        "senderDomains": ["x.test"],
        "fromAddress": "me@x.test",
    }


def test_tenants_are_listed(postroom: Postroom, server: CannedServer) -> None:
    server.answers["ListTenants"] = ListTenantsResponse(tenants=[Tenant(name="platform"), SHOP])
    lines = postroom("tenant", "list").stdout.splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [["0", "platform"], ["7", "shop", "ACTIVE", "MANUAL"]]


def test_tenants_are_listed_as_json(postroom: Postroom, server: CannedServer) -> None:
    server.answers["ListTenants"] = ListTenantsResponse(tenants=[SHOP])
    assert '"name": "shop"' in postroom("tenant", "list", "--json").stdout
