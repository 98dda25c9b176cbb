"""The layer that lets a caller do what its token was made for, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from postroom_server.mail.caller import Scope
from postroom_server.refusals import Reason, Refusal
from postroom_server.rpc.call import Call, Method
from postroom_server.rpc.layers import Proceed


class Scopes:
    """`table` names the scope that each method needs. Registering a method that it lacks is an error."""

    def __init__(self, table: Mapping[str, Scope]) -> None:
        self._table = dict(table)

    def __call__(self, method: Method, proceed: Proceed) -> Proceed:
        if method.is_open or method.is_by_link:
            return proceed
        if method.name not in self._table:
            raise LookupError(f"{method.name} has no line in the table of scopes")
        required = self._table[method.name]

        def permitted(call: Call) -> Awaitable[Any]:
            if call.caller is None or required not in call.caller.scopes:
                raise Refusal(
                    Reason.SCOPE_MISSING,
                    f"this needs a token with scope {required}",
                    metadata={"scope": required},
                )
            return proceed(call)

        return permitted
