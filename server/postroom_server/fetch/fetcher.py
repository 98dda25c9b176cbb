"""Fetches one file over HTTP(S): one request, to an address that was judged, with an end to everything."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence

import httpcore

from postroom_server.fetch import url as urls
from postroom_server.fetch.denied import IpAddress, is_denied
from postroom_server.fetch.network import JudgedNetwork, TooMuchError

MAX_BYTES = 10 << 20
_MAX_HEADER_BYTES = 32 << 10
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
# "Not now" (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4); every other 4xx is meant for good.
_NOT_NOW = frozenset({408, 425, 429})
_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_TROUBLES = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    OSError,  # TimeoutError and ssl.SSLError are two of them
)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class _FetchError(Exception):
    """The text is the same whatever happened: it may reach callers, and must not tell what is inside.

    `detail` is for the operator's log.
    """

    _TEXT = ""

    def __init__(self, detail: str) -> None:
        super().__init__(self._TEXT)
        self.detail = detail


class FetchRefused(_FetchError):  # noqa: N818 - it is not an error, it is an answer
    """The file is not to be had from there, now or later."""

    _TEXT = "the file cannot be fetched"


class FetchFailed(_FetchError):  # noqa: N818 - named beside FetchRefused
    """It did not work this time."""

    _TEXT = "the file could not be fetched"


@dataclasses.dataclass(frozen=True, slots=True)
class Fetched:
    content: bytes
    content_type: str  # as the server said it, without parameters; "" when it said nothing usable
    sha256: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect (and again for TLS), without a byte, and for everything together."""

    connect: float = 5.0
    read: float = 10.0
    total: float = 30.0


async def resolve(host: str, port: int) -> Sequence[str]:
    """Asks the system's resolver. Raises socket.gaierror."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )
    return [str(address[0]) for *_, address in found]


class Fetcher:
    """Fetches for a whole process. Follows no redirect, asks no proxy, keeps no cookie and no connection."""

    def __init__(
        self,
        rules: urls.Rules,
        *,
        ca_file: str | None = None,
        max_bytes: int = MAX_BYTES,
        timeouts: Timeouts = Timeouts(),
        resolve: Resolve = resolve,
        is_denied: Callable[[IpAddress], bool] = is_denied,
    ) -> None:
        """Raises OSError (ssl.SSLError is one) for a bad `ca_file`."""
        self._rules = rules
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._max_bytes = max_bytes
        self._timeouts = timeouts
        self._resolve = resolve
        self._is_denied = is_denied

    async def fetch(self, url: str, *, max_bytes: int | None = None) -> Fetched:
        """Fetches a file of at most `max_bytes`. Raises FetchRefused or FetchFailed."""
        try:
            target = urls.read(url, self._rules)
        except urls.BadUrl as error:
            raise FetchRefused(str(error)) from None
        most = self._max_bytes if max_bytes is None else min(self._max_bytes, max_bytes)
        try:
            async with asyncio.timeout(self._timeouts.total):
                return await self._get(target, await self._addresses(target), most)
        except TooMuchError:
            raise FetchRefused("too many bytes around the file") from None
        except _TROUBLES as error:
            raise FetchFailed(f"{type(error).__name__}: {error}") from error

    async def _addresses(self, target: urls.Target) -> list[IpAddress]:
        """Resolves the host, once, and judges every address: one that is inside spoils them all."""
        try:
            found = await self._resolve(target.host, target.port)
        except socket.gaierror as error:
            if error.errno in _NO_SUCH_NAME:
                # As soon as a denied address is: the time it takes must not tell which names exist inside.
                raise FetchRefused("there is no such host") from None
            raise
        addresses = [ipaddress.ip_address(text) for text in dict.fromkeys(found)]
        denied = [] if target.is_own else [address for address in addresses if self._is_denied(address)]
        if denied or not addresses:
            raise FetchRefused(f"resolves to {', '.join(map(str, denied)) or 'nothing'}")
        return addresses

    async def _get(self, target: urls.Target, addresses: Sequence[IpAddress], most: int) -> Fetched:
        network = JudgedNetwork(addresses, max_bytes=2 * most + 4 * _MAX_HEADER_BYTES)
        location = httpcore.URL(
            scheme=target.scheme.encode(),
            host=target.host.encode(),
            port=target.port,
            target=target.path.encode(),
        )
        headers = [
            ("Host", target.authority),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ]
        wait = self._timeouts
        extensions = {
            "timeout": {"connect": wait.connect, "read": wait.read, "write": wait.read, "pool": wait.total}
        }
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._tls, max_connections=1, network_backend=network
            ) as pool,
            pool.stream("GET", location, headers=headers, extensions=extensions) as response,
        ):
            return await _read(response, most)


async def _read(response: httpcore.Response, most: int) -> Fetched:
    if response.status in _NOT_NOW or response.status >= 500:
        raise FetchFailed(f"status {response.status}")
    if response.status != 200:
        # Redirects too: where they lead was not judged, and who keeps a file can say where it is.
        raise FetchRefused(f"status {response.status}")
    if sum(len(name) + len(value) for name, value in response.headers) > _MAX_HEADER_BYTES:
        raise FetchRefused("the header is too long")
    headers = [(name.lower(), value.decode("latin-1").strip()) for name, value in response.headers]
    if any(name == b"content-encoding" and value.lower() != "identity" for name, value in headers):
        # Asked for as it is. What comes packed may unpack to anything.
        raise FetchRefused("the file comes packed")
    # That it is one number is seen to by the parser below.
    if any(name == b"content-length" and int(value) > most for name, value in headers):
        raise FetchRefused(f"more than {most} bytes announced")
    content = bytearray()
    sha256 = hashlib.sha256()
    async for data in response.aiter_stream():
        content += data
        sha256.update(data)
        if len(content) > most:
            raise FetchRefused(f"more than {most} bytes")
    return Fetched(bytes(content), _media_type(dict(headers).get(b"content-type", "")), sha256.digest())


def _media_type(text: str) -> str:
    kind = text.partition(";")[0].strip().lower()
    return kind if _MEDIA_TYPE.fullmatch(kind) else ""
