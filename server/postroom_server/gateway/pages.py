"""The gateway's own few pages: health, metrics, and what describes the dialects."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from postroom_server.gateway.docs_page import CONTENT_SECURITY_POLICY, docs_page
from postroom_server.gateway.metrics import Metrics
from postroom_server.gateway.plain import PlainJson, refusal

_READY_SECONDS = 3.0
_METHODS = ("GET", "HEAD")

Page = Callable[[Request], Awaitable[Response]]


class Pages:
    """Answers every path that is no dialect's; what it does not know is a plain 404."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        metrics: Metrics,
        openapi: Mapping[str, Any],
        *,
        shows_metrics: bool = True,
    ) -> None:
        self._health: Any = health_pb2_grpc.HealthStub(channel)
        self._metrics = metrics
        # Made once: nothing in them changes while the process runs.
        self._openapi = json.dumps(openapi, ensure_ascii=False, indent=1).encode()
        self._docs = docs_page(openapi).encode()
        self._pages: dict[str, Page] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/openapi.json": self._openapi_json,
            "/docs": self._docs_page,
        }
        if shows_metrics:
            self._pages["/metrics"] = self._metrics_page

    async def __call__(self, request: Request) -> Response:
        page = self._pages.get(request.scope["path"])
        if page is None and request.scope["path"] == "/":
            return RedirectResponse("/docs")
        if page is None:
            return refusal(404)
        if request.method not in _METHODS:
            return refusal(405, headers={"Allow": ", ".join(_METHODS)})
        return await page(request)

    async def _healthz(self, _: Request) -> Response:
        """That this process answers at all."""
        return PlainJson({"status": "ok"}, headers={"Cache-Control": "no-store"})

    async def _readyz(self, _: Request) -> Response:
        """That the server behind it takes calls and reaches its database."""
        ready = await self._is_ready()
        content = {"status": "ready" if ready else "not ready"}
        return PlainJson(content, 200 if ready else 503, {"Cache-Control": "no-store"})

    async def _is_ready(self) -> bool:
        try:
            told = await self._health.Check(health_pb2.HealthCheckRequest(), timeout=_READY_SECONDS)
        except (grpc.aio.AioRpcError, grpc.aio.UsageError):
            return False
        return bool(told.status == health_pb2.HealthCheckResponse.SERVING)

    async def _metrics_page(self, request: Request) -> Response:
        page, content_type = self._metrics.page(request.headers.get("accept", ""))
        return Response(page, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    async def _openapi_json(self, _: Request) -> Response:
        return Response(self._openapi, media_type="application/json")

    async def _docs_page(self, _: Request) -> Response:
        return Response(
            self._docs,
            media_type="text/html",
            headers={
                "Content-Security-Policy": CONTENT_SECURITY_POLICY,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
            },
        )
