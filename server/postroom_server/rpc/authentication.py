"""The layer that finds out who is calling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from postroom_server.mail.caller import Caller
from postroom_server.refusals import Reason, Refusal
from postroom_server.rpc.call import Call, Method
from postroom_server.rpc.failures import Failures, bucket_of, host_of_peer
from postroom_server.rpc.layers import Proceed
from postroom_server.rpc.local_context import LOCAL_PEER

CLIENT_ADDRESS = "x-postroom-client-address"
GATEWAY_TOKEN = "x-postroom-gateway-token"  # noqa: S105 - the name of a header

Authenticate = Callable[[str], Awaitable[Caller | None]]
TrustsGateway = Callable[[str], Awaitable[bool]]

# Of a request that shows a link's token and nothing else.
_LINK_REQUEST_BYTES = 1024


class Authentication:
    """Takes `authorization: Bearer <token>`; leaves the caller on the call. Open methods need no token, and
    those of links have it in their request.

    A gateway names its own client's address in metadata; it is believed from within this process, and over
    the network when `trusts_gateway` knows the gateway's own token, which opens nothing else.
    """

    def __init__(
        self,
        authenticate: Authenticate,
        failures: Failures,
        *,
        link_failures: Failures | None = None,
        trusts_gateway: TrustsGateway | None = None,
        was_recognised: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._authenticate = authenticate
        self._failures = failures
        # Apart, so that whoever tries broken links locks no service out that shares the address, nor the
        # other way round.
        self._link_failures = link_failures or failures
        self._trusts_gateway = trusts_gateway
        self._was_recognised = was_recognised

    def __call__(self, method: Method, proceed: Proceed) -> Proceed:
        if method.is_open:
            return proceed
        if method.is_by_link:
            return self._by_link(proceed)
        authenticate, failures = self._authenticate, self._failures

        async def authenticated(call: Call) -> Any:
            token = _bearer(call.metadata.get("authorization"))
            # One service with an old token must not lock out the others behind its address; and a guesser
            # learns nothing from whose token is let through: nobody guesses one.
            if failures.any() and not self._was_recognised(token):
                self._refuse_blocked(await self._bucket(call), failures)
            caller = await authenticate(token)
            if caller is None:
                failures.note(await self._bucket(call))
                raise Refusal(Reason.TOKEN_INVALID, "the token is unknown, expired or revoked")
            call.caller = caller
            return await proceed(call)

        return authenticated

    def _by_link(self, proceed: Proceed) -> Proceed:
        """Counts wrong link tokens, which the use case refuses as TOKEN_INVALID, by client address.

        A right one is let through from wherever it comes: nobody guesses 128 bits, and mail providers post
        their readers' links from few addresses.
        """

        async def by_link(call: Call) -> Any:
            try:
                if len(call.request) > _LINK_REQUEST_BYTES:  # nobody parses for a stranger
                    raise Refusal(Reason.TOKEN_INVALID, "no link has so long a token")
                return await proceed(call)
            except Refusal as refusal:
                if refusal.reason is Reason.TOKEN_INVALID:
                    bucket = await self._bucket(call)
                    self._refuse_blocked(bucket, self._link_failures)
                    self._link_failures.note(bucket)
                raise

        return by_link

    def _refuse_blocked(self, bucket: str, failures: Failures) -> None:
        # A right token that is new here is refused, too: the answer must not tell a guesser that it is right.
        wait = failures.blocked_for(bucket)
        if wait is not None:
            raise Refusal(
                Reason.RATE_LIMITED, "too many wrong tokens came from this address", retry_after=wait
            )

    async def _bucket(self, call: Call) -> str:
        peer = call.context.peer()
        named = call.metadata.get(CLIENT_ADDRESS)
        if isinstance(named, str) and (peer == LOCAL_PEER or await self._is_from_gateway(call)):
            return bucket_of(named)
        return bucket_of(host_of_peer(peer))

    async def _is_from_gateway(self, call: Call) -> bool:
        token = call.metadata.get(GATEWAY_TOKEN)
        if self._trusts_gateway is None or not isinstance(token, str):
            return False
        return await self._trusts_gateway(token)


def credential_of(call: Call) -> str:
    """What an authenticated call showed."""
    return _bearer(call.metadata.get("authorization"))


def _bearer(header: str | bytes | None) -> str:
    scheme, _, token = header.partition(" ") if isinstance(header, str) else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise Refusal(Reason.TOKEN_MISSING, "send metadata `authorization: Bearer <token>`")
    return token
