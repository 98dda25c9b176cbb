"""Who a request comes from, as the application found out before any dialect sees it."""

from __future__ import annotations

from starlette.requests import Request

from postroom_server.gateway.backend import Visitor


def visitor_of(request: Request, credential: str) -> Visitor:
    """The visitor with the credential that the dialect found in its own places."""
    scope = request.scope
    client = scope["client"]
    return Visitor(credential, client[0] if client else "", scope["request_id"])
