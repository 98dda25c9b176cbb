"""The methods that are served: registered once, wrapped in the layers once, shared by every transport."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import grpc

from postroom_server.rpc.layers import Handler, Layer, fold

_Servicer = TypeVar("_Servicer")


class Services(grpc.GenericRpcHandler):
    """Stands in for a server when generated code registers a servicer, and hands grpc the wrapped handlers.

    A grpc.aio server waits on one future per method registered with it and re-arms that wait at every call:
    with sixty methods a call costs 35 µs more. So it is given this one generic handler instead.
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        self._layers = tuple(layers)
        self._handlers: dict[str, Handler] = {}
        self.names: list[str] = []

    def add(self, register: Callable[[_Servicer, Any], None], servicer: _Servicer) -> None:
        """`services.add(add_EmailServiceServicer_to_server, servicer)`."""
        register(servicer, self)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Does nothing: generated code registers everything a second time, by name."""

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        self.names.append(service_name)
        for method, handler in method_handlers.items():
            name = f"/{service_name}/{method}"
            self._handlers[name] = fold(name, handler, self._layers)

    def find(self, method: str) -> Handler | None:
        return self._handlers.get(method)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        return self._handlers.get(handler_call_details.method)
