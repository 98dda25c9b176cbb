"""The socket: a grpc.aio server with limits, TLS, health, reflection and an orderly end."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import grpc
import grpc.aio

from postroom_server.rpc.certificates import read_authorities, read_pair
from postroom_server.rpc.endpoint import ConfigurationError, check_address, is_private
from postroom_server.rpc.health import Health, Probe, add_reflection
from postroom_server.rpc.in_flight import InFlight
from postroom_server.rpc.limits import Limits
from postroom_server.rpc.services import Services

# How long a finished answer may take to leave once nothing else is under way.
_FLUSH = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """`address` is `host:port`, `[v6]:port` or `unix:/path`; port 0 takes a free one.

    A client that pings more often than `min_ping_interval` while nothing moves is disconnected after
    `max_ping_strikes`; the server itself pings every `keepalive` to find readers that are gone.
    """

    address: str = "127.0.0.1:50051"
    limits: Limits = dataclasses.field(default_factory=Limits)
    max_streams: int = 100
    max_waiting_calls: int = 20_000
    min_ping_interval: timedelta = timedelta(seconds=30)
    max_ping_strikes: int = 2
    keepalive: timedelta = timedelta(seconds=60)
    keepalive_timeout: timedelta = timedelta(seconds=20)
    handshake_timeout: timedelta = timedelta(seconds=20)
    grpc_tls_cert: Path | None = None
    grpc_tls_key: Path | None = None
    grpc_tls_client_ca: Path | None = None
    grpc_plaintext_ok: bool = False
    reflection: bool = True

    def options(self) -> list[tuple[str, int]]:
        return [
            ("grpc.max_receive_message_length", self.limits.message_bytes),
            ("grpc.max_send_message_length", self.limits.message_bytes),
            # Two limits: beyond the first a core refuses some calls at random, beyond the second all.
            ("grpc.max_metadata_size", self.limits.metadata_bytes),
            ("grpc.absolute_max_metadata_size", self.limits.metadata_bytes),
            ("grpc.max_concurrent_streams", self.max_streams),
            # By default a core also counts streams that are over but not yet freed, and refuses at random
            # beyond the limit: of a burst on a new channel every fourth call then failed with UNAVAILABLE,
            # though its client kept to the limit. Open streams are bounded all the same.
            ("grpc.http.overload_protection", 0),
            # Calls that Python has not taken up yet. From 1000 on a core drops them at random, as CANCELLED,
            # which no client repeats: of fifty clients with a hundred calls each that was nearly half.
            ("grpc.server.max_pending_requests", self.max_waiting_calls),
            ("grpc.server.max_pending_requests_hard_limit", 2 * self.max_waiting_calls),
            ("grpc.http2.min_ping_interval_without_data_ms", _milliseconds(self.min_ping_interval)),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", _milliseconds(self.min_ping_interval)),
            ("grpc.http2.max_ping_strikes", self.max_ping_strikes),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.keepalive_time_ms", _milliseconds(self.keepalive)),
            ("grpc.keepalive_timeout_ms", _milliseconds(self.keepalive_timeout)),
            ("grpc.server_handshake_timeout_ms", _milliseconds(self.handshake_timeout)),
            # On by default, and then a second process takes half of the calls of the first without a word.
            ("grpc.so_reuseport", 0),
        ]


class Listener:
    """Serves `services` on one address. Health and reflection are added to them."""

    def __init__(
        self,
        services: Services,
        in_flight: InFlight,
        settings: ListenerSettings,
        *,
        probe: Probe | None = None,
    ) -> None:
        self._services = services
        self._in_flight = in_flight
        self._settings = settings
        self._credentials = credentials_of(settings)
        self._health = Health(services, probe)
        self._server: grpc.aio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Binds and serves. Everything must be registered by now."""
        if self._settings.reflection:
            add_reflection(self._services)
        server = grpc.aio.server(handlers=[self._services], options=self._settings.options())
        self.port = self._bind(server)
        self._server = server
        await server.start()
        await self._health.serve()

    async def drain(self, limit: timedelta) -> bool:
        """NOT_SERVING, no new calls, the wait for those under way; False when `limit` cut some off."""
        await self._health.leave()
        self._in_flight.refuse_new()
        in_time = await self._in_flight.wait_idle(limit)
        await self.stop()
        return in_time

    async def stop(self) -> None:
        """Closes the socket; whatever still runs is cancelled."""
        if self._server is not None:
            self._in_flight.end_open_streams()
            await self._server.stop(_FLUSH)

    def _bind(self, server: grpc.aio.Server) -> int:
        address = self._settings.address
        try:
            if self._credentials is None:
                return server.add_insecure_port(address)
            return server.add_secure_port(address, self._credentials)
        except RuntimeError:
            raise ConfigurationError(
                f"cannot listen on {address}: it is taken or not an address of this machine; "
                "name another grpc_address"
            ) from None


def credentials_of(settings: ListenerSettings) -> grpc.ServerCredentials | None:
    """What the listener will show to clients; None is plaintext. Raises ConfigurationError."""
    check_address("grpc_address", settings.address)
    if settings.grpc_tls_cert is None or settings.grpc_tls_key is None:
        if settings.grpc_tls_cert or settings.grpc_tls_key or settings.grpc_tls_client_ca:
            raise ConfigurationError("TLS needs both grpc_tls_cert and grpc_tls_key")
        if not settings.grpc_plaintext_ok and not is_private(settings.address):
            raise ConfigurationError(
                f"{settings.address} is reachable from other machines and would be plaintext: "
                "set grpc_tls_cert and grpc_tls_key, or listen on 127.0.0.1, "
                "or set grpc_plaintext_ok where something else encrypts"
            )
        return None
    ca = settings.grpc_tls_client_ca
    client_ca = read_authorities("grpc_tls_client_ca", ca) if ca else None
    pair = read_pair("grpc_tls_cert", settings.grpc_tls_cert, "grpc_tls_key", settings.grpc_tls_key)
    return grpc.ssl_server_credentials([pair], client_ca, require_client_auth=client_ca is not None)


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
