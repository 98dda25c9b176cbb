"""The bare echo: grpc.aio on uvloop and nothing else. What a call costs before anything is done with it."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import uvloop
from bench.children import answer

from postroom.v1 import email_service_pb2

SERVICE = "bench.Echo"
_Request = email_service_pb2.SendEmailRequest
_Response = email_service_pb2.SendEmailResponse


async def echo(request: _Request, _context: Any) -> _Request:
    return request


async def short_answer(request: _Request, _context: Any) -> _Response:
    return _Response(id=123456789012345678, replayed=not request.to)


async def serve() -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                SERVICE,
                {
                    "Echo": grpc.unary_unary_rpc_method_handler(
                        echo,
                        request_deserializer=_Request.FromString,
                        response_serializer=_Request.SerializeToString,
                    ),
                    "ShortAnswer": grpc.unary_unary_rpc_method_handler(
                        short_answer,
                        request_deserializer=_Request.FromString,
                        response_serializer=_Response.SerializeToString,
                    ),
                },
            )
        ]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    answer(port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())
