"""The unsubscribe link of a leased message: whose it is, and which messages have one."""

from __future__ import annotations

import dataclasses

from postroom_server.delivery.leased import Leased
from postroom_server.message.unsubscribe import Offer, UnsubscribeBase
from postroom_server.store.models import Role, TemplateKind
from postroom_server.store.unsubscribe_tokens import Subscriber, UnsubscribeTokens
from postroom_server.store.versions import CompiledVersion


@dataclasses.dataclass(frozen=True, slots=True)
class UnsubscribeLinks:
    base: UnsubscribeBase
    tokens: UnsubscribeTokens

    def offer(self, leased: Leased, version: CompiledVersion) -> Offer | None:
        """The same for every attempt: who has got the message by now does not change it."""
        if version.kind != TemplateKind.BATCH:
            return None

        def token_of(address: str) -> str:
            return self.tokens.token(Subscriber(leased.tenant_id, leased.email.id, address))

        to = leased.addresses(Role.TO)
        return self.base.offer(to, token_of, goes_to_others=len(leased.recipients) > len(to))
