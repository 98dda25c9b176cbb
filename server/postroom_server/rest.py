"""Puts the REST gateway together: its dialects over a channel, on an address."""

from __future__ import annotations

import hmac
import re
import ssl
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from zoneinfo import ZoneInfo

import grpc.aio
import prometheus_client
import structlog

from postroom_server.clock import Clock
from postroom_server.gateway import angusgm, sendcloud
from postroom_server.gateway.angusgm import AngusGm, AngusGmSettings
from postroom_server.gateway.application import Application, Dialect
from postroom_server.gateway.backend import Backend
from postroom_server.gateway.connection import Bounds
from postroom_server.gateway.metrics import Metrics
from postroom_server.gateway.openapi import merged
from postroom_server.gateway.pages import Pages
from postroom_server.gateway.proxies import TrustedProxies
from postroom_server.gateway.sendcloud import SendCloud, SendCloudSettings
from postroom_server.gateway.serving import HttpListener, HttpSettings
from postroom_server.gateway.unsubscribe import PREFIX, UnsubscribePages
from postroom_server.rpc.certificates import read_pair
from postroom_server.rpc.endpoint import ConfigurationError, check_address, is_private
from postroom_server.settings import Settings

log = structlog.get_logger()

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]*):(?P<port>[0-9]{1,5})")


def http_settings(settings: Settings) -> HttpSettings:
    """Where and how HTTP is served. Raises ConfigurationError before anything is touched."""
    found = _ADDRESS.fullmatch(settings.http_address)
    if found is None:
        raise ConfigurationError(
            f"http_address {settings.http_address} is not host:port, such as 127.0.0.1:8080"
        )
    check_address("http_address", settings.http_address)
    return HttpSettings(
        host=found["host"].strip("[]") or "0.0.0.0",  # noqa: S104 - refused below unless it is meant
        port=int(found["port"]),
        tls=_tls(settings),
        bounds=Bounds(connections=settings.http_connections),
    )


async def serve_rest(
    settings: Settings,
    http: HttpSettings,
    channel: grpc.aio.Channel,
    registry: prometheus_client.CollectorRegistry,
    *,
    clock: Clock,
    is_remote: bool,
) -> HttpListener:
    """Serves both dialects over `channel`. Calls over a network are logged here, others where they arrive."""
    token = settings.gateway_token.get_secret_value() if is_remote else ""
    backend = Backend(channel, is_remote=is_remote, gateway_token=token)
    metrics = Metrics(registry)
    application = Application(
        _dialects(settings, backend, clock),
        Pages(channel, metrics, openapi(), shows_metrics=settings.http_metrics),
        metrics,
        proxies=TrustedProxies(settings.http_trusted_proxies),
        logs_everything=is_remote,
    )
    listener = HttpListener(application, http)
    try:
        await listener.start()
    except OSError:
        raise ConfigurationError(
            f"cannot listen on {settings.http_address}: it is taken or not an address of this machine; "
            f"name another http_address{'' if is_remote else ', or none'}"
        ) from None
    log.info("listening_http", address=settings.http_address, port=listener.port, tls=http.tls is not None)
    return listener


def _dialects(settings: Settings, backend: Backend, clock: Clock) -> dict[str, Dialect]:
    zone = ZoneInfo(settings.http_time_zone)
    angusgm_settings = AngusGmSettings(
        time_zone=zone,
        default_language=settings.rest_default_language,
        bare_numbers=settings.rest_bare_numbers,
    )
    sendcloud_settings = SendCloudSettings(time_zone=zone, max_templates=settings.limit_templates_per_tenant)
    return {
        "api": AngusGm(backend, angusgm_settings, clock),
        "apiv2": SendCloud(backend, sendcloud_settings, clock),
        PREFIX: UnsubscribePages(backend),
    }


def openapi() -> dict[str, object]:
    """The description of everything that HTTP answers."""
    return merged((angusgm.OPENAPI, sendcloud.OPENAPI), version("postroom"))


def gateway_trust(settings: Settings) -> Callable[[str], Awaitable[bool]] | None:
    """Knows the token of gateways elsewhere, when there is one."""
    expected = settings.gateway_token.get_secret_value().encode()
    if not expected:
        return None

    async def trusts(token: str) -> bool:
        return hmac.compare_digest(token.encode(), expected)

    return trusts


def _tls(settings: Settings) -> ssl.SSLContext | None:
    cert, key = settings.http_tls_cert, settings.http_tls_key
    if cert is None or key is None:
        if cert or key:
            raise ConfigurationError("TLS needs both http_tls_cert and http_tls_key")
        if not settings.http_plaintext_ok and not is_private(settings.http_address):
            raise ConfigurationError(
                f"{settings.http_address} is reachable from other machines and would be plaintext: "
                "set http_tls_cert and http_tls_key, or listen on 127.0.0.1, "
                "or set http_plaintext_ok where something else encrypts"
            )
        return None
    read_pair("http_tls_cert", cert, "http_tls_key", key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(cert, key)
    return context
