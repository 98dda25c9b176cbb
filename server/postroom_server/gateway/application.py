"""The HTTP application: hands requests to their dialects, and answers a few pages of its own."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from postroom_server.gateway.body import Bodies
from postroom_server.gateway.metrics import Metrics
from postroom_server.gateway.plain import refusal
from postroom_server.gateway.proxies import TrustedProxies

_log = structlog.get_logger("postroom.http")

# What a correlation id may be; anything else is replaced by one of ours.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_PROCESS = secrets.token_hex(4)
_PAGES = "pages"
_PIECE_BYTES = 256 * 1024
_numbers = itertools.count(1)
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_.-]{0,32}){1,8}")

Dialect = Callable[[Request], Awaitable[Response]]
"""Answers everything below its prefix, in its own envelope; never raises."""


class Application:
    """`dialects` by their first path segment: `{"api": …, "apiv2": …}`; `pages` answers everything else.

    Into a request's scope it puts what the dialects need: the client's own address as `client`,
    `request_id`, and `bodies`, which bounds what all bodies and large answers together hold in memory.
    """

    def __init__(
        self,
        dialects: Mapping[str, Dialect],
        pages: Dialect,
        metrics: Metrics,
        *,
        proxies: TrustedProxies | None = None,
        logs_everything: bool = False,
    ) -> None:
        self._dialects = dict(dialects)
        self._pages = pages
        self._metrics = metrics
        self._proxies = proxies or TrustedProxies()
        self._logs_everything = logs_everything
        self._bodies = Bodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        scope = self._introduced(scope)
        face = scope["path"].split("/", 2)[1] if scope["path"].startswith("/") else ""
        dialect = self._dialects.get(face)
        request = Request(scope, receive)
        try:
            try:
                response = await (dialect or self._pages)(request)
            except Exception:
                _log.exception("unanswered", correlation_id=scope["request_id"])
                response = refusal(500)
            response.raw_headers.append((b"x-request-id", scope["request_id"].encode()))
            await _answer(response, scope, receive, send)
        finally:
            self._bodies.free(scope)
        self._note(scope, face if dialect else _PAGES, response.status_code, time.perf_counter() - began)

    def _introduced(self, scope: Scope) -> Scope:
        request_id, forwarded = "", []
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                request_id = value.decode("latin-1")
            elif name == b"x-forwarded-for":
                forwarded.append(value)
        if not request_id or not _REQUEST_ID.fullmatch(request_id):
            request_id = f"{_PROCESS}-{next(_numbers):x}"
        peer = scope["client"] or ("", 0)
        scope["client"] = (self._proxies.client_of(peer[0], forwarded), peer[1])
        scope["request_id"] = request_id
        scope["bodies"] = self._bodies
        return scope

    def _note(self, scope: Scope, face: str, status: int, seconds: float) -> None:
        self._metrics.note(face, status, seconds)
        if status < 400 and (face == _PAGES or not self._logs_everything):
            # Those who look after health and metrics come every few seconds.
            return
        _log.info(
            "http",
            method=scope["method"],
            path=loggable(scope["path"]),
            status=status,
            milliseconds=round(seconds * 1000, 2),
            correlation_id=scope["request_id"],
        )


async def _answer(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends as fast as it is read: what is large leaves in pieces, each when the one before it has left."""
    body = memoryview(response.body)
    if len(body) <= _PIECE_BYTES:
        await response(scope, receive, send)
        return
    headers = response.raw_headers
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    for at in range(0, len(body), _PIECE_BYTES):
        piece = bytes(body[at : at + _PIECE_BYTES])
        is_last = at + _PIECE_BYTES >= len(body)
        await send({"type": "http.response.body", "body": piece, "more_body": not is_last})


def loggable(path: str) -> str:
    """A path as it may be logged. Clients err, and write keys into it that belong elsewhere.

    Of unsubscribe links nothing is told: whoever reads the log could use them.
    """
    if path.startswith("/u/"):
        return "/u/(token)"
    return path if _PLAIN_PATH.fullmatch(path) else "(other)"
