"""A server of canned answers, which remembers what it was asked."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from click.testing import Result
from google.protobuf.message import Message

from postroom.v1 import (
    directory_service_pb2_grpc,
    email_service_pb2_grpc,
    mail_server_service_pb2_grpc,
    template_service_pb2_grpc,
    tenant_service_pb2_grpc,
)
from postroom_server.rpc.status import RichStatus

Postroom = Callable[..., Result]
Answer = Message | RichStatus | Callable[[Any, grpc.ServicerContext], Any]


@dataclasses.dataclass
class CannedServer:
    """`answers` maps method names to messages, statuses, or functions of request and context."""

    port: int = 0
    answers: dict[str, Answer] = dataclasses.field(default_factory=dict)
    requests: list[tuple[str, Any]] = dataclasses.field(default_factory=list)
    metadata: list[dict[str, str | bytes]] = dataclasses.field(default_factory=list)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def asked(self, method: str) -> Any:
        """The one request that this method got."""
        (request,) = [request for name, request in self.requests if name == method]
        return request

    def answer(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        self.requests.append((method, request))
        self.metadata.append({datum.key: datum.value for datum in context.invocation_metadata()})
        answer = self.answers[method]
        if isinstance(answer, RichStatus):
            abort(context, answer)
        return answer(request, context) if callable(answer) else answer


def abort(context: grpc.ServicerContext, status: RichStatus) -> NoReturn:
    context.set_trailing_metadata(status.trailing_metadata)
    context.abort(status.code, status.details)


@contextlib.contextmanager
def listening_server() -> Iterator[CannedServer]:
    canned = CannedServer()
    listening = grpc.server(ThreadPoolExecutor(2))
    canned_handlers(canned, listening)
    canned.port = listening.add_insecure_port("127.0.0.1:0")
    listening.start()
    try:
        yield canned
    finally:
        listening.stop(None).wait()


def canned_handlers(canned: CannedServer, server: grpc.Server) -> None:
    for module, service in (
        (email_service_pb2_grpc, "EmailService"),
        (mail_server_service_pb2_grpc, "MailServerService"),
        (template_service_pb2_grpc, "TemplateService"),
        (tenant_service_pb2_grpc, "TenantService"),
        (directory_service_pb2_grpc, "DirectoryService"),
    ):
        getattr(module, f"add_{service}Servicer_to_server")(_servicer(canned, module, service), server)


def _servicer(canned: CannedServer, module: Any, service: str) -> Any:
    servicer = getattr(module, f"{service}Servicer")

    def method(name: str) -> Callable[..., Any]:
        return lambda self, request, context: canned.answer(name, request, context)

    names = [name for name in vars(servicer) if not name.startswith("_")]
    return type("Canned", (servicer,), {name: method(name) for name in names})()
