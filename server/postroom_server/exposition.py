"""The metrics of one process: a registry of its own, served to Prometheus."""

from __future__ import annotations

from collections.abc import Callable

import prometheus_client

from postroom_server.rpc.endpoint import ConfigurationError, check_address


def new_registry() -> prometheus_client.CollectorRegistry:
    """A registry with what the system knows of this process."""
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.ProcessCollector(registry=registry)
    return registry


def serve_metrics(registry: prometheus_client.CollectorRegistry, address: str) -> Callable[[], None]:
    """Serves `/metrics` on `host:port` until what it returns is called. Raises ConfigurationError."""
    check_address("metrics_address", address)
    host, _, port = address.rpartition(":")
    try:
        server, thread = prometheus_client.start_http_server(int(port), host.strip("[]"), registry)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"cannot serve metrics on {address}: {error}; name another metrics_address, or none"
        ) from None

    def close() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return close
