"""The product as the gateway sees it: generated stubs on a channel, in this process or across a network."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import re
from typing import Any

import grpc
import grpc.aio

from postroom.v1.email_service_pb2_grpc import EmailServiceStub
from postroom.v1.mail_server_service_pb2_grpc import MailServerServiceStub
from postroom.v1.suppression_service_pb2_grpc import SuppressionServiceStub
from postroom.v1.template_service_pb2_grpc import TemplateServiceStub
from postroom.v1.tenant_service_pb2_grpc import TenantServiceStub
from postroom_server.gateway.refused import Refused

CLIENT_ADDRESS = "x-postroom-client-address"
GATEWAY_TOKEN = "x-postroom-gateway-token"  # noqa: S105 - the name of a header
REQUEST_ID = "x-request-id"

# What fits into HTTP/2 metadata beside everything else. Nothing longer or stranger was ever given out.
_CREDENTIAL = re.compile(r"[!-~](?:[ -~]{0,4000}[!-~])?")
_PAUSES = (0.05, 0.2, 0.8)  # seconds before the second, third and fourth attempt, each jittered
# UNAVAILABLE says these of the one process that answered; other words stay true for all of them.
_PASSING = ("", "SHUTTING_DOWN")


@dataclasses.dataclass(frozen=True, slots=True)
class Visitor:
    """Who is calling over HTTP, as far as HTTP says.

    `credential` is a bearer token or `apiUser:apiKey`, "" when none came; `address` is the client's own, and
    failures of authentication are counted by it; `request_id` goes along as `x-request-id`.
    """

    credential: str = dataclasses.field(repr=False)
    address: str
    request_id: str


class Backend:
    """The stubs that dialects call. `gateway_token` makes a remote server believe our clients' addresses."""

    def __init__(
        self, channel: grpc.aio.Channel, *, is_remote: bool = False, gateway_token: str = ""
    ) -> None:
        # Typed loosely, because one stub class serves grpc's blocking and its asynchronous channels.
        self.email: Any = EmailServiceStub(channel)
        self.templates: Any = TemplateServiceStub(channel)
        self.mail_servers: Any = MailServerServiceStub(channel)
        self.suppressions: Any = SuppressionServiceStub(channel)
        self.tenants: Any = TenantServiceStub(channel)
        self._pauses = _PAUSES if is_remote else ()
        self._own: tuple[tuple[str, str], ...] = ((GATEWAY_TOKEN, gateway_token),) if gateway_token else ()

    async def call(
        self,
        method: Any,
        request: Any,
        visitor: Visitor,
        *,
        timeout: float = 30.0,  # noqa: ASYNC109 - the deadline that travels with the call
        repeatable: bool = False,
    ) -> Any:
        """Calls one method of a stub within `timeout` seconds. Raises Refused, and nothing else.

        A call that is `repeatable` is made again when a remote server was not there. A credential that
        metadata cannot carry is UNAUTHENTICATED like any other wrong one.
        """
        metadata = self._metadata(visitor)
        if not repeatable or not self._pauses:
            return await _once(method, request, metadata, timeout)
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        for pause in self._pauses:
            try:
                return await _once(method, request, metadata, end - loop.time())
            except Refused as refused:
                wait = pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads callers, hides nothing
                if not _is_passing(refused) or loop.time() + wait >= end:
                    raise
            await asyncio.sleep(wait)
        return await _once(method, request, metadata, end - loop.time())

    def _metadata(self, visitor: Visitor) -> tuple[tuple[str, str], ...]:
        metadata = ((CLIENT_ADDRESS, visitor.address), (REQUEST_ID, visitor.request_id), *self._own)
        if not visitor.credential:
            return metadata
        if not _CREDENTIAL.fullmatch(visitor.credential):
            raise Refused(
                grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "the token is unknown, expired or revoked"
            )
        return (("authorization", f"Bearer {visitor.credential}"), *metadata)


async def _once(method: Any, request: Any, metadata: tuple[tuple[str, str], ...], seconds: float) -> Any:
    try:
        return await method(request, metadata=metadata, timeout=seconds)
    except grpc.aio.AioRpcError as error:
        raise Refused.of(error) from None
    except grpc.aio.UsageError:
        # The channel was closed under a request that came with the last ones.
        raise Refused(
            grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", "this server is shutting down", retry_after=1.0
        ) from None


def _is_passing(refused: Refused) -> bool:
    return refused.code is grpc.StatusCode.UNAVAILABLE and refused.reason in _PASSING
