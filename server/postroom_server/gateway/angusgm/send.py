"""POST /api/v1/email: takes an email and answers its id."""

from __future__ import annotations

from postroom_server.gateway.angusgm.dates import Dates
from postroom_server.gateway.angusgm.exchange import Exchange
from postroom_server.gateway.angusgm.platform_tokens import PlatformTokens
from postroom_server.gateway.angusgm.refusals import problem_of
from postroom_server.gateway.angusgm.send_request import SendRequest
from postroom_server.gateway.angusgm.settings import AngusGmSettings
from postroom_server.gateway.angusgm.totals import Totals
from postroom_server.gateway.backend import Backend
from postroom_server.gateway.refused import Refused


class Sending:
    def __init__(
        self,
        backend: Backend,
        settings: AngusGmSettings,
        dates: Dates,
        platform_tokens: PlatformTokens,
        totals: Totals,
    ) -> None:
        self._send_email = backend.email.SendEmail
        self._default_language = settings.default_language
        self._dates = dates
        self._platform_tokens = platform_tokens
        self._totals = totals
        self._answer = b'{"id":%d}' if settings.bare_numbers else b'{"id":"%d"}'

    async def send(self, exchange: Exchange) -> bytes:
        request_id = exchange.headers.text(b"idempotency-key")
        asked = SendRequest(await exchange.json(), request_id, self._default_language, self._dates)
        if (asked.tenant_id or asked.user_id) and await self._platform_tokens.has(exchange):
            if asked.tenant_id:
                asked.message.tenant_id = asked.tenant_id
            if asked.user_id:
                asked.message.sender_user_id = asked.user_id
        try:
            id_ = await self._accepted(exchange, asked)
        except Refused as refused:
            raise problem_of(refused, asked.fields.name_of) from None
        self._totals.forget(exchange.visitor.credential)
        return self._answer % id_

    async def _accepted(self, exchange: Exchange, asked: SendRequest) -> int:
        message = asked.message
        try:
            answer = await exchange.call(self._send_email, message, repeatable=bool(message.request_id))
        except Refused as refused:
            if refused.reason != "IDEMPOTENCY_MISMATCH" or message.urgent is asked.said_urgent:
                raise
            # The same body, perhaps: its date lay ahead when it came first, and is over now.
            message.urgent = asked.said_urgent
            answer = await exchange.call(self._send_email, message, repeatable=True)
        return int(answer.id)
