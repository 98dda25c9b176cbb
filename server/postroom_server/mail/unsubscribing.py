"""Unsubscribing: what a link is about, and what following it does. Who holds a link may use it (ADR 0015)."""

from __future__ import annotations

import dataclasses

from postroom_server.clock import Clock
from postroom_server.message.address import key
from postroom_server.refusals import Reason, Refusal
from postroom_server.store import suppressed
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Email, SuppressionReason
from postroom_server.store.statement import Statement, bind
from postroom_server.store.unsubscribe_tokens import Subscriber, UnsubscribeTokens

_EMAIL = Statement(
    lambda: Email.select(Email.from_name, Email.from_address, Email.template_language).where(
        (Email.id == bind("id")) & (Email.tenant_id == bind("tenant_id"))
    )
)


@dataclasses.dataclass(frozen=True, slots=True)
class Unsubscription:
    """What the page behind a link may say; a link is forwarded and logged by others, so not the address."""

    masked_address: str
    sender: str  # empty once the email is purged
    language: str  # the same
    unsubscribed: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Unsubscribed:
    unsubscription: Unsubscription
    added_count: int  # 0: the address had been listed before


class Unsubscribing:
    """`read` needs no database; the others are units of work, over what it returned."""

    def __init__(self, clock: Clock, mint: IdMint, tokens: UnsubscribeTokens) -> None:
        self._clock = clock
        self._mint = mint
        self._tokens = tokens

    def read(self, token: str) -> Subscriber:
        """Whom a link's token means. TOKEN_INVALID, without detail, for whatever was not made here."""
        subscriber = self._tokens.read(token)
        if subscriber is None:
            raise Refusal(Reason.TOKEN_INVALID, "this is no unsubscribe link of this deployment")
        return subscriber

    def describe(self, subscriber: Subscriber) -> Unsubscription:
        pair = (subscriber.tenant_id, key(subscriber.address))
        stopped = suppressed.stops(suppressed.find({pair}).get(pair), is_batch=True)
        return _told(subscriber, unsubscribed=stopped)

    def unsubscribe(self, subscriber: Subscriber) -> Unsubscribed:
        """Lists the address. Who is listed keeps the entry: each of them stops mail that is sent to many.

        The link works for as long as anybody has the mail: the address is in it, not only in our rows.
        """
        entry = suppressed.Entry(
            subscriber.tenant_id,
            subscriber.address,
            SuppressionReason.UNSUBSCRIBED,
            subscriber.email_id,
            note=f"by the link in email {subscriber.email_id}",
        )
        added = suppressed.put([entry], self._mint, self._clock.now())
        return Unsubscribed(_told(subscriber, unsubscribed=True), added)


def masked(address: str) -> str:
    """`j***@example.com`: enough for its owner to know it."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"


def _told(subscriber: Subscriber, *, unsubscribed: bool) -> Unsubscription:
    rows = _EMAIL.rows(id=subscriber.email_id, tenant_id=subscriber.tenant_id)
    name, address, language = rows[0] if rows else ("", "", "")
    return Unsubscription(masked(subscriber.address), name or address, language or "", unsubscribed)
