"""The envelope of every answer: result, statusCode, message, info."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from postroom_server.gateway.sendcloud.codes import SUCCESS, Code, Failure

_MEDIA_TYPE = "application/json; charset=UTF-8"


def success(info: Mapping[str, Any]) -> Response:
    return _answer(SUCCESS, SUCCESS.text, info)


def failure(failed: Failure, headers: Mapping[str, str] | None = None) -> Response:
    """Errors have an `info`, too: an empty object."""
    text = f"{failed.code.text}. {failed.detail}" if failed.detail else failed.code.text
    return _answer(failed.code, text, {}, headers)


def _answer(
    code: Code, message: str, info: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    envelope = {"result": code is SUCCESS, "statusCode": code.number, "message": message, "info": info}
    # Raw UTF-8: old clients read what they are sent, escapes or not, but people read these answers as well.
    content = json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(content, code.http_status, {"content-type": _MEDIA_TYPE, **(headers or {})})
