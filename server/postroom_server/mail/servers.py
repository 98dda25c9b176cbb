"""Mail servers: adding, reading, changing and removing next hops. The methods are units of work."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from typing import Any

from postroom_server.clock import Clock, Millis
from postroom_server.mail.caller import Caller
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.limits import Limits
from postroom_server.mail.server_form import PATHS, AuthMechanism, ServerForm, TlsMode, default_port, settled
from postroom_server.mail.tenancy import tenant_of
from postroom_server.mail.tenants import find_tenant, limit_of, tenant_to_change
from postroom_server.refusals import Reason, Refusal, refuse_all
from postroom_server.store.ids import IdMint
from postroom_server.store.known import raise_generation
from postroom_server.store.models import MailServer, MailServerState
from postroom_server.store.sealing import Sealer


@dataclasses.dataclass(frozen=True, slots=True)
class ServerRecord:
    """A mail server as it may be shown: `form.password` is empty, whatever is stored."""

    id: int
    tenant_id: int
    form: ServerForm
    has_password: bool
    create_time: Millis
    update_time: Millis

    @property
    def auth_in_force(self) -> AuthMechanism:
        """AUTO logs nobody in while there is no user name."""
        if self.form.auth_mechanism is AuthMechanism.AUTO and not self.form.username:
            return AuthMechanism.NONE
        return self.form.auth_mechanism or AuthMechanism.NONE


@dataclasses.dataclass(frozen=True, slots=True)
class BreakerFacts:
    """How it stands with the breaker of a server, in the words of the contract's Breaker."""

    state: str
    failure_count: int = 0
    reopen_time: Millis | None = None  # None while CLOSED
    phase: str = ""  # of the last failure; "" when there was none
    reply: str = ""


class Servers:
    """The use cases of MailServerService. `plaintext_hosts` are those that TLS mode OFF may speak to."""

    def __init__(
        self,
        clock: Clock,
        mint: IdMint,
        sealer: Sealer,
        limits: Limits,
        *,
        plaintext_hosts: Collection[str] = (),
    ) -> None:
        self._clock = clock
        self._mint = mint
        self._sealer = sealer
        self._limits = limits
        self._plaintext_hosts = frozenset(host.lower().strip("[]").rstrip(".") for host in plaintext_hosts)

    def create(self, caller: Caller, tenant_id: int | None, form: ServerForm) -> ServerRecord:
        """Adds a server. Raises MAIL_SERVER_EXISTS, MAIL_SERVER_LIMIT, and every violation at once."""
        return self.add(tenant_to_change(caller, tenant_id), form)

    def add(self, tenant_id: int, form: ServerForm) -> ServerRecord:
        """Adds a server to a tenant, whoever asks."""
        # First of all: the generation's row is locked until the commit, so that what is checked stays true.
        raise_generation()
        form = self._settled(form, has_password=False)
        tenant = find_tenant(tenant_id)
        _refuse_taken(tenant_id, form.name)
        limit = limit_of(tenant, "servers_per_tenant", self._limits.servers_per_tenant)
        if MailServer.select().where(MailServer.tenant_id == tenant_id).count() >= limit:
            raise Refusal(
                Reason.MAIL_SERVER_LIMIT,
                f"the tenant may have {limit} mail servers",
                metadata={"limit": str(limit)},
            )
        now = self._clock.now()
        server_id = self._mint.one()
        row = MailServer.create(
            id=server_id,
            tenant_id=tenant_id,
            sealed_password=self._sealed(server_id, form.password),
            create_time=now,
            update_time=now,
            **_columns(form),
        )
        return record_of(row)

    def get(self, caller: Caller, tenant_id: int | None, server_id: int) -> ServerRecord:
        return record_of(_find(tenant_of(caller, tenant_id), server_id))

    def update(
        self,
        caller: Caller,
        tenant_id: int | None,
        server_id: int,
        form: ServerForm,
        paths: Collection[str],
    ) -> ServerRecord:
        """Changes the fields that `paths` name to what the form says; nothing to change changes nothing."""
        raise_generation()
        owner = tenant_to_change(caller, tenant_id)
        found = Findings("mail_server.")
        found.paths(paths, PATHS)
        refuse_all(found.violations)
        row = _find(owner, server_id)
        before = form_of(row)
        wanted = dataclasses.replace(before, **{path: getattr(form, path) for path in paths})
        if "port" not in paths and before.port == default_port(before.tls_mode):
            # It was the mode's, and follows the mode.
            wanted = dataclasses.replace(wanted, port=0)
        keeps_password = row.sealed_password is not None and "password" not in paths
        after = self._settled(wanted, has_password=keeps_password)
        if dataclasses.replace(after, password="") == before and "password" not in paths:
            return record_of(row)
        if after.name != before.name:
            _refuse_taken(owner, after.name)
        for name, value in _columns(after).items():
            setattr(row, name, value)
        if "password" in paths:
            row.sealed_password = self._sealed(server_id, after.password)
        row.update_time = self._clock.now()
        row.save()
        return record_of(row)

    def delete(self, caller: Caller, tenant_id: int | None, server_id: int) -> None:
        raise_generation()
        row = _find(tenant_to_change(caller, tenant_id), server_id)
        row.delete_instance()

    def _settled(self, form: ServerForm, *, has_password: bool) -> ServerForm:
        found = Findings("mail_server.")
        form = settled(form, found, plaintext_hosts=self._plaintext_hosts, has_password=has_password)
        refuse_all(found.violations)
        return form

    def _sealed(self, server_id: int, password: str) -> bytes | None:
        if not password:
            return None
        return self._sealer.seal(password, table="mail_server", column="sealed_password", row_id=server_id)


def form_of(row: MailServer) -> ServerForm:
    return ServerForm(
        name=row.name,
        host=row.host,
        port=row.port,
        tls_mode=TlsMode(row.tls_mode),
        auth_mechanism=AuthMechanism(row.auth_mechanism),
        username=row.username or "",
        state=MailServerState(row.state),
        priority=row.priority,
        weight=row.weight,
        max_connections=row.max_connections,
        messages_per_second=row.messages_per_second or 0.0,
        allowed_senders=tuple(json.loads(row.allowed_senders)),
        from_address=row.from_address or "",
        from_name=row.from_name or "",
        subject_prefix=row.subject_prefix or "",
    )


def record_of(row: MailServer) -> ServerRecord:
    return ServerRecord(
        id=row.id,
        tenant_id=row.tenant_id,
        form=form_of(row),
        has_password=row.sealed_password is not None,
        create_time=row.create_time,
        update_time=row.update_time,
    )


def _columns(form: ServerForm) -> dict[str, Any]:
    return {
        "name": form.name,
        "host": form.host,
        "port": form.port,
        "tls_mode": str(form.tls_mode),
        "auth_mechanism": str(form.auth_mechanism),
        "username": form.username or None,
        "state": str(form.state),
        "priority": form.priority,
        "weight": form.weight,
        "max_connections": form.max_connections,
        "messages_per_second": form.messages_per_second or None,
        "allowed_senders": json.dumps(form.allowed_senders),
        "from_address": form.from_address or None,
        "from_name": form.from_name or None,
        "subject_prefix": form.subject_prefix or None,
    }


def _find(tenant_id: int, server_id: int) -> MailServer:
    row: MailServer | None = MailServer.get_or_none(
        (MailServer.tenant_id == tenant_id) & (MailServer.id == server_id)
    )
    if row is None:
        raise Refusal(
            Reason.MAIL_SERVER_NOT_FOUND, "there is no such mail server", metadata={"id": str(server_id)}
        )
    return row


def _refuse_taken(tenant_id: int, name: str) -> None:
    if MailServer.select().where((MailServer.tenant_id == tenant_id) & (MailServer.name == name)).exists():
        raise Refusal(
            Reason.MAIL_SERVER_EXISTS, f"the tenant has a mail server named {name}", metadata={"name": name}
        )
