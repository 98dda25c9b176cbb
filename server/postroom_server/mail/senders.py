"""Who a mail comes from: the caller's wish, the tenant's domains, and the servers that allow it."""

from __future__ import annotations

import dataclasses

from postroom_server.message import address
from postroom_server.refusals import Reason, Refusal, Violation, refuse_all
from postroom_server.store.facts import ServerFacts, TenantFacts


@dataclasses.dataclass(frozen=True, slots=True)
class Sender:
    address: str
    name: str
    subject_prefix: str | None  # of the first server in line that may carry this sender


def resolve_sender(
    wanted_address: str, wanted_name: str, tenant: TenantFacts, servers: tuple[ServerFacts, ...]
) -> Sender:
    """Settles the From of a mail: the caller's, else the tenant's, else a server's own.

    Raises NO_MAIL_SERVER when the tenant has none, SENDER_NOT_ALLOWED when the tenant's domains or
    every server refuse the address, INVALID_FIELD when nobody names one.
    """
    if not servers:
        raise Refusal(Reason.NO_MAIL_SERVER, "no mail server is enabled for this tenant")
    chosen = wanted_address or tenant.from_address or ""
    if not chosen:
        defaults = [(server, server.from_address) for server in servers if server.from_address]
        usable = (default for server, default in defaults if may_carry(server, default, tenant))
        chosen = next(usable, defaults[0][1] if defaults else "")
    if not chosen:
        refuse_all([Violation("from_address", "is required: neither the tenant nor a server has a default")])
    if tenant.sender_domains and address.domain(chosen) not in tenant.sender_domains:
        _refuse(chosen, "the tenant may not send from this domain")
    carrier = next((server for server in servers if server.allows(chosen)), None)
    if carrier is None:
        _refuse(chosen, "neither the tenant's sender_domains nor a mail server's allowed_senders let it")
    assert carrier is not None
    return Sender(chosen, wanted_name or _default_name(chosen, tenant, servers), carrier.subject_prefix)


def may_carry(server: ServerFacts, sender: str, tenant: TenantFacts) -> bool:
    """Whether both the tenant's domains and the server let this address be in From."""
    mine = not tenant.sender_domains or address.domain(sender) in tenant.sender_domains
    return mine and server.allows(sender)


def _default_name(chosen: str, tenant: TenantFacts, servers: tuple[ServerFacts, ...]) -> str:
    """The display name that goes with this address: whoever has it as default says what it is called."""
    if chosen == tenant.from_address:
        return tenant.from_name or ""
    return next((server.from_name for server in servers if server.from_address == chosen), "") or ""


def _refuse(sender: str, why: str) -> None:
    domain = address.domain(sender)
    refuse_all([Violation("from_address", f"{why} ({domain})", Reason.SENDER_NOT_ALLOWED)])
