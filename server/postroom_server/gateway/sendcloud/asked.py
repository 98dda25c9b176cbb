"""One request of the dialect: who asks, and with which parameters."""

from __future__ import annotations

import dataclasses

from starlette.requests import Request

from postroom_server.gateway.backend import Visitor
from postroom_server.gateway.sendcloud.codes import API_KEY, API_USER, NOT_RECOGNISED, Failure
from postroom_server.gateway.sendcloud.fields import Reading
from postroom_server.gateway.sendcloud.parameters import Values, read_parameters
from postroom_server.gateway.visitor import visitor_of


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """`values` may hold whole templates, and they hold credentials: they are for no log."""

    visitor: Visitor
    values: Values = dataclasses.field(repr=False)


async def asked(request: Request) -> Asked:
    """Raises Failure: a body that cannot be read, or no credentials."""
    values = await read_parameters(request)
    reading = Reading(values)
    api_user, api_key = reading.text(API_USER), reading.text(API_KEY)
    if api_user is None or api_key is None:
        raise Failure(NOT_RECOGNISED)
    return Asked(visitor_of(request, f"{api_user}:{api_key}"), values)
