"""The tenant that a request names."""

from __future__ import annotations

from typing import Any


def named_tenant(request: Any) -> int | None:
    """None where the request leaves it to the token. 0 is a tenant: the platform."""
    return int(request.tenant_id) if request.HasField("tenant_id") else None
