"""What the database says about tenants, servers, bindings and templates, kept until it changes.

Every change of these raises a generation row; a unit of work that reads the same generation may use what
was kept. Compiled template versions never change and outlive generations.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import peewee

from postroom_server.clock import Millis
from postroom_server.message.template import CompiledTemplate, Content, Variable
from postroom_server.store.models import (
    PLATFORM_TENANT,
    Binding,
    Generation,
    MailServer,
    MailServerState,
    Template,
    TemplateVariable,
    TemplateVariant,
    TemplateVersion,
    Tenant,
    TenantState,
)
from postroom_server.store.statement import Statement

T = TypeVar("T")
_CATALOG = "catalog"
_VERSIONS_KEPT = 1000

_READ_GENERATION = Statement(lambda: Generation.select(Generation.value).where(Generation.name == _CATALOG))


def raise_generation() -> None:
    """Tells every process that what it knows is old. Call it in the unit that changes anything known."""
    Generation.update(value=Generation.value + 1).where(Generation.name == _CATALOG).execute()


def read_generation() -> int:
    return int(_READ_GENERATION.rows()[0][0])


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
    kind: str
    latest_version_id: int
    approved_version_id: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class CompiledVersion:
    """A template version ready to render, a variant per language."""

    id: int
    number: int
    default_language: str
    validity: Millis | None
    variants: dict[str, CompiledTemplate]


class Known:
    """One generation's values, read from the database when first asked for."""

    def __init__(self, generation: int, versions: _Versions) -> None:
        self.generation = generation
        self._values: dict[Hashable, Any] = {}
        self._versions = versions

    def tenant(self, tenant_id: int) -> TenantFacts | None:
        return self._once(("tenant", tenant_id), lambda: _read_tenant(tenant_id))

    def servers_for(self, tenant_id: int) -> tuple[ServerFacts, ...]:
        """The servers that carry this tenant's mail, in the order they are tried.

        Its own when at least one of them is enabled or paused, otherwise the platform's; never both.
        """
        return self._once(("servers", tenant_id), lambda: _read_servers_for(tenant_id))

    def server(self, server_id: int) -> ServerFacts | None:
        return self._once(("server", server_id), lambda: _read_server(server_id))

    def bound_name(self, tenant_id: int, biz_key: str) -> str | None:
        """The invoke_name bound to a business key: the tenant's binding first, then the platform's."""
        return self._once(("binding", tenant_id, biz_key), lambda: _read_binding(tenant_id, biz_key))

    def template(self, tenant_id: int, invoke_name: str) -> TemplateFacts | None:
        """The tenant's template of that name, else the platform's."""
        return self._once(
            ("template", tenant_id, invoke_name), lambda: _read_template(tenant_id, invoke_name)
        )

    def version(self, version_id: int) -> CompiledVersion:
        return self._versions.get(version_id)

    def _once(self, key: Hashable, read: Callable[[], T]) -> T:
        if key not in self._values:
            self._values[key] = read()
        return cast(T, self._values[key])


class Memory:
    """Gives units of work what is known at the generation they see."""

    def __init__(self) -> None:
        self._versions = _Versions()
        self._known = Known(-1, self._versions)
        self._lock = threading.Lock()

    def current(self) -> Known:
        """What is known in this unit's view of the database. Call it inside a unit."""
        generation = read_generation()
        with self._lock:
            if generation > self._known.generation:
                self._known = Known(generation, self._versions)
            if generation == self._known.generation:
                return self._known
        # A reader on an older snapshot must not fill the newer generation with old values.
        return Known(generation, self._versions)

    def version(self, version_id: int) -> CompiledVersion:
        """A version, read and compiled when it is not kept. Call it inside a unit."""
        return self._versions.get(version_id)

    def kept_version(self, version_id: int) -> CompiledVersion | None:
        """A version that is kept already; asks nobody, so it may be called anywhere."""
        return self._versions.kept(version_id)


class _Versions:
    """Compiled versions by id, the least recently used dropped first."""

    def __init__(self) -> None:
        self._compiled: collections.OrderedDict[int, CompiledVersion] = collections.OrderedDict()
        self._lock = threading.Lock()

    def kept(self, version_id: int) -> CompiledVersion | None:
        with self._lock:
            found = self._compiled.get(version_id)
            if found is not None:
                self._compiled.move_to_end(version_id)
            return found

    def get(self, version_id: int) -> CompiledVersion:
        found = self.kept(version_id)
        if found is not None:
            return found
        compiled = compile_version(version_id)
        with self._lock:
            self._compiled[version_id] = compiled
            if len(self._compiled) > _VERSIONS_KEPT:
                self._compiled.popitem(last=False)
        return compiled


def compile_version(version_id: int) -> CompiledVersion:
    """Reads a version's rows and compiles every variant."""
    version = TemplateVersion.get_by_id(version_id)
    variables = read_variables(version_id)
    variants = (
        TemplateVariant.select()
        .where(TemplateVariant.version_id == version_id)
        .order_by(TemplateVariant.position)
    )
    return CompiledVersion(
        id=version_id,
        number=version.number,
        default_language=version.default_language,
        validity=version.validity,
        variants={
            row.language: CompiledTemplate(Content(row.subject, row.html, row.text), variables)
            for row in variants
        },
    )


def read_variables(version_id: int) -> tuple[Variable, ...]:
    rows = (
        TemplateVariable.select()
        .where(TemplateVariable.version_id == version_id)
        .order_by(TemplateVariable.position)
    )
    return tuple(
        Variable(
            name=row.name,
            required=row.required,
            default=None if row.default_value is None else json.loads(row.default_value),
            raw=row.raw,
            literal=row.literal,
            declared=row.declared,
        )
        for row in rows
    )


def _read_tenant(tenant_id: int) -> TenantFacts | None:
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


def _read_server(server_id: int) -> ServerFacts | None:
    row = MailServer.get_or_none(MailServer.id == server_id)
    return None if row is None else _server_facts(row)


def _read_servers_for(tenant_id: int) -> tuple[ServerFacts, ...]:
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

    Where neither the tenant's domains nor the server's senders say who may be in From, only the addresses
    may that the operator made defaults: otherwise each tenant could write as any other.
    """
    tenant = _read_tenant(tenant_id)
    if tenant is None:
        return servers
    senders = frozenset(f"@{domain}" for domain in tenant.sender_domains)
    if not senders:
        defaults = (tenant.from_address, *(server.from_address for server in servers))
        senders = frozenset(default.lower() for default in defaults if default)
    return tuple(
        dataclasses.replace(server, allowed_senders=senders, any_sender=False)
        if server.any_sender
        else server
        for server in servers
    )


def _read_binding(tenant_id: int, biz_key: str) -> str | None:
    for owner in (tenant_id, PLATFORM_TENANT):
        row = Binding.get_or_none((Binding.tenant_id == owner) & (Binding.biz_key == biz_key))
        if row is not None:
            return str(row.invoke_name)
    return None


def _read_template(tenant_id: int, invoke_name: str) -> TemplateFacts | None:
    for owner in (tenant_id, PLATFORM_TENANT):
        row = Template.get_or_none((Template.tenant_id == owner) & (Template.invoke_name == invoke_name))
        if row is not None:
            return TemplateFacts(
                id=row.id,
                tenant_id=row.tenant_id,
                invoke_name=row.invoke_name,
                kind=row.kind,
                latest_version_id=row.latest_version_id,
                approved_version_id=row.approved_version_id,
            )
    return None
