"""One request while it is answered: who asks, in which language, and what the product says to them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import grpc
from starlette.requests import Request
from starlette.types import Scope

from postroom_server.gateway.angusgm.problem import Problem
from postroom_server.gateway.angusgm.texts import Language
from postroom_server.gateway.backend import Backend, Visitor
from postroom_server.gateway.body import Bodies, BodyError, BodyFault, parse_json, read_body
from postroom_server.gateway.refused import Refused

# More than this is not read for strangers.
_SMALL_BODY = 64 * 1024
_JSON = re.compile(r"(?:application/(?:[a-z0-9!#$&^_.+-]+\+)?json)?")
# What is said of the caller, whatever the request.
_OF_CALLERS = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
)


class Knock(NamedTuple):
    """A call that changes nothing, by which the product says whether it knows the token and lets it do this.

    With `any_scope` a token that is known is enough.
    """

    method: Any
    message: Any
    any_scope: bool = False


class Headers:
    """A request's headers by their names in small letters; of one that came twice the first counts."""

    __slots__ = ("_first",)

    def __init__(self, scope: Scope) -> None:
        self._first: dict[bytes, bytes] = dict(reversed(scope["headers"]))

    def text(self, name: bytes) -> str:
        return self._first.get(name, b"").decode("latin-1")


class Exchange:
    __slots__ = ("_backend", "has_called", "headers", "knock", "language", "request", "visitor")

    def __init__(
        self,
        request: Request,
        headers: Headers,
        visitor: Visitor,
        language: Language,
        backend: Backend,
        knock: Knock,
    ) -> None:
        self.request = request
        self.headers = headers
        self.visitor = visitor
        self.language = language
        self.knock = knock
        self.has_called = False
        self._backend = backend

    async def call(
        self, method: Any, message: Any, *, seconds: float = 30.0, repeatable: bool = False
    ) -> Any:
        """Calls the product for the visitor. Raises Refused."""
        self.has_called = True
        return await self._backend.call(method, message, self.visitor, timeout=seconds, repeatable=repeatable)

    async def be_let_in(self) -> None:
        """Finds out whether the visitor may ask at all. Raises Refused if not.

        The product checks a token before it looks at a request. What is wrong with the request, and found
        here, is told only to those who may make it.
        """
        if self.has_called:
            return
        method, message, any_scope = self.knock
        try:
            await self.call(method, message, repeatable=True)
        except Refused as refused:
            if refused.code in _OF_CALLERS and not (
                any_scope and refused.code is grpc.StatusCode.PERMISSION_DENIED
            ):
                raise

    def hold(self, count: int) -> None:
        """Counts bytes of the answer, which stay in memory until a slow reader has them. Raises Problem."""
        scope = self.request.scope
        bodies: Bodies | None = scope.get("bodies")
        if bodies is None:
            return
        try:
            bodies.take(scope, count)
        except BodyError as error:
            raise _problem_of(error) from None

    async def json(self) -> dict[str, Any]:
        """The body, which is one object of JSON. Raises Problem."""
        headers = self.headers
        if not _is_json(headers.text(b"content-type"), headers.text(b"content-encoding")):
            raise Problem("media_type_not_supported")
        declared = headers.text(b"content-length")
        if not declared.isdecimal() or int(declared) > _SMALL_BODY:
            await self.be_let_in()
        try:
            value = parse_json(await read_body(self.request))
        except BodyError as error:
            raise _problem_of(error) from None
        if not isinstance(value, dict):
            raise Problem("param_parsing_error")
        return value


def _is_json(content_type: str, encoding: str) -> bool:
    """Whether it may be JSON in UTF-8 as it stands. Without a type it is taken for that."""
    if content_type == "application/json" and not encoding:
        return True
    media_type, _, parameters = content_type.lower().partition(";")
    if not _JSON.fullmatch(media_type.strip()):
        return False
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8", "us-ascii"):
            return False
    return encoding.strip().lower() in ("", "identity")


def _problem_of(error: BodyError) -> Problem:
    if error.kind is BodyFault.TOO_LARGE:
        return Problem("payload_too_large")
    if error.kind is BodyFault.OVERLOADED:
        return Problem("unavailable", headers={"Retry-After": "1"})
    return Problem("param_parsing_error")
