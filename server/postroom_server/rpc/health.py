"""Health and reflection: what anybody may ask, with the tools that everybody has."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from postroom_server.rpc.services import Services


class Health:
    """grpc.health.v1, for the whole server (the empty name) and for each of its services."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._servicer = health.aio.HealthServicer()
        services.add(health_pb2_grpc.add_HealthServicer_to_server, self._servicer)

    async def serve(self) -> None:
        for name in ("", *self._services.names):
            await self._servicer.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def leave(self) -> None:
        """NOT_SERVING for good: balancers stop sending."""
        await self._servicer.enter_graceful_shutdown()


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
