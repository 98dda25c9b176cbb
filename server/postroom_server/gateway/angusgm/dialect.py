"""Dialect A, AngusGM email: everything below /api."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping

import structlog
from starlette.requests import Request
from starlette.responses import Response

from postroom.v1 import email_service_pb2
from postroom_server.clock import Clock
from postroom_server.gateway.angusgm.code_check import CodeCheck
from postroom_server.gateway.angusgm.dates import Dates
from postroom_server.gateway.angusgm.deletion import Deletion
from postroom_server.gateway.angusgm.envelope import Envelopes, without_body
from postroom_server.gateway.angusgm.exchange import Exchange, Headers, Knock
from postroom_server.gateway.angusgm.listing import Listing
from postroom_server.gateway.angusgm.platform_tokens import PlatformTokens
from postroom_server.gateway.angusgm.problem import Problem
from postroom_server.gateway.angusgm.query import pairs_of
from postroom_server.gateway.angusgm.reader import language_of
from postroom_server.gateway.angusgm.refusals import problem_of
from postroom_server.gateway.angusgm.send import Sending
from postroom_server.gateway.angusgm.server_test import ServerTest
from postroom_server.gateway.angusgm.settings import AngusGmSettings
from postroom_server.gateway.angusgm.texts import Language
from postroom_server.gateway.angusgm.totals import Totals
from postroom_server.gateway.backend import Backend
from postroom_server.gateway.refused import Refused
from postroom_server.gateway.visitor import visitor_of

_log = structlog.get_logger("postroom.http")

EMAIL = "/api/v1/email"
DETAIL = f"{EMAIL}/"  # and an id
SERVER_TEST = f"{EMAIL}/server/test"
CODE_CHECK = f"{EMAIL}/verificationCode/check"

# Answers the JSON of `data`. Raises Problem or Refused.
Act = Callable[[Exchange], Awaitable[bytes]]


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    act: Act
    knock: Knock


class AngusGm:
    """Answers a request in the envelope; never raises."""

    def __init__(self, backend: Backend, settings: AngusGmSettings, clock: Clock) -> None:
        self._backend = backend
        dates = Dates(settings.time_zone, clock)
        self._envelopes = Envelopes(dates)
        totals, platform_tokens = Totals(clock), PlatformTokens(backend)
        listing = Listing(backend, settings, dates, platform_tokens, totals)
        sending = Sending(backend, settings, dates, platform_tokens, totals)
        server_test = ServerTest(backend, settings, platform_tokens, totals)
        email, messages = backend.email, email_service_pb2
        # Each call's own method with nothing in it: it changes nothing, and says whether the caller may.
        reading = Knock(email.GetEmail, messages.GetEmailRequest())
        sends = Knock(email.SendEmail, messages.SendEmailRequest())
        deletes = Knock(email.BatchDeleteEmails, messages.BatchDeleteEmailsRequest())
        tests = Knock(email.SendTestEmail, messages.SendTestEmailRequest())
        checks = Knock(email.CheckVerificationCode, messages.CheckVerificationCodeRequest())
        self._unknown = reading._replace(any_scope=True)
        self._detail: Mapping[str, Route] = {"GET": Route(listing.one, reading)}
        self._routes: Mapping[str, Mapping[str, Route]] = {
            EMAIL: {
                "GET": Route(listing.page, reading),
                "POST": Route(sending.send, sends),
                "DELETE": Route(Deletion(backend, totals).delete, deletes),
            },
            SERVER_TEST: {"POST": Route(server_test.test, tests)},
            CODE_CHECK: {"GET": Route(CodeCheck(backend).check, checks)},
        }

    async def __call__(self, request: Request) -> Response:
        scope = request.scope
        headers = Headers(scope)
        language = _language_of(scope["query_string"], headers)
        path = scope["path"].removesuffix("/")
        response = await self._answered(request, headers, path, language)
        if path == CODE_CHECK:
            response.raw_headers.append((b"cache-control", b"no-store"))
        return without_body(response) if scope["method"] == "HEAD" else response

    async def _answered(self, request: Request, headers: Headers, path: str, language: Language) -> Response:
        request_id = request.scope["request_id"]
        try:
            data = await self._data(request, headers, path, language)
        except Problem as problem:
            return self._envelopes.problem(problem, language, request_id)
        except Exception:
            _log.exception("unexpected", correlation_id=request_id)
            return self._envelopes.problem(Problem("internal_error"), language, request_id)
        return self._envelopes.success(data, language, request_id)

    async def _data(self, request: Request, headers: Headers, path: str, language: Language) -> bytes:
        routes = self._routes_of(path)
        method = "GET" if request.scope["method"] == "HEAD" else request.scope["method"]
        route = routes.get(method)
        visitor = visitor_of(request, _bearer(headers.text(b"authorization")))
        knock = route.knock if route else self._unknown
        exchange = Exchange(request, headers, visitor, language, self._backend, knock)
        try:
            if not visitor.credential:
                raise Problem("unauthorized", headers={"WWW-Authenticate": "Bearer"})
            if route is None:
                await exchange.be_let_in()
                raise _no_route(routes)
            try:
                return await route.act(exchange)
            except Problem:
                await exchange.be_let_in()
                raise
        except Refused as refused:
            raise problem_of(refused) from None

    def _routes_of(self, path: str) -> Mapping[str, Route]:
        found = self._routes.get(path)
        if found is not None:
            return found
        is_detail = path.startswith(DETAIL) and "/" not in path.removeprefix(DETAIL)
        return self._detail if is_detail else {}


def _no_route(routes: Mapping[str, Route]) -> Problem:
    if not routes:
        return Problem("resource_not_found")
    allowed = [*routes, "HEAD"] if "GET" in routes else list(routes)
    return Problem("method_not_supported", headers={"Allow": ", ".join(allowed)})


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _language_of(query: bytes, headers: Headers) -> Language:
    asked = ""
    if query:
        try:
            first = dict(reversed(list(pairs_of(query))))
            asked = first.get("lang", "") or first.get("locale", "")
        except UnicodeDecodeError:
            # Whoever reads the query says so, in a language that the headers name.
            pass
    return language_of(asked, headers.text(b"x-lang"), headers.text(b"accept-language"))
