"""Health and reflection: what anybody may ask, with the tools that everybody has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from postroom_server.rpc.services import Services

# Anyone may ask about health, and often; the database is asked no more often than this.
_FRESH_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0

Probe = Callable[[], Awaitable[Any]]
"""Raises when what this server needs, its database, is out of reach."""


class Health:
    """grpc.health.v1, for the whole server (the empty name) and for each of its services.

    A check answers NOT_SERVING also while `probe` fails; a watch tells of drain alone.
    """

    def __init__(self, services: Services, probe: Probe | None = None) -> None:
        self._services = services
        self._servicer = _Servicer(_Reach(probe)) if probe else health.aio.HealthServicer()
        services.add(health_pb2_grpc.add_HealthServicer_to_server, self._servicer)

    async def serve(self) -> None:
        for name in ("", *self._services.names):
            await self._servicer.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def leave(self) -> None:
        """NOT_SERVING for good: balancers stop sending."""
        await self._servicer.enter_graceful_shutdown()


class _Reach:
    """What the last probe found; one looks for all who ask."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._fresh_until = float("-inf")
        self._looking: asyncio.Task[bool] | None = None
        self._is_there = True

    async def is_there(self) -> bool:
        if time.monotonic() < self._fresh_until:
            return self._is_there
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._probe()
            self._is_there = True
        except Exception:
            self._is_there = False
        finally:
            self._fresh_until = time.monotonic() + _FRESH_SECONDS
            self._looking = None
        return self._is_there


class _Servicer(health.aio.HealthServicer):
    def __init__(self, reach: _Reach) -> None:
        super().__init__()
        self._reach = reach

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> health_pb2.HealthCheckResponse:
        answer: health_pb2.HealthCheckResponse = await super().Check(request, context)
        if answer.status == health_pb2.HealthCheckResponse.SERVING and not await self._reach.is_there():
            return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING)
        return answer


def add_reflection(services: Services) -> None:
    """Describes the services registered so far. v1 has the messages of v1alpha, under its own name."""
    names = (*services.names, reflection.SERVICE_NAME)
    servicer = reflection.aio.ReflectionServicer(names)
    services.add(reflection_pb2_grpc.add_ServerReflectionServicer_to_server, servicer)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    services.add_registered_method_handlers(
        "grpc.reflection.v1.ServerReflection", {"ServerReflectionInfo": handler}
    )
