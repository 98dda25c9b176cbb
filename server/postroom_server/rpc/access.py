"""The access log: one line per call when it is over, without addresses, credentials or content."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from postroom_server.rpc.call import Call, Method, running
from postroom_server.rpc.observed import Observe

# How long lines may be held for others.
GATHER_SECONDS = 0.005

# Takes what is told of one call.
Write = Callable[[Mapping[str, Any]], None]


class AccessLog:
    """Health and reflection at debug, everything else at info. Configure structlog before making one.

    `write`, where given, takes the lines at info instead of structlog, whose processors would cost a call
    more than everything else that is logged, measured and let in around it (docs/why/performance.md).
    """

    def __init__(self, write: Write | None = None) -> None:
        self._log = structlog.get_logger("postroom.access").bind()
        self._write = write

    def __call__(self, method: Method) -> Observe:
        write = self._quiet if method.is_open else self._write or self._loud
        name = method.name

        def log(call: Call, seconds: float) -> None:
            caller = call.caller
            write(
                {
                    "method": name,
                    "code": call.code,
                    "reason": call.reason,
                    "tenant": caller.tenant_id if caller else None,
                    "token": caller.name if caller else None,
                    "milliseconds": round(seconds * 1000, 2),
                    "correlation_id": call.request_id,
                }
            )

        return log

    def _quiet(self, told: Mapping[str, Any]) -> None:
        self._log.debug("rpc", **told)

    def _loud(self, told: Mapping[str, Any]) -> None:
        self._log.info("rpc", **told)


class LineWriter:
    """Writes lines as structlog's renderers would, at a fraction of their cost.

    Calls that one commit answers end within a few turns of the event loop; their lines have one time, and are
    one write a moment later. `flush` writes what is left.
    """

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self._stream = stream
        self._line = _json_line if as_json else _text_line
        self._lines: list[str] = []
        self._time = ""

    def __call__(self, told: Mapping[str, Any]) -> None:
        if not self._lines:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self.flush)
            self._time = _now()
        self._lines.append(self._line(self._time, told))

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        if not lines:
            return
        self._stream.write("".join(lines))
        self._stream.flush()


def _json_line(time: str, told: Mapping[str, Any]) -> str:
    line = {**told, "event": "rpc", "level": "info", "timestamp": time}
    return json.dumps(line, ensure_ascii=False) + "\n"


def _text_line(time: str, told: Mapping[str, Any]) -> str:
    # A token's name is the only text here that somebody chose: quoted, it stays on its line.
    return (
        f"{time} [info     ] rpc  method={told['method']} code={told['code']} reason={told['reason']}"
        f" tenant={told['tenant']} token={told['token']!r} milliseconds={told['milliseconds']}"
        f" correlation_id={told['correlation_id']}\n"
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")


def name_call(_logger: Any, _level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: lines written while a call runs carry its correlation id."""
    call = running.get(None)
    if call is not None:
        event.setdefault("correlation_id", call.request_id)
    return event
