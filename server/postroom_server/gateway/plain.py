"""Answers outside of the dialects: small JSON that names a status and says what is wrong."""

from __future__ import annotations

import http
import json
from typing import Any

from starlette.responses import Response


class PlainJson(Response):
    """JSON with nothing for browsers to guess at."""

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200, headers: dict[str, str] | None = None) -> None:
        super().__init__(content, status_code, {"X-Content-Type-Options": "nosniff", **(headers or {})})

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False).encode()


def refusal(status: int, message: str = "", headers: dict[str, str] | None = None) -> PlainJson:
    """`{"error":{"status":404,"message":"Not Found"}}`."""
    return PlainJson(refusal_content(status, message), status, headers)


def refusal_content(status: int, message: str = "") -> dict[str, Any]:
    return {"error": {"status": status, "message": message or http.HTTPStatus(status).phrase}}
