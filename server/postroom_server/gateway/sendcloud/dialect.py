"""REST dialect B: the document's five paths, and what is answered on them whatever happens."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from starlette.requests import Request
from starlette.responses import Response

from postroom_server.clock import Clock
from postroom_server.gateway.backend import Backend
from postroom_server.gateway.sendcloud import envelope
from postroom_server.gateway.sendcloud.asked import Asked, asked
from postroom_server.gateway.sendcloud.codes import (
    INTERNAL,
    NO_SUCH_METHOD,
    NO_SUCH_PATH,
    Failure,
)
from postroom_server.gateway.sendcloud.reads import Reads
from postroom_server.gateway.sendcloud.writes import Writes

_log = structlog.get_logger("postroom.http")

_METHODS = ("GET", "POST")

Call = Callable[[Asked], Awaitable[dict[str, Any]]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SendCloudSettings:
    """`max_templates` is the server's limit, which it tells with its refusals, too."""

    time_zone: ZoneInfo = dataclasses.field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    max_templates: int = 1000


class SendCloud:
    """Answers everything below /apiv2. Never raises."""

    def __init__(self, backend: Backend, settings: SendCloudSettings, _clock: Clock | None = None) -> None:
        reads = Reads(backend, settings.time_zone)
        writes = Writes(backend, reads, settings.time_zone, settings.max_templates)
        self._calls: dict[str, Call] = {
            "/apiv2/template/list": reads.list,
            "/apiv2/template/get": reads.get,
            "/apiv2/template/add": writes.add,
            "/apiv2/template/update": writes.update,
            "/apiv2/template/delete": writes.delete,
        }

    async def __call__(self, request: Request) -> Response:
        call = self._calls.get(request.scope["path"])
        if call is None:
            return envelope.failure(Failure(NO_SUCH_PATH))
        if request.method not in _METHODS:
            return envelope.failure(Failure(NO_SUCH_METHOD), {"allow": ", ".join(_METHODS)})
        try:
            return envelope.success(await call(await asked(request)))
        except Failure as failure:
            return envelope.failure(failure)
        except Exception:
            _log.exception("unexpected", correlation_id=request.scope["request_id"])
            return envelope.failure(Failure(INTERNAL))
