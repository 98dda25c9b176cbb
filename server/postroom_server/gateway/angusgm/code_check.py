"""GET /api/v1/email/verificationCode/check: whether a code is right, which uses it up."""

from __future__ import annotations

from postroom.v1 import email_service_pb2
from postroom_server.gateway.angusgm import words
from postroom_server.gateway.angusgm.exchange import Exchange
from postroom_server.gateway.angusgm.problem import Problem
from postroom_server.gateway.angusgm.query import Query
from postroom_server.gateway.angusgm.refusals import problem_of
from postroom_server.gateway.backend import Backend
from postroom_server.gateway.refused import Refused

_MOST_CHARACTERS = 160
_PROBLEMS = {
    email_service_pb2.VERIFICATION_OUTCOME_WRONG: "verification_code_wrong",
    email_service_pb2.VERIFICATION_OUTCOME_EXPIRED: "verification_code_expired",
    email_service_pb2.VERIFICATION_OUTCOME_LOCKED: "verification_code_locked",
}
_NAMES = {"biz_key": "bizKey", "address": "email", "code": "verificationCode"}


class CodeCheck:
    def __init__(self, backend: Backend) -> None:
        self._check = backend.email.CheckVerificationCode

    async def check(self, exchange: Exchange) -> bytes:
        query = Query(exchange.request.scope["query_string"])
        message = email_service_pb2.CheckVerificationCodeRequest(
            biz_key=query.word("bizKey", words.BIZ_KEYS, required=True),
            address=query.text("email", required=True),
            code=query.text("verificationCode", required=True, most=_MOST_CHARACTERS),
        )
        query.refuse()
        try:
            # Never repeated: the first call may have used the code up.
            answer = await exchange.call(self._check, message)
        except Refused as refused:
            raise problem_of(refused, lambda path: _NAMES.get(path, path)) from None
        if answer.outcome in _PROBLEMS:
            raise Problem(_PROBLEMS[answer.outcome])
        return b"{}"
