"""POST /api/v1/email/server/test: sends a test mail through one mail server and says what came of it."""

from __future__ import annotations

from postroom.v1 import attempt_pb2, email_service_pb2
from postroom_server.gateway.angusgm.exchange import Exchange
from postroom_server.gateway.angusgm.form import Form
from postroom_server.gateway.angusgm.platform_tokens import PlatformTokens
from postroom_server.gateway.angusgm.problem import Problem
from postroom_server.gateway.angusgm.refusals import problem_of
from postroom_server.gateway.angusgm.send_fields import SendFields
from postroom_server.gateway.angusgm.settings import AngusGmSettings
from postroom_server.gateway.angusgm.totals import Totals
from postroom_server.gateway.backend import Backend
from postroom_server.gateway.refused import Refused

_MOST_ADDRESSES = 10
_PATIENCE_SECONDS = 20


class ServerTest:
    def __init__(
        self, backend: Backend, settings: AngusGmSettings, platform_tokens: PlatformTokens, totals: Totals
    ) -> None:
        self._send_test_email = backend.email.SendTestEmail
        self._platform_tokens = platform_tokens
        self._totals = totals
        self._answer = b'{"id":%d}' if settings.bare_numbers else b'{"id":"%d"}'

    async def test(self, exchange: Exchange) -> bytes:
        body = await exchange.json()
        form = Form(body)
        message = email_service_pb2.SendTestEmailRequest()
        message.timeout.seconds = _PATIENCE_SECONDS
        message.server_id = form.integer("serverId", required=True) or 0
        message.to.extend(form.texts("toAddress", most=_MOST_ADDRESSES))
        tenant_id, user_id = form.integer("sendTenantId"), form.integer("sendUserId")
        if not message.to and not form.unreadable:
            form.break_rule("toAddress", "required")
        form.refuse()
        if (tenant_id or user_id) and await self._platform_tokens.has(exchange):
            if tenant_id:
                message.tenant_id = tenant_id
            if user_id:
                message.sender_user_id = user_id
        try:
            outcome = await exchange.call(self._send_test_email, message)
        except Refused as refused:
            raise problem_of(refused, SendFields(body).name_of) from None
        self._totals.forget(exchange.visitor.credential)
        if not outcome.ok:
            raise Problem("BEM305", told=_failure(outcome))
        return self._answer % int(outcome.email_id)


def _failure(outcome: email_service_pb2.SendTestEmailResponse) -> tuple[str, str, str]:
    """The phase of the conversation and what the server said, or what went wrong without its saying so."""
    phase = attempt_pb2.SmtpPhase.Name(outcome.phase).removeprefix("SMTP_PHASE_")
    said = [str(outcome.code or ""), outcome.enhanced_code, outcome.reply]
    reply = " ".join(part for part in said if part)
    return "test_failed", "LOCAL" if phase == "UNSPECIFIED" else phase, reply
