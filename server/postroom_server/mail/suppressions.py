"""The suppression list as its callers see it: addresses are added and removed, up to 1000 at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from postroom_server.clock import Clock, Millis
from postroom_server.mail.caller import Caller
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.tenancy import tenant_of
from postroom_server.mail.tenants import find_tenant
from postroom_server.message.address import key
from postroom_server.refusals import Reason, Refusal, refuse_all
from postroom_server.store import suppressed
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Suppression, SuppressionReason
from postroom_server.store.suppressed import Entry

MOST_AT_ONCE = 1000
_NOTE_CHARACTERS = 500


@dataclasses.dataclass(frozen=True, slots=True)
class SuppressionForm:
    """An address to be listed, as asked for."""

    address: str
    reason: SuppressionReason | None = SuppressionReason.MANUAL  # None: no such word
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class SuppressionRecord:
    id: int
    tenant_id: int
    address: str  # empty once erased
    reason: SuppressionReason
    note: str
    email_id: int
    create_time: Millis


@dataclasses.dataclass(frozen=True, slots=True)
class Added:
    added_count: int
    existing_count: int


class Suppressions:
    """`check_new` and `check_addresses` need no database; `add` and `remove` are units of work."""

    def __init__(self, clock: Clock, mint: IdMint) -> None:
        self._clock = clock
        self._mint = mint

    def check_new(self, forms: Sequence[SuppressionForm]) -> list[SuppressionForm]:
        """Refuses what is wrong with any of them, all at once; returns them with addresses in normal form."""
        _refuse_size("suppressions", len(forms))
        found = Findings()
        checked = []
        for i, form in enumerate(forms):
            field = f"suppressions[{i}]"
            address = _address(f"{field}.address", form.address, found)
            if form.reason is None:
                found.add(f"{field}.reason", "there is no such SuppressionReason")
            found.line(f"{field}.note", form.note, most=_NOTE_CHARACTERS)
            checked.append(dataclasses.replace(form, address=address))
        refuse_all(found.violations)
        return checked

    def check_addresses(self, addresses: Sequence[str]) -> list[str]:
        """The keys of addresses that are to be removed."""
        _refuse_size("addresses", len(addresses))
        found = Findings()
        parsed = [_address(f"addresses[{i}]", text, found) for i, text in enumerate(addresses)]
        refuse_all(found.violations)
        return list(dict.fromkeys(map(key, parsed)))

    def add(self, caller: Caller, tenant_id: int | None, forms: Sequence[SuppressionForm]) -> Added:
        """Lists checked addresses. What is listed, or stands here twice, counts as existing."""
        owner = tenant_of(caller, tenant_id)
        find_tenant(owner)
        entries = [
            Entry(owner, form.address, form.reason, note=form.note or None) for form in forms if form.reason
        ]
        added = suppressed.put(entries, self._mint, self._clock.now())
        return Added(added, len(entries) - added)

    def remove(self, caller: Caller, tenant_id: int | None, keys: Sequence[str]) -> int:
        """Takes addresses off the list, and says how many. SUPPRESSION_NOT_FOUND when none was on it."""
        owner = tenant_of(caller, tenant_id)
        listed = (Suppression.tenant_id == owner) & Suppression.address_key.in_(keys)
        removed = Suppression.delete().where(listed).execute()
        if not removed:
            raise Refusal(Reason.SUPPRESSION_NOT_FOUND, "none of these addresses is on the suppression list")
        return int(removed)


def record_of(row: Suppression) -> SuppressionRecord:
    return SuppressionRecord(
        id=row.id,
        tenant_id=row.tenant_id,
        address=row.address or "",
        reason=SuppressionReason(row.reason),
        note=row.note or "",
        email_id=row.email_id or 0,
        create_time=row.create_time,
    )


def _refuse_size(field: str, size: int) -> None:
    if not 1 <= size <= MOST_AT_ONCE:
        found = Findings()
        found.add(field, f"{size} addresses; 1 to {MOST_AT_ONCE} are allowed")
        refuse_all(found.violations)


def _address(field: str, text: str, found: Findings) -> str:
    if not text:
        found.add(field, "is required")
    return found.address(field, text)
