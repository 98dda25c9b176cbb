"""The email by which a mail server is tried: who may try which server, and what it says."""

from __future__ import annotations

import dataclasses

from postroom_server.clock import MINUTE, SECOND, Clock, Millis
from postroom_server.mail.accept import Acceptance
from postroom_server.mail.caller import Caller
from postroom_server.mail.checks import Checked
from postroom_server.mail.draft import CopyMode, CustomBody, Draft, TemplateBody
from postroom_server.mail.senders import may_carry
from postroom_server.mail.tenancy import tenant_of
from postroom_server.refusals import Reason, Refusal, Violation, refuse_all
from postroom_server.store.facts import ServerFacts, TenantFacts
from postroom_server.store.known import Known, Memory
from postroom_server.store.models import PLATFORM_TENANT

BIZ_KEY = "CHANNEL_TEST"
DEFAULT_TIMEOUT: Millis = 20 * SECOND
LONGEST_TIMEOUT: Millis = 60 * SECOND
MOST_ADDRESSES = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    tenant_id: int
    server_id: int
    to: tuple[str, ...]
    sender_user_id: int | None
    timeout: Millis


class ServerTest:
    def __init__(self, acceptance: Acceptance, memory: Memory, clock: Clock) -> None:
        self._acceptance = acceptance
        self._memory = memory
        self._clock = clock

    def check(
        self,
        caller: Caller,
        tenant_id: int | None,
        sender_user_id: int | None,
        server_id: int,
        to: tuple[str, ...],
        timeout: Millis | None,
    ) -> Asked:
        found = []
        if not 1 <= len(to) <= MOST_ADDRESSES:
            found.append(Violation("to", f"{len(to)} addresses; 1 to {MOST_ADDRESSES} are allowed"))
        timeout = DEFAULT_TIMEOUT if timeout is None else timeout
        if not SECOND <= timeout <= LONGEST_TIMEOUT:
            found.append(Violation("timeout", "1 to 60 seconds"))
        refuse_all(found)
        return Asked(tenant_of(caller, tenant_id), server_id, to, sender_user_id, timeout)

    def accept(self, caller: Caller, asked: Asked) -> int:
        """Stores the email and returns its id. A unit of work.

        Says what the template bound to CHANNEL_TEST says, or, while none is bound, a sentence of our own.
        """
        known = self._memory.current()
        tenant, server = known.tenant(asked.tenant_id), _server(known, asked)
        bound = known.bound_name(asked.tenant_id, BIZ_KEY) is not None
        checked = self._check(caller, asked, server, tenant, bound)
        return self._acceptance.accept_for_server(caller, checked, server)

    def _check(
        self, caller: Caller, asked: Asked, server: ServerFacts, tenant: TenantFacts | None, bound: bool
    ) -> Checked:
        body: TemplateBody | CustomBody
        if bound:
            body, subject = TemplateBody(params={"channelType": server.name}, ignores_unknown=True), ""
        else:
            body = CustomBody(text=f"This message shows that the mail server {server.name} takes mail.\n")
            subject = f"Test of the mail server {server.name}"
        draft = Draft(
            body=body,
            to=asked.to,
            subject=subject,
            biz_key=BIZ_KEY,
            copy_mode=CopyMode.SHARED,
            urgent=True,
            tenant_id=asked.tenant_id,
            sender_user_id=asked.sender_user_id,
            from_address=_sender_of(server, tenant),
            expire_time=self._clock.now() + asked.timeout + MINUTE,
        )
        return self._acceptance.check(caller, draft)


def _server(known: Known, asked: Asked) -> ServerFacts:
    """The tenant's own server, or a platform server that carries its mail; disabled ones too."""
    carriers = {server.id: server for server in known.servers_for(asked.tenant_id)}
    # As it carries this tenant's mail, where it does: with the senders that it takes from this tenant.
    server = carriers.get(asked.server_id) or known.server(asked.server_id)
    if server is not None:
        own = server.tenant_id == asked.tenant_id
        if own or (server.tenant_id == PLATFORM_TENANT and (server.id in carriers or not carriers)):
            return server
    raise Refusal(
        Reason.MAIL_SERVER_NOT_FOUND,
        "there is no such mail server",
        metadata={"server_id": str(asked.server_id)},
    )


def _sender_of(server: ServerFacts, tenant: TenantFacts | None) -> str:
    """The server's own sender where it may be used; empty leaves the choice to the tenant's default."""
    own = server.from_address or ""
    return own if tenant is not None and own and may_carry(server, own, tenant) else ""
