"""The envelope of every answer: code, msg, data, datetime and ext, all five always."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from postroom_server.gateway.angusgm.dates import Dates
from postroom_server.gateway.angusgm.problem import ANSWERS, Problem
from postroom_server.gateway.angusgm.texts import Language, say

_TYPE = (b"content-type", b"application/json")
_NO_GUESSING = (b"x-content-type-options", b"nosniff")


class Envelopes:
    def __init__(self, dates: Dates) -> None:
        self._dates = dates

    def success(self, data: bytes, language: Language, request_id: str) -> Response:
        """`data` is JSON: nothing is written twice."""
        body = b'{"code":"S","msg":"%s","data":%s,"datetime":"%s","ext":{}}' % (
            _SUCCESS[language],
            data,
            self._dates.now().encode(),
        )
        return _Json(200, body, request_id)

    def problem(self, problem: Problem, language: Language, request_id: str) -> Response:
        answer = ANSWERS[problem.key]
        ext: dict[str, Any] = {"eKey": problem.key}
        if problem.violations:
            ext["violations"] = [
                {"field": violation.field, "reason": say(violation.reason, language)}
                for violation in problem.violations
            ]
        content = {
            "code": answer.code,
            "msg": _message(problem, language),
            "data": None,
            "datetime": self._dates.now(),
            "ext": ext,
        }
        response = _Json(answer.status, as_json(content), request_id)
        response.raw_headers.append((b"xc-e-key", problem.key.encode()))
        for name, value in problem.headers.items():
            response.raw_headers.append((name.lower().encode(), value.encode("latin-1", "replace")))
        return response


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def without_body(response: Response) -> Response:
    """The answer to HEAD: headers as for GET (RFC 9110 §9.3.2), Content-Length among them."""
    response.body = b""
    return response


def _message(problem: Problem, language: Language) -> str:
    """The first violation is named; the others are counted."""
    said = say(problem.told, language)
    if not problem.violations:
        return said
    first = problem.violations[0]
    more = len(problem.violations) - 1
    if language == "zh":
        return f"{said}：{first.field} {say(first.reason, language)}" + (f"（另有{more}处）" if more else "")
    return f"{said}: {first.field} {say(first.reason, language)}" + (f" (and {more} more)" if more else "")


class _Json(Response):
    """JSON that is bytes already, with our headers and no others."""

    def __init__(self, status: int, body: bytes, request_id: str) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"content-length", b"%d" % len(body)),
            _TYPE,
            _NO_GUESSING,
            (b"xc-request-id", request_id.encode("latin-1", "replace")),
        ]


_SUCCESS: dict[Language, bytes] = {"zh": say("success", "zh").encode(), "en": say("success", "en").encode()}
