"""The dialect over a backend that answers what a test says."""

from __future__ import annotations

import copy
import dataclasses
import json
import types
from collections.abc import Mapping
from typing import Any, cast

import grpc
from starlette.requests import Request

from fakes import ManualClock
from postroom_server.gateway.angusgm import AngusGm, AngusGmSettings
from postroom_server.gateway.backend import Backend, Visitor
from postroom_server.gateway.body import Bodies
from postroom_server.gateway.refused import Refused

EMAIL = (
    "SendEmail", "GetEmail", "ListEmails", "BatchDeleteEmails", "SendTestEmail", "CheckVerificationCode",
)  # fmt: skip
TOKEN = "token"
SEND = {
    "type": "CUSTOM",
    "subject": "s",
    "toAddress": ["x@example.com"],
    "verificationCode": False,
    "html": False,
    "content": "c",
}


@dataclasses.dataclass(frozen=True)
class Asked:
    """One call of the product."""

    method: str
    message: Any
    seconds: float
    repeatable: bool


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The envelope, after a look at it."""
        envelope = json.loads(self.body)
        assert list(envelope) == ["code", "msg", "data", "datetime", "ext"]
        assert envelope["ext"].get("eKey") == self.headers.get("xc-e-key")
        assert self.headers["content-type"] == "application/json"
        assert int(self.headers["content-length"]) == len(self.body)
        return envelope

    @property
    def key(self) -> str:
        return str(self.json["ext"].get("eKey", ""))

    @property
    def fields(self) -> list[str]:
        return [violation["field"] for violation in self.json["ext"].get("violations", [])]


class Scripted:
    """`answers` by method, one after the other; the last is given again and again."""

    def __init__(self, answers: Mapping[str, list[Any]], **settings: Any) -> None:
        self._answers = {method: list(given) for method, given in answers.items()}
        self.calls: list[Asked] = []
        self.visitors: list[Visitor] = []
        self.clock = ManualClock()
        self.email = types.SimpleNamespace(**{method: method for method in EMAIL})
        self.tenants = types.SimpleNamespace(GetTenant="GetTenant")
        self.dialect = AngusGm(cast(Backend, self), AngusGmSettings(**settings), self.clock)

    @property
    def methods(self) -> list[str]:
        return [asked.method for asked in self.calls]

    async def call(
        self,
        method: str,
        message: Any,
        visitor: Visitor,
        *,
        timeout: float,  # noqa: ASYNC109 - Backend's signature
        repeatable: bool = False,
    ) -> Any:
        # As over a channel: nobody shares a message.
        self.calls.append(Asked(method, copy.deepcopy(message), timeout, repeatable))
        self.visitors.append(visitor)
        answers = self._answers[method]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return copy.deepcopy(answer)

    async def ask(
        self,
        target: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        bodies: Bodies | None = None,
    ) -> Answer:
        """`"GET /api/v1/email?pageNo=1"`; a body is JSON, or the bytes of `raw`."""
        method, _, rest = target.partition(" ")
        path, _, query = rest.partition("?")
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        given = {"Authorization": f"Bearer {TOKEN}", "Content-Length": str(len(content)), **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()],
            "client": ("192.0.2.7", 1),
            "request_id": "r-1",
            **({} if bodies is None else {"bodies": bodies}),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        response = await self.dialect(Request(scope, receive))
        assert response.headers["xc-request-id"] == "r-1"
        return Answer(response.status_code, dict(response.headers), bytes(response.body))


def refused(code: str, reason: str = "", **details: Any) -> Refused:
    return Refused(grpc.StatusCode[code], reason, **details)


SCOPE_MISSING = refused("PERMISSION_DENIED", "SCOPE_MISSING", metadata={"scope": "platform"})
