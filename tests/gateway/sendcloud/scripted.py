"""The dialect over a backend that answers what a test says."""

from __future__ import annotations

import copy
import types
from typing import Any, cast

import grpc
from starlette.requests import Request
from starlette.responses import Response

from postroom_server.gateway.backend import Backend, Visitor
from postroom_server.gateway.refused import Refused
from postroom_server.gateway.sendcloud import SendCloud, SendCloudSettings

METHODS = (
    "CreateTemplate",
    "GetTemplate",
    "ListTemplates",
    "UpdateTemplate",
    "DeleteTemplate",
    "SubmitTemplate",
)


class Scripted:
    """`answers` by method, one after the other; the last is given again and again."""

    def __init__(self, answers: dict[str, list[Any]]) -> None:
        self._answers = answers
        self.calls: list[tuple[str, Any]] = []
        self.visitors: list[Visitor] = []
        self.repeatable: set[str] = set()
        self.templates = types.SimpleNamespace(**{method: method for method in METHODS})

    async def call(self, method: str, request: Any, visitor: Visitor, *, repeatable: bool = False) -> Any:
        self.calls.append((method, request))
        self.visitors.append(visitor)
        if repeatable:
            self.repeatable.add(method)
        answers = self._answers[method]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        # As over a channel: nobody shares a message.
        return copy.deepcopy(answer)

    async def ask(self, call: str, query: str, **settings: Any) -> Response:
        dialect = SendCloud(cast(Backend, self), SendCloudSettings(**settings))
        return await dialect(asking(call, query))


def asking(call: str, query: str, *, method: str = "POST") -> Request:
    scope = {
        "type": "http",
        "method": method,
        "path": f"/apiv2/template/{call}",
        "query_string": f"apiUser=ann&apiKey=secret&{query}".encode(),
        "headers": [],
        "client": ("192.0.2.7", 1),
        "request_id": "r-1",
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    return Request(scope, receive)


def refused(code: str, reason: str = "", **details: Any) -> Refused:
    return Refused(grpc.StatusCode[code], reason, **details)
