"""Unsubscribe links: `/u/<token>` asks for confirmation, a POST to it unsubscribes (RFC 8058).

There is nothing here against cross-site requests, and need not be: no cookie or other ambient credential is
ever looked at. The token alone entitles, and a page that knows it has no need of its reader's browser.
GET and HEAD change nothing, because mail filters follow every link that they find.
"""

from __future__ import annotations

import math
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import grpc
from starlette.requests import Request
from starlette.responses import Response

from postroom.v1.suppression_service_pb2 import DescribeUnsubscriptionRequest, UnsubscribeRequest
from postroom_server.gateway.backend import Backend
from postroom_server.gateway.body import BodyError, BodyFault, read_body
from postroom_server.gateway.content_type import ContentType
from postroom_server.gateway.multipart import MalformedMultipart, parts_of
from postroom_server.gateway.refused import Refused
from postroom_server.gateway.unsubscribe_page import CONTENT_SECURITY_POLICY, page
from postroom_server.gateway.unsubscribe_words import Words, words_for
from postroom_server.gateway.visitor import visitor_of

PREFIX = "u"

_TOKEN = re.compile(rf"/{PREFIX}/([A-Za-z0-9_-]{{1,1000}})")
_ALLOWED = ("GET", "HEAD", "OPTIONS", "POST")
_ALLOW = {"Allow": ", ".join(_ALLOWED)}
_MAX_BODY_BYTES = 4096
_MAX_FIELDS = 16
# RFC 8058 §3.2; the page's own button sends the same.
_ONE_CLICK = (b"List-Unsubscribe", b"One-Click")

_FAULTS = {
    BodyFault.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    BodyFault.TOO_SLOW: HTTPStatus.REQUEST_TIMEOUT,
    BodyFault.OVERLOADED: HTTPStatus.SERVICE_UNAVAILABLE,
}
_REFUSALS = {
    # All that is wrong with a link looks alike.
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    grpc.StatusCode.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}
_RETRY_SECONDS = 60


class UnsubscribePages:
    """Answers everything below `/u`, without cookies and without redirects, which RFC 8058 §3.1 forbids."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def __call__(self, request: Request) -> Response:
        words = words_for("", request.headers.get("accept-language", ""))
        try:
            return await self._answer(request, words)
        except BodyError as error:
            return _plain(words, _FAULTS.get(error.kind, HTTPStatus.BAD_REQUEST))
        except Refused as refused:
            status = _REFUSALS.get(refused.code, HTTPStatus.SERVICE_UNAVAILABLE)
            return _plain(words, status, retry_after=refused.retry_after)

    async def _answer(self, request: Request, words: Words) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_ALLOW)
        if request.method not in _ALLOWED:
            return _plain(words, HTTPStatus.METHOD_NOT_ALLOWED, headers=_ALLOW)
        found = _TOKEN.fullmatch(request.scope["path"])
        if found is None:
            return _plain(words, HTTPStatus.NOT_FOUND)
        if request.method == "POST":
            if not _is_one_click(request, await read_body(request, limit=_MAX_BODY_BYTES)):
                return _plain(words, HTTPStatus.BAD_REQUEST)
            stub = self._backend.suppressions.Unsubscribe
            return await self._told(stub, UnsubscribeRequest(token=found[1]), request)
        stub = self._backend.suppressions.DescribeUnsubscription
        return await self._told(stub, DescribeUnsubscriptionRequest(token=found[1]), request)

    async def _told(self, stub: Any, message: Any, request: Request) -> Response:
        answer = await self._backend.call(stub, message, visitor_of(request, ""), repeatable=True)
        told = answer.unsubscription
        words = words_for(told.language, request.headers.get("accept-language", ""))
        section = words.done if told.unsubscribed else words.ask
        return _html(words, page(words, section, address=told.masked_address, sender=told.sender))


def _is_one_click(request: Request, raw: bytes) -> bool:
    content_type = ContentType.of(request.headers)
    try:
        if content_type.is_multipart:
            return _ONE_CLICK in parts_of(raw, content_type.boundary, most=_MAX_FIELDS)
        return content_type.is_form and _ONE_CLICK in parse_qsl(raw, max_num_fields=_MAX_FIELDS)
    except (MalformedMultipart, ValueError):
        return False


def _plain(
    words: Words,
    status: HTTPStatus,
    *,
    headers: dict[str, str] | None = None,
    retry_after: float | None = None,
) -> Response:
    """A page that says why nothing was done, and nothing of any link."""
    headers = dict(headers or {})
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = str(math.ceil(retry_after or _RETRY_SECONDS))
        return _html(words, page(words, words.later), status, headers)
    section = words.unknown if status == HTTPStatus.NOT_FOUND else words.misunderstood
    return _html(words, page(words, section), status, headers)


def _html(
    words: Words, text: str, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        text,
        int(status),
        {
            "Content-Language": words.language,
            "Cache-Control": "no-store",
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex, nofollow",
            **(headers or {}),
        },
        media_type="text/html",
    )
