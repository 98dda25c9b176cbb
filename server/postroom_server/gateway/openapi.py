"""The OpenAPI document: what the dialects say of themselves, and the gateway's own pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_SECTIONS = ("schemas", "responses", "parameters", "examples", "requestBodies", "headers", "securitySchemes")


def merged(parts: Iterable[Mapping[str, Any]], version: str) -> dict[str, Any]:
    """One document. Raises ValueError where two parts mean different things by one name."""
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Postroom over HTTP",
            "version": version,
            "description": "Two documented REST APIs, answered by Postroom. "
            "Clients of either change their base URL and nothing else.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "tags": [],
        "paths": {},
        "components": {},
    }
    for part in (*parts, OWN):
        document["tags"] += part.get("tags", [])
        _add(document["paths"], part.get("paths", {}), "path")
        for section, named in part.get("components", {}).items():
            if section not in _SECTIONS:
                raise ValueError(f"components/{section} is not known here")
            _add(document["components"].setdefault(section, {}), named, section)
    return document


def _add(to: dict[str, Any], named: Mapping[str, Any], what: str) -> None:
    for name, value in named.items():
        if to.setdefault(name, value) != value:
            raise ValueError(f"two dialects describe {what} {name}")


def _status(description: str, *words: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"status": {"enum": list(words)}},
        "required": ["status"],
        "additionalProperties": False,
    }
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _page(summary: str, operation_id: str, responses: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "get": {
            "tags": ["Gateway"],
            "summary": summary,
            "operationId": operation_id,
            "security": [],
            "responses": dict(responses),
        }
    }


def _refusal(description: str) -> dict[str, Any]:
    error = {
        "type": "object",
        "properties": {"status": {"type": "integer"}, "message": {"type": "string"}},
        "required": ["status", "message"],
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {"error": error},
        "required": ["error"],
        "additionalProperties": False,
    }
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _text(description: str, media_type: str) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": {"type": "string"}}}}


OWN: dict[str, Any] = {
    "tags": [{"name": "Gateway", "description": "Health, metrics, and this description."}],
    "paths": {
        "/healthz": _page("Whether this process answers.", "healthz", {"200": _status("It does.", "ok")}),
        "/readyz": _page(
            "Whether calls are taken and the database is reached.",
            "readyz",
            {"200": _status("Yes.", "ready"), "503": _status("No.", "not ready")},
        ),
        "/metrics": _page(
            "Metrics for Prometheus.",
            "metrics",
            {"200": _text("All of this process.", "text/plain"), "404": _refusal("They are not shown here.")},
        ),
        "/openapi.json": _page(
            "This document.",
            "openapi",
            {
                "200": {
                    "description": "OpenAPI 3.1.",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                }
            },
        ),
        "/docs": _page("This document, for people.", "docs", {"200": _text("A page.", "text/html")}),
    },
}
