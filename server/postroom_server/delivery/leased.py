"""A leased delivery: everything the engine needs to know of one message, as read from its rows."""

from __future__ import annotations

from postroom_server.clock import Millis
from postroom_server.message.mailing import Mailing
from postroom_server.record import record
from postroom_server.store.codes import CodeSeed
from postroom_server.store.models import Lane, Role


@record
class LeasedEmail:
    """The email behind one or many deliveries. The language and the member are those of one copy."""

    id: int
    tenant_id: int
    mailing: Mailing
    template_version_id: int | None
    template_language: str | None
    file_octets: int  # of its attachments as they are stored; 0: there are none, or they are empty
    has_files: bool
    test: bool
    is_code: bool
    ignore_suppression: bool = False
    to_audience: bool = False
    member: str | None = None  # JSON: what this copy shows of the member who gets it


@record
class LeasedRecipient:
    id: int
    role: Role
    address: str
    is_open: bool


@record
class Leased:
    """One message under lease. Settling it needs the same owner and token."""

    id: int
    tenant_id: int
    email: LeasedEmail
    lane: Lane
    message_id: str
    date_time: Millis
    at_most_once: bool
    expire_time: Millis
    lease_token: int
    transactions: int  # leases begun, this one too
    tries: int
    crash_count: int
    alone: bool  # its process has crashed: never two such in hand at once
    recipients: tuple[LeasedRecipient, ...]
    code_seed: CodeSeed | None = None
    params_of: str = ""  # whose parameters a copy without To is rendered with
    spared: frozenset[int] = frozenset()  # open recipients who are left to the next transaction

    @property
    def open_recipients(self) -> tuple[LeasedRecipient, ...]:
        """Those that a transaction is about."""
        if len(self.recipients) == 1 and self.recipients[0].is_open:
            return self.recipients  # nearly always, and asked for at every step of the way
        if self.spared:
            return tuple(one for one in self.recipients if one.is_open and one.id not in self.spared)
        return tuple(recipient for recipient in self.recipients if recipient.is_open)

    def addresses(self, role: Role) -> tuple[str, ...]:
        return tuple(recipient.address for recipient in self.recipients if recipient.role is role)
