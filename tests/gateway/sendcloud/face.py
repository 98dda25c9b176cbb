"""The dialect on a real socket in front of a whole server: bytes in, bytes out."""

from __future__ import annotations

import contextlib
import json
import urllib.parse
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import timedelta
from typing import Any

import grpc.aio
import prometheus_client
from starlette.requests import Request
from starlette.responses import Response

from gateway.wire import Answer, connected
from postroom_server.gateway.application import Application
from postroom_server.gateway.backend import Backend
from postroom_server.gateway.metrics import Metrics
from postroom_server.gateway.plain import refusal
from postroom_server.gateway.sendcloud import SendCloud, SendCloudSettings
from postroom_server.gateway.serving import HttpListener, HttpSettings
from postroom_server.mail.caller import Scope
from serving import ACME, Served, serving

FORM = "application/x-www-form-urlencoded"
# The document's own example of add.
ADDED = {
    "invokeName": "testtemplate",
    "name": "test",
    "html": "<p>add new template</p>",
    "subject": "test_subject",
    "templateType": "1",
}


class Face:
    """`await face.call("add", name="…", …)` posts a form; `face.raw(b"…")` sends any bytes."""

    def __init__(self, served: Served, port: int, api_user: str, api_key: str) -> None:
        self.served, self.port = served, port
        self.api_user, self.api_key = api_user, api_key

    @property
    def credentials(self) -> dict[str, str]:
        return {"apiUser": self.api_user, "apiKey": self.api_key}

    async def call(self, name: str, /, **parameters: str) -> Answer:
        return await self.post(name, urllib.parse.urlencode({**self.credentials, **parameters}).encode())

    async def add(self, **parameters: str) -> None:
        info_of(await self.call("add", **{**ADDED, **parameters}))

    async def data(self, invoke_name: str = "testtemplate") -> Any:
        """What get shows."""
        return info_of(await self.call("get", invokeName=invoke_name))["data"]

    async def post(
        self, name: str, body: bytes, content_type: str = FORM, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return await self.raw(request(name, body, content_type, headers) + body)

    async def raw(self, data: bytes) -> Answer:
        async with connected(self.port) as wire:
            wire.send(data)
            return await wire.answer()

    async def is_empty(self) -> bool:
        """Whether nothing is stored."""
        return bool(info_of(await self.call("list"))["total"] == 0)


def request(
    name: str, body: bytes, content_type: str = FORM, headers: Mapping[str, str] | None = None
) -> bytes:
    """The head of a POST."""
    lines = [
        f"POST /apiv2/template/{name} HTTP/1.1",
        "Host: api.sendcloud.net",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *(f"{key}: {value}" for key, value in (headers or {}).items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def code_of(answer: Answer | Response) -> int:
    """The envelope's statusCode, after a look at the envelope."""
    envelope = json.loads(answer.body)
    assert list(envelope) == ["result", "statusCode", "message", "info"]
    assert envelope["result"] is (envelope["statusCode"] == 200)
    assert envelope["result"] or envelope["info"] == {}
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    return int(envelope["statusCode"])


def info_of(answer: Answer) -> Any:
    assert code_of(answer) == 200, answer.text
    return answer.json["info"]


async def let_in(
    served: Served, port: int, tenant_id: int = ACME, scopes: Iterable[Scope] = (Scope.TEMPLATE,)
) -> Face:
    """A face with a pair of its own."""
    api_user = f"user-{tenant_id}"
    return Face(served, port, api_user, await served.token(api_user, tenant_id, scopes, api_user=api_user))


@contextlib.asynccontextmanager
async def facing(database: str, transport: str = "local", **settings: Any) -> AsyncIterator[Face]:
    """A face of tenant ACME with scope template."""
    async with serving(database, **settings) as served:
        channel = served.local if transport == "local" else served.socket
        async with listening(channel) as port:
            yield await let_in(served, port)


@contextlib.asynccontextmanager
async def listening(channel: grpc.aio.Channel) -> AsyncIterator[int]:
    """The port of an application that is this dialect alone."""

    async def no_page(_: Request) -> Response:
        return refusal(404)

    dialect = SendCloud(Backend(channel), SendCloudSettings())
    metrics = Metrics(prometheus_client.CollectorRegistry())
    application = Application({"apiv2": dialect}, no_page, metrics, logs_everything=True)
    listener = HttpListener(application, HttpSettings(host="127.0.0.1", port=0))
    await listener.start()
    try:
        yield listener.port
    finally:
        assert await listener.drain(timedelta(seconds=5))
