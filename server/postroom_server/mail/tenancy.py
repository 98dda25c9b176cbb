"""Whose rows a call is about: the caller's tenant, or one that the platform names."""

from __future__ import annotations

from postroom_server.mail.caller import Caller, Scope
from postroom_server.refusals import Reason, Refusal


def tenant_of(caller: Caller, named: int | None) -> int:
    """The tenant a request is about. Naming another than one's own needs scope platform (security.md E4)."""
    if named is None or named == caller.tenant_id:
        return caller.tenant_id
    if Scope.PLATFORM not in caller.scopes:
        raise Refusal(
            Reason.TENANT_FORBIDDEN,
            "naming another tenant needs a token with scope platform",
            metadata={"scope": Scope.PLATFORM.value},
        )
    return named
