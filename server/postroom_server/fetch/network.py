"""The network as a fetch sees it: the addresses that were judged, and no more bytes than it may have."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore

from postroom_server.fetch.denied import IpAddress

_MOST_ADDRESSES = 4  # tried in turn; a name may have dozens


class TooMuchError(Exception):
    """The server sent more than any answer of the allowed size needs."""


class JudgedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to the addresses it is given, whatever the name: nothing is resolved a second time."""

    def __init__(self, addresses: Sequence[IpAddress], *, max_bytes: int) -> None:
        self._addresses = addresses[:_MOST_ADDRESSES]
        self._max_bytes = max_bytes
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._addresses:
            try:
                stream = await self._network.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            if _peer(stream) != address:
                await stream.aclose()
                raise httpcore.ConnectError("the connection leads to another address")
            return _Counted(stream, self._max_bytes)
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        del path, timeout, socket_options
        raise httpcore.ConnectError("no file is fetched from a socket of this machine")


class _Counted(httpcore.AsyncNetworkStream):
    """A connection that ends when its peer has said too much: endless headers, 1xx answers, tiny chunks."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, left: int) -> None:
        self._stream = stream
        self._left = left

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        data = await self._stream.read(max_bytes, timeout)
        self._left -= len(data)
        if self._left < 0:
            raise TooMuchError
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
    ) -> httpcore.AsyncNetworkStream:
        return _Counted(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _peer(stream: httpcore.AsyncNetworkStream) -> IpAddress | None:
    peer = stream.get_extra_info("server_addr")
    return ipaddress.ip_address(peer[0]) if isinstance(peer, tuple) else None
