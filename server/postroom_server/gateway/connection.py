"""One HTTP connection: uvicorn's, with the bounds that it leaves to whatever stands before it.

Uvicorn has no limit on the size and time of a request's head, loses the body of a request that asks for an
upgrade (Java's HttpClient asks for h2c with its first request), takes the end of a client's sending for the
end of its listening, reads on for ever what follows an answer, and waits for ever for readers of its own.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import httptools
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from postroom_server.gateway.plain import refusal_content


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one connection may cost. A body's own are in body.py."""

    head_bytes: int = 32 * 1024
    head_seconds: float = 10.0
    keep_alive_seconds: float = 65.0
    discard_seconds: float = 10.0  # for the rest of a body that was refused
    stall_seconds: float = 30.0  # for a reader of answers to take anything at all
    connections: int = 1000


_REFUSAL_HEADERS = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"


class Connection(HttpToolsProtocol):
    """Answers every request that came whole, then closes in good order."""

    def __init__(self, bounds: Bounds, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self.access_log = False  # it would show query strings, and they carry keys
        self.timeout_keep_alive = bounds.keep_alive_seconds  # type: ignore[assignment]
        self._bounds = bounds
        self._in_head = True  # of a request that has begun, or will
        self._head_bytes = 0
        self._has_ended = False  # nothing more comes that could be understood; the client may still listen
        self._lingers = False  # the last answer is out, but what it left unread still comes
        self._resuming = False  # a fresh parser is told where in a request it stands
        self._head_timer: asyncio.TimerHandle | None = None
        self._discard_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > self._bounds.connections:
            self._refuse(503)
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head_timer, self._discard_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._has_ended or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_timer is None:
                self._await_head()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._give_up(431 if self._head_bytes > self._bounds.head_bytes else 400)
        else:
            if self._in_head and self._head_bytes > self._bounds.head_bytes:
                self._give_up(431)

    def eof_received(self) -> bool:  # type: ignore[override]
        self._end()
        # TLS cannot be half-closed; a plain client that only stopped sending gets its answers.
        return self.scheme == "http" and not self._is_idle()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader(0)

    # What the parser calls.

    def on_message_begin(self) -> None:
        if not self._resuming:
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._resuming:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        # What stands behind a body is no header (RFC 9110 §6.5.1): proxies check and remove those of the head
        # only, and nothing bounds how many come.
        if self._in_head and not self._resuming:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._resuming:
            return
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._bounds.head_bytes:
            self._head_bytes = size
            raise ValueError("the head is too big")
        self._in_head = False
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        super().on_message_complete()
        if self._discard_timer is not None:
            # The rest of a refused body has come: the connection is as good as new.
            self._discard_timer.cancel()
            self._discard_timer = None
            if self._lingers:
                self._close()
            else:
                self._await_head()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # A server may ignore the wish (RFC 9110 §7.8): this is a request like any other. The parser took
            # its body for the new protocol's; nobody has looked at the request yet, so that is mended here.
            self._in_head = False
            self.cycle.more_body = True
            self.parser = httptools.HttpRequestParser(self)
            self._resuming = True
            self.parser.feed_data(_head_with_framing_of(self.headers))
            self._resuming = False
            self._feed(data[upgrade.args[0] :])

    # What uvicorn calls.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, self._guarded(cycle, app))

    def _guarded(self, cycle: RequestResponseCycle, app: ASGIApp) -> Any:
        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            async def receive_what_comes() -> Message:
                while not (self._has_ended and cycle.more_body and not cycle.body):
                    message: Message = await receive()
                    if message["type"] != "http.request" or message["body"] or not message["more_body"]:
                        return message
                return {"type": "http.disconnect"}

            async def send_and_close(message: Message) -> None:
                if cycle.waiting_for_100_continue:
                    # Refused unread: what the client sends next may be the body or another request.
                    cycle.keep_alive = False
                await send(message)

            async def send_and_linger(message: Message) -> None:
                is_last = message["type"] == "http.response.body" and not message.get("more_body")
                if is_last and cycle.more_body:
                    # Closed with a body unread, the connection would be reset, and the answer lost with it.
                    cycle.keep_alive = self._lingers = not self._has_ended
                await send(message)

            sending = send
            if cycle.waiting_for_100_continue:
                sending = send_and_close
            elif not cycle.keep_alive and cycle.more_body:
                sending = send_and_linger
            try:
                await app(scope, receive_what_comes, sending)
            except asyncio.CancelledError:
                # Drain's limit came first. The client sees its connection end, and the log no bug.
                cycle.disconnected = True
                self.transport.abort()

        return run

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_reader(0)
        elif self._is_idle():
            if self._has_ended:
                self._close()
            elif self.cycle.more_body:
                self._discard_timer = self.loop.call_later(self._bounds.discard_seconds, self._close)

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing():
            self._watch_reader(0)

    # Endings.

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self._bounds.head_seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self._is_idle():
            # A pipelined request while others are still being answered: its next piece sets the timer.
            return
        if self._head_bytes:
            self._refuse(408)
        else:
            self._close()

    def _end(self) -> None:
        self._has_ended = True
        if not self._is_idle():
            self.cycle.keep_alive = False
            self.cycle.message_event.set()

    def _give_up(self, status: int) -> None:
        """Answers what came before; the connection ends with that, or with a refusal of its own."""
        was_idle = self._is_idle()
        self._end()
        if was_idle:
            self._refuse(status)

    def _refuse(self, status: int) -> None:
        body = json.dumps(refusal_content(status)).encode()
        self.transport.write(STATUS_LINE[status] + _REFUSAL_HEADERS % len(body) + body)
        self._has_ended = True
        self._close()

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
        self._watch_reader(0)

    def _watch_reader(self, left: int) -> None:
        """Aborts when of what waits to be read nothing was since the last look; `left` was then waiting."""
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        self._stall_timer = None
        try:
            waiting = self.transport.get_write_buffer_size()
        except AttributeError:
            # What asyncio's TLS says once it was closed twice, as uvicorn does; its shutdown has a time-out.
            return
        if left and waiting >= left:
            self.transport.abort()
        elif waiting:
            self._stall_timer = self.loop.call_later(self._bounds.stall_seconds, self._watch_reader, waiting)


def _head_with_framing_of(headers: list[tuple[bytes, bytes]]) -> bytes:
    framing = b"".join(
        b"%b: %b\r\n" % (name, value)
        for name, value in headers
        if name in (b"content-length", b"transfer-encoding")
    )
    return b"POST / HTTP/1.1\r\n" + framing + b"\r\n"
