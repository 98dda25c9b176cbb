"""The access log: one line per call when it is over, without addresses, credentials or content."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from postroom_server.clock import Clock
from postroom_server.rpc.call import Call, Method, running
from postroom_server.rpc.layers import Proceed

# Takes what is told of one call.
Write = Callable[[Mapping[str, Any]], None]


class AccessLog:
    """Health and reflection at debug, everything else at info. Configure structlog before making one.

    `write`, where given, takes the lines at info instead of structlog, whose processors would cost a call
    more than everything else that is logged, measured and let in around it (docs/why/performance.md).
    """

    def __init__(self, clock: Clock, write: Write | None = None) -> None:
        self._monotonic = clock.monotonic
        self._log = structlog.get_logger("postroom.access").bind()
        self._write = write

    def __call__(self, method: Method, proceed: Proceed) -> Proceed:
        monotonic = self._monotonic
        write = self._quiet if method.is_open else self._write or self._loud
        name = method.name

        async def logged(call: Call) -> Any:
            began = monotonic()
            try:
                return await proceed(call)
            finally:
                caller = call.caller
                write(
                    {
                        "method": name,
                        "code": call.code,
                        "reason": call.reason,
                        "tenant": caller.tenant_id if caller else None,
                        "token": caller.name if caller else None,
                        "milliseconds": round((monotonic() - began) * 1000, 2),
                        "correlation_id": call.request_id,
                    }
                )

        return logged

    def _quiet(self, told: Mapping[str, Any]) -> None:
        self._log.debug("rpc", **told)

    def _loud(self, told: Mapping[str, Any]) -> None:
        self._log.info("rpc", **told)


def line_writer(stream: TextIO, *, as_json: bool) -> Write:
    """Writes lines as structlog's renderers would, at a fraction of their cost."""

    def write_json(told: Mapping[str, Any]) -> None:
        line = {**told, "event": "rpc", "level": "info", "timestamp": _now()}
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")

    def write_text(told: Mapping[str, Any]) -> None:
        # A token's name is the only text here that somebody chose: quoted, it stays on its line.
        values = " ".join(
            f"{key}={value!r}" if key == "token" else f"{key}={value}" for key, value in told.items()
        )
        stream.write(f"{_now()} [info     ] rpc  {values}\n")

    return write_json if as_json else write_text


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")


def name_call(_logger: Any, _level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: lines written while a call runs carry its correlation id."""
    call = running.get(None)
    if call is not None:
        event.setdefault("correlation_id", call.request_id)
    return event
