"""Opening: from a host name to a line that is ready for MAIL."""

from __future__ import annotations

import asyncio
import dataclasses
import socket

from postroom_server.smtp import authentication, certificates
from postroom_server.smtp import reply as replies
from postroom_server.smtp.capabilities import Capabilities
from postroom_server.smtp.endpoint import AuthMechanism, Endpoint, TlsMode
from postroom_server.smtp.framing import Frame
from postroom_server.smtp.reply import Reply
from postroom_server.smtp.transaction import Phase
from postroom_server.smtp.wire import Lost, Wire

MAX_ADDRESSES = 8


class NotOpened(Exception):  # noqa: N818 - it is not an error of ours
    """No line came about: how far it got, and what the server said if it said something."""

    def __init__(self, phase: Phase, error: str, reply: Reply | None = None) -> None:
        super().__init__(f"{phase}: {error}")
        self.phase = phase
        self.error = error
        self.reply = reply


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """An open line and what may be said on it."""

    wire: Wire
    capabilities: Capabilities
    tls_version: str


class Opening:
    """One attempt to open a line."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._phase = Phase.RESOLVE
        self._wire: Wire | None = None

    @property
    def phase(self) -> Phase:
        """How far it has got."""
        return self._phase

    async def run(self) -> Line:
        """Opens the line. Raises NotOpened; whatever is raised, nothing stays open."""
        try:
            return await self._run()
        except Lost as fault:
            raise NotOpened(self._phase, str(fault)) from fault
        finally:
            # A line that is handed over is no longer ours to close.
            if self._wire is not None:
                self._wire.abort()

    async def _run(self) -> Line:
        endpoint = self._endpoint
        wire = self._wire = await self._connect(await self._resolve())
        if endpoint.tls is TlsMode.IMPLICIT:
            await self._start_tls(wire)
        await self._banner(wire)
        capabilities = await self._greet(wire)
        if endpoint.tls in (TlsMode.REQUIRED, TlsMode.OPPORTUNISTIC):
            capabilities = await self._protect(wire, capabilities)
        if endpoint.has_credentials:
            await self._log_in(wire, capabilities)
        self._wire = None
        return Line(wire, capabilities, wire.tls_version)

    async def _resolve(self) -> list[str]:
        endpoint, loop = self._endpoint, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(endpoint.timeouts.connect):
                found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise self._failure("the name was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise self._failure(f"the name cannot be resolved: {error}") from error
        return list(dict.fromkeys(str(address[4][0]) for address in found))[:MAX_ADDRESSES]

    async def _connect(self, addresses: list[str]) -> Wire:
        """Tries one address after the other, each with its share of the time that is left."""
        self._phase = Phase.CONNECT
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._endpoint.timeouts.connect
        error = "the name has no addresses"
        for waiting, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            share = (deadline - loop.time()) / waiting
            try:
                async with asyncio.timeout(share):
                    _, wire = await loop.create_connection(Wire, address, self._endpoint.port)
            except TimeoutError:
                error = f"{address}: no connection within {share:.3g} s"
            except OSError as fault:
                error = f"{address}: {fault.strerror or fault}"
            else:
                return wire
        raise self._failure(error)

    async def _banner(self, wire: Wire) -> None:
        self._phase = Phase.BANNER
        banner = replies.from_lines(*await wire.frame(self._endpoint.timeouts.banner))
        if not banner.is_positive:
            raise self._failure("the server refuses connections", banner)

    async def _greet(self, wire: Wire) -> Capabilities:
        self._phase = Phase.EHLO
        code, lines = await self._ask(wire, f"EHLO {self._endpoint.helo_name}")
        greeting = replies.from_lines(code, lines)
        if greeting.is_positive:
            return Capabilities.from_lines(lines)
        # RFC 5321 §3.2: a server that does not know EHLO may know HELO.
        if greeting.is_permanent:
            greeting = replies.from_lines(*await self._ask(wire, f"HELO {self._endpoint.helo_name}"))
        if not greeting.is_positive:
            raise self._failure("the greeting was refused", greeting)
        return Capabilities()

    async def _protect(self, wire: Wire, capabilities: Capabilities) -> Capabilities:
        self._phase = Phase.STARTTLS
        if not capabilities.starttls:
            if self._endpoint.tls is TlsMode.OPPORTUNISTIC:
                return capabilities
            raise self._failure("TLS is required and the server does not offer STARTTLS")
        answer = replies.from_lines(*await self._ask(wire, "STARTTLS"))
        if not answer.is_positive:
            raise self._failure("STARTTLS was refused", answer)
        await self._start_tls(wire)
        # RFC 3207 §4.2: what was offered before the handshake may have been written by anybody.
        return await self._greet(wire)

    async def _start_tls(self, wire: Wire) -> None:
        self._phase = Phase.TLS
        endpoint = self._endpoint
        try:
            context = certificates.context_for(endpoint.ca_file, verified=endpoint.verifies_certificate)
        except OSError as error:
            raise self._failure(f"ca_file cannot be used: {error.strerror or error}") from error
        await wire.start_tls(context, endpoint.host.rstrip("."), endpoint.timeouts.connect)

    async def _log_in(self, wire: Wire, capabilities: Capabilities) -> None:
        self._phase = Phase.AUTH
        if not wire.tls_version and self._endpoint.tls is not TlsMode.OFF:
            raise self._failure("credentials are not sent without TLS")
        mechanism = authentication.choose(self._endpoint, capabilities)
        if mechanism is AuthMechanism.NONE:
            raise self._failure("the server offers no AUTH mechanism that fits")
        answer = await authentication.log_in(wire, self._endpoint, mechanism)
        if not answer.is_positive:
            raise self._failure("the credentials were refused", answer)

    async def _ask(self, wire: Wire, command: str) -> Frame:
        wire.write(f"{command}\r\n".encode("ascii"), replies=1)
        return await wire.frame(self._endpoint.timeouts.ehlo)

    def _failure(self, error: str, reply: Reply | None = None) -> NotOpened:
        return NotOpened(self._phase, error, reply)
