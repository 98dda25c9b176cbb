"""The bare HTTP echo: uvicorn with httptools on uvloop, as Postroom has it, and nothing else."""

from __future__ import annotations

from typing import Any

import uvicorn
from bench.children import answer, free_port

_HEADERS = [(b"content-type", b"application/json")]
_WELL = b'{"code":"S","data":'


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    told = _WELL + body + b"}"
    length = (b"content-length", b"%d" % len(told))
    await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, length]})
    await send({"type": "http.response.body", "body": told})


class _Server(uvicorn.Server):
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        answer(self.config.port)


if __name__ == "__main__":
    _Server(
        uvicorn.Config(
            echo, host="127.0.0.1", port=free_port(), loop="uvloop", http="httptools",
            access_log=False, log_level="warning", lifespan="off", ws="none",
        )
    ).run()  # fmt: skip
