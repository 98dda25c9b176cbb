"""The access log: one line per call when it is over, without addresses, credentials or content."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import structlog

from postroom_server.clock import Clock
from postroom_server.rpc.call import Call, Method, running
from postroom_server.rpc.layers import Proceed


class AccessLog:
    """Health and reflection at debug, everything else at info. Configure structlog before making one."""

    def __init__(self, clock: Clock) -> None:
        self._monotonic = clock.monotonic
        self._log = structlog.get_logger("postroom.access").bind()

    def __call__(self, method: Method, proceed: Proceed) -> Proceed:
        monotonic = self._monotonic
        write = self._log.debug if method.is_open else self._log.info
        name = method.name

        async def logged(call: Call) -> Any:
            began = monotonic()
            try:
                return await proceed(call)
            finally:
                caller = call.caller
                write(
                    "rpc",
                    method=name,
                    code=call.code,
                    reason=call.reason,
                    tenant=caller.tenant_id if caller else None,
                    token=caller.name if caller else None,
                    milliseconds=round((monotonic() - began) * 1000, 2),
                    correlation_id=call.request_id,
                )

        return logged


def name_call(_logger: Any, _level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: lines written while a call runs carry its correlation id."""
    call = running.get(None)
    if call is not None:
        event.setdefault("correlation_id", call.request_id)
    return event
