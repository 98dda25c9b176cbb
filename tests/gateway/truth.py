"""Holds answers against `/openapi.json`: what it says must be so."""

from __future__ import annotations

import functools
import json
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

import jsonschema

from gateway.wire import Answer, fetch

_ROUTELESS = (401, 404, 405, 429, 503)
"""What may be answered where the document knows no such path or method."""


class Truth:
    """The document of one server."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._paths = sorted(
            ((_pattern(path), path) for path in document["paths"]), key=lambda found: "{" in found[1]
        )
        self._validator = functools.lru_cache(maxsize=None)(self._new_validator)

    def lies(self, method: str, target: str, answer: Answer) -> Iterator[str]:
        """What the document says of such a call and this answer does not keep."""
        path = self.path_of(target)
        item = self._document["paths"].get(path, {})
        operation = item.get(method.lower()) or (item.get("get") if method == "HEAD" else None)
        if operation is None:
            if answer.status not in _ROUTELESS:
                yield f"openapi.json knows no {method} {path or target}, and it answers {answer.status}"
            return
        if answer.status == 404 and _path_in(target).endswith("/"):
            # Not every dialect takes a slash more for the same path.
            return
        responses, pointer = operation["responses"], f"#/paths/{_escaped(path)}/{method.lower()}/responses"
        spellings = (str(answer.status), f"{answer.status // 100}XX", "default")
        status = next((spelling for spelling in spellings if spelling in responses), "")
        if not status:
            yield f"openapi.json knows no status {answer.status} of {method} {path}"
            return
        pointer, response = self._follow(f"{pointer}/{status}", responses[status])
        if method == "HEAD" or "content" not in response:
            if answer.body:
                yield f"openapi.json knows no body of {method} {path} with {answer.status}"
            return
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in response["content"]:
            yield f"openapi.json knows no {media_type!r} of {method} {path} with {answer.status}"
            return
        if media_type == "application/json" and "schema" in response["content"][media_type]:
            validator = self._validator(f"{pointer}/content/application~1json/schema")
            for error in validator.iter_errors(answer.json):
                yield f"openapi.json says otherwise: {error.json_path}: {error.message}"

    def path_of(self, target: str) -> str:
        """The documented path that a request target means, or ""."""
        path = _path_in(target)
        for spelling in (path, path.rstrip("/")):
            for pattern, name in self._paths:
                if pattern.fullmatch(spelling):
                    return name
        return ""

    def _follow(self, pointer: str, thing: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        while "$ref" in thing:
            pointer, thing = thing["$ref"], self._document
            for name in pointer.removeprefix("#/").split("/"):
                thing = thing[name.replace("~1", "/").replace("~0", "~")]
        return pointer, thing

    def _new_validator(self, pointer: str) -> jsonschema.Draft202012Validator:
        return jsonschema.Draft202012Validator({**self._document, "$ref": pointer})


def _path_in(target: str) -> str:
    return urllib.parse.unquote(urllib.parse.urlsplit(target).path)


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", path)
    return re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part) for part in parts))


def _escaped(path: str) -> str:
    return path.replace("~", "~0").replace("/", "~1")


async def document_of(port: int) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((await fetch(port, "GET", "/openapi.json")).body)
    return document
