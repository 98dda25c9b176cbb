"""One call while it runs: what came with it, and what its layers learn and leave for each other."""

from __future__ import annotations

import contextvars
import dataclasses
import itertools
import re
import secrets
from typing import Any

import grpc.aio

from postroom_server.mail.caller import Caller

# Services that answer without a token, are not counted for drain and are logged at debug.
OPEN_SERVICES = frozenset(
    {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
)

# Methods that a link out of a mail entitles to: its token is in the request, and no caller is behind it.
LINK_METHODS = frozenset(
    {
        "/postroom.v1.SuppressionService/DescribeUnsubscription",
        "/postroom.v1.SuppressionService/Unsubscribe",
    }
)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_PROCESS = secrets.token_hex(4)
_numbers = itertools.count(1)


@dataclasses.dataclass(frozen=True, slots=True)
class Method:
    """A method of the contract, by its full name such as `/postroom.v1.EmailService/SendEmail`."""

    name: str
    takes_stream: bool
    answers_stream: bool

    @property
    def is_open(self) -> bool:
        return self.name.split("/")[1] in OPEN_SERVICES

    @property
    def is_by_link(self) -> bool:
        return self.name in LINK_METHODS


class Call:
    """`request` holds the bytes as received (the messages' iterator where the client streams).

    `code` and `reason` say how the call ended, once it has.
    """

    __slots__ = ("_request_id", "caller", "code", "context", "metadata", "method", "reason", "request")

    def __init__(self, method: Method, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self.method = method
        self.request = request
        self.context = context
        # Of a key that came twice the last value counts.
        self.metadata: dict[str, str | bytes] = dict(context.invocation_metadata() or ())
        self.caller: Caller | None = None
        self.code = "OK"
        self.reason = ""
        self._request_id = ""

    @property
    def request_id(self) -> str:
        """The caller's `x-request-id` when it is a plain one, else one of ours."""
        if not self._request_id:
            given = self.metadata.get("x-request-id")
            plain = isinstance(given, str) and _REQUEST_ID.fullmatch(given)
            self._request_id = str(given) if plain else f"{_PROCESS}-{next(_numbers):x}"
        return self._request_id


# Every call runs in a task of its own on either transport, so nothing needs to reset this.
running: contextvars.ContextVar[Call] = contextvars.ContextVar("running")


def current_call() -> Call:
    """The call that this code runs for. Raises LookupError outside of one."""
    return running.get()


def current_caller() -> Caller:
    """Who made the call that this code runs for. Raises LookupError where nobody was authenticated."""
    caller = running.get().caller
    if caller is None:
        raise LookupError("this method is open: it has no caller")
    return caller
