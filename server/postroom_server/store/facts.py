"""What rows of configuration say, as values: tenants, mail servers, templates, bindings."""

from __future__ import annotations

import dataclasses
import json
from typing import cast

import peewee

from postroom_server.store.models import (
    PLATFORM_TENANT,
    Binding,
    MailServer,
    MailServerState,
    Template,
    Tenant,
    TenantState,
)


@dataclasses.dataclass(frozen=True, slots=True)
class TenantFacts:
    id: int
    name: str
    is_paused: bool
    sender_domains: frozenset[str]
    review_mode: str
    default_language: str
    from_address: str | None
    from_name: str | None
    limits: dict[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class ServerFacts:
    id: int
    tenant_id: int
    name: str
    host: str
    port: int
    tls_mode: str
    auth_mechanism: str
    username: str | None
    sealed_password: bytes | None
    priority: int
    weight: int
    max_connections: int
    messages_per_second: float | None
    allowed_senders: frozenset[str]  # addresses and @domains, lower case
    from_address: str | None
    from_name: str | None
    subject_prefix: str | None
    state: str
    any_sender: bool = False

    def allows(self, address: str) -> bool:
        if self.any_sender:
            return True
        lowered = address.lower()
        return lowered in self.allowed_senders or "@" + lowered.rpartition("@")[2] in self.allowed_senders


@dataclasses.dataclass(frozen=True, slots=True)
class TemplateFacts:
    id: int
    tenant_id: int
    invoke_name: str
    latest_version_id: int
    approved_version_id: int | None


def read_tenant(tenant_id: int) -> TenantFacts | None:
    row = Tenant.get_or_none(Tenant.id == tenant_id)
    if row is None:
        return None
    return TenantFacts(
        id=row.id,
        name=row.name,
        is_paused=row.state == TenantState.PAUSED,
        sender_domains=frozenset(json.loads(row.sender_domains)),
        review_mode=row.review_mode,
        default_language=row.default_language,
        from_address=row.from_address,
        from_name=row.from_name,
        limits=json.loads(row.limits),
    )


def _server_facts(row: MailServer) -> ServerFacts:
    values = {
        field.name: getattr(row, field.name)
        for field in cast(list[peewee.Field], MailServer._meta.sorted_fields)
        if field.name not in ("create_time", "update_time")
    }
    values["allowed_senders"] = frozenset(json.loads(row.allowed_senders))
    values["any_sender"] = not values["allowed_senders"]
    values["sealed_password"] = None if row.sealed_password is None else bytes(row.sealed_password)
    return ServerFacts(**values)


def read_server(server_id: int) -> ServerFacts | None:
    row = MailServer.get_or_none(MailServer.id == server_id)
    return None if row is None else _server_facts(row)


def read_servers_for(tenant_id: int) -> tuple[ServerFacts, ...]:
    for owner in (tenant_id, PLATFORM_TENANT):
        rows = (
            MailServer.select()
            .where((MailServer.tenant_id == owner) & (MailServer.state != MailServerState.DISABLED))
            .order_by(MailServer.priority, MailServer.id)
        )
        servers = tuple(_server_facts(row) for row in rows)
        if servers:
            return servers if owner == tenant_id else _lent(servers, tenant_id)
    return ()


def _lent(servers: tuple[ServerFacts, ...], tenant_id: int) -> tuple[ServerFacts, ...]:
    """The platform's servers as they carry another tenant's mail (security.md A9).

    A server that names no senders takes the tenant's domains and the addresses that the operator made
    defaults, and no others: otherwise each tenant could write as any other.
    """
    tenant = read_tenant(tenant_id)
    if tenant is None:
        return servers
    defaults = (tenant.from_address, *(server.from_address for server in servers))
    senders = frozenset(
        [*(f"@{domain}" for domain in tenant.sender_domains), *(one.lower() for one in defaults if one)]
    )
    return tuple(
        dataclasses.replace(server, allowed_senders=senders, any_sender=False)
        if server.any_sender
        else server
        for server in servers
    )


def read_binding(tenant_id: int, biz_key: str) -> str | None:
    for owner in (tenant_id, PLATFORM_TENANT):
        row = Binding.get_or_none((Binding.tenant_id == owner) & (Binding.biz_key == biz_key))
        if row is not None:
            return str(row.invoke_name)
    return None


def read_template(tenant_id: int, invoke_name: str) -> TemplateFacts | None:
    for owner in (tenant_id, PLATFORM_TENANT):
        row = Template.get_or_none((Template.tenant_id == owner) & (Template.invoke_name == invoke_name))
        if row is not None:
            return TemplateFacts(
                id=row.id,
                tenant_id=row.tenant_id,
                invoke_name=row.invoke_name,
                latest_version_id=row.latest_version_id,
                approved_version_id=row.approved_version_id,
            )
    return None
