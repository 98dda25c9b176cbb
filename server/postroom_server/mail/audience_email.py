"""The email whose audience is being looked up: what a page needs to know of it, and its counters."""

from __future__ import annotations

import dataclasses
from typing import Any

import peewee

from postroom_server.clock import Millis
from postroom_server.mail.audience import KeptAudience
from postroom_server.mail.email_record import Failure
from postroom_server.store.models import AudienceState, Content, Email, Expansion
from postroom_server.store.statement import Statement, bind

_EMAIL = Statement(
    lambda: (
        Expansion.select(
            Expansion.email_id, Expansion.tenant_id, Expansion.cursor, Expansion.position,
            Expansion.extras_placed, Email.template_version_id, Email.language, Content.params,
            Email.from_address, Email.at_most_once, Email.urgent, Email.ignore_suppression,
            Email.expire_time, Email.audience, Expansion.expand_time,
        )
        .join(Email, on=(Email.id == Expansion.email_id))
        .join(Content, peewee.JOIN.LEFT_OUTER, on=(Content.email_id == Expansion.email_id))
        .where(Expansion.email_id == bind("email_id"))
    )
)  # fmt: skip


def _count() -> Any:
    nobody = (Email.audience_found + bind("found")) == 0
    ends = bind("is_last") == peewee.SQL("1")
    return (
        Email.update(
            {
                Email.audience_found: Email.audience_found + bind("found"),
                Email.recipient_count: Email.recipient_count + bind("recipients"),
                Email.open_count: Email.open_count + bind("open"),
                Email.refused_count: Email.refused_count + bind("refused"),
                Email.suppressed_count: Email.suppressed_count + bind("suppressed"),
                Email.audience_state: peewee.Case(
                    None, ((ends, AudienceState.COMPLETE.value),), Email.audience_state
                ),
                Email.audience_unknown: bind("unknown"),
                Email.failure_reason: peewee.Case(
                    None, ((ends & nobody, Failure.NO_RECIPIENTS.value),), Email.failure_reason
                ),
            }
        )
        .where(Email.id == bind("email_id"))
        .returning(Email.audience_found, Email.open_count)
    )


_COUNT = Statement(_count)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExpandingEmail:
    """An email whose audience is being looked up, and how far that has come."""

    id: int
    tenant_id: int
    version_id: int | None
    language: str
    params: str | None  # JSON
    domain: str  # of its Message-IDs
    at_most_once: bool
    urgent: bool
    ignore_suppression: bool
    expire_time: Millis
    kept: KeptAudience
    cursor: int
    position: int
    extras_placed: bool
    expand_time: Millis

    @property
    def as_read(self) -> dict[str, int]:
        """What tells that nobody has gone on with it since it was read."""
        return {"email_id": self.id, "before": self.cursor, "claimed": self.expand_time}


def read(email_id: int) -> ExpandingEmail | None:
    """The email, unless its look-up has ended. Part of a unit."""
    rows = _EMAIL.rows(email_id=email_id)
    return _email(rows[0]) if rows else None


def count(
    email_id: int,
    *,
    found: int,
    recipients: int,
    still_open: int,
    refused: int,
    suppressed: int,
    is_last: bool,
    unknown: str | None,
) -> tuple[int, int]:
    """Adds a page to an email's counters; with the last one its audience is complete.

    Returns how many members were found up to now, and how many recipients are open. Part of a unit.
    """
    [(found_so_far, open_now)] = _COUNT.rows(
        email_id=email_id,
        found=found,
        recipients=recipients,
        open=still_open,
        refused=refused,
        suppressed=suppressed,
        is_last=int(is_last),
        unknown=unknown,
    )
    return found_so_far, open_now


def _email(row: tuple[Any, ...]) -> ExpandingEmail:
    return ExpandingEmail(
        id=row[0], tenant_id=row[1], cursor=row[2], position=row[3], extras_placed=bool(row[4]),
        version_id=row[5], language=row[6] or "", params=row[7],
        domain=row[8].rpartition("@")[2], at_most_once=bool(row[9]), urgent=bool(row[10]),
        ignore_suppression=bool(row[11]), expire_time=row[12], kept=KeptAudience.from_json(row[13]),
        expand_time=row[14],
    )  # fmt: skip
