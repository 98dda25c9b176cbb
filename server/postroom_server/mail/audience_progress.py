"""How far the look-up of an audience has come, as its email tells it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import peewee

from postroom_server.mail.audience import Audience, Unknown
from postroom_server.store.models import Delivery, Recipient, RecipientState, Role
from postroom_server.store.statement import Statement, as_list, one_of

_OPEN_EXTRAS = Statement(
    lambda: (
        Delivery.select(Delivery.email_id, peewee.fn.COUNT(Recipient.id))
        .join(Recipient, on=(Recipient.delivery_id == Delivery.id))
        .where(
            one_of(Delivery.email_id, "email_ids")
            & (Delivery.position == 0)
            & (Recipient.role != Role.TO.value)
            & (Recipient.state == RecipientState.OPEN.value)
        )
        .group_by(Delivery.email_id)
    )
)


@dataclasses.dataclass(frozen=True, slots=True)
class AudienceRecord:
    """The audience of an email and its progress: how many members were found, and how many are settled."""

    audience: Audience
    found: int
    done: int
    is_complete: bool
    unknown: Unknown


def open_extras(email_ids: Sequence[int]) -> Mapping[int, int]:
    """How many are open of those who get a copy beside a member and are no members, by email."""
    return dict(_OPEN_EXTRAS.rows(email_ids=as_list(email_ids))) if email_ids else {}
