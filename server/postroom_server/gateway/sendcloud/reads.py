"""The calls that read: list and get."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from postroom.v1 import filter_pb2, template_pb2
from postroom.v1 import template_service_pb2 as api
from postroom_server.gateway.backend import Backend, Visitor
from postroom_server.gateway.refused import Refused
from postroom_server.gateway.sendcloud.asked import Asked
from postroom_server.gateway.sendcloud.codes import (
    INTERNAL,
    INVOKE_NAME,
    LIMIT,
    START,
    TEMPLATE_STAT,
    TEMPLATE_TYPE,
    Code,
)
from postroom_server.gateway.sendcloud.fields import Reading
from postroom_server.gateway.sendcloud.refusals import failure_of, first_fault
from postroom_server.gateway.sendcloud.shown import STATS, TYPES, data, item

MOST_LISTED = 100
_MOST_SKIPPED = 2**31 - 1  # what the contract's int32 takes; no tenant has so many


class Reads:
    def __init__(self, backend: Backend, zone: ZoneInfo) -> None:
        self._backend = backend
        self._zone = zone

    async def list(self, asked: Asked) -> dict[str, Any]:
        """A page of the tenant's own templates in the order in which they were made."""
        reading = Reading(asked.values)
        filters = _filters(reading)
        start = reading.number(START)
        limit = reading.number(LIMIT, most=MOST_LISTED)
        await self.refuse(reading, asked.visitor)
        if limit is None:
            limit = MOST_LISTED
        # The contract's page_size 0 is its default; of an empty page only the total is wanted.
        request = api.ListTemplatesRequest(
            filters=filters,
            page_size=limit or 1,
            skip=min(start or 0, _MOST_SKIPPED),
            count=filter_pb2.COUNT_EXACT,
            order_by="create_time, id",
        )
        answer = await self._read(self._backend.templates.ListTemplates, request, asked.visitor)
        page = [item(template, self._zone) for template in answer.templates[:limit]]
        return {"dataList": page, "total": answer.total_size, "count": len(page)}

    async def get(self, asked: Asked) -> dict[str, Any]:
        reading = Reading(asked.values)
        reading.require(INVOKE_NAME)
        invoke_name = reading.invoke_name()
        await self.refuse(reading, asked.visitor)
        return {"data": data(await self.template(invoke_name or "", asked.visitor), self._zone)}

    async def template(
        self, invoke_name: str, visitor: Visitor, failed: Code = INTERNAL
    ) -> template_pb2.Template:
        """The tenant's own template of that name. `failed` is answered when the store fails."""
        request = api.GetTemplateRequest(invoke_name=invoke_name)
        answer = await self._read(self._backend.templates.GetTemplate, request, visitor, failed)
        template: template_pb2.Template = answer.template
        return template

    async def total(self, visitor: Visitor, failed: Code) -> int:
        """How many templates the tenant has."""
        request = api.ListTemplatesRequest(page_size=1, count=filter_pb2.COUNT_EXACT)
        answer = await self._read(self._backend.templates.ListTemplates, request, visitor, failed)
        return int(answer.total_size)

    async def refuse(self, reading: Reading, visitor: Visitor, failed: Code = INTERNAL) -> None:
        """Says what is wrong with parameters, but to those only who may ask at all."""
        if reading.faults:
            request = api.ListTemplatesRequest(page_size=1, count=filter_pb2.COUNT_NONE)
            await self._read(self._backend.templates.ListTemplates, request, visitor, failed)
            raise first_fault(reading.faults, ())

    async def _read(self, method: Any, request: Any, visitor: Visitor, failed: Code = INTERNAL) -> Any:
        try:
            return await self._backend.call(method, request, visitor, repeatable=True)
        except Refused as refused:
            raise failure_of(refused, failed) from None


def _filters(reading: Reading) -> list[filter_pb2.Filter]:
    stat = reading.choice(TEMPLATE_STAT, STATS)
    wanted = {
        "invoke_name": reading.invoke_name(),
        "kind": reading.choice(TEMPLATE_TYPE, _KINDS),
        "review_state": None if stat is None else stat.name,
    }
    return [
        filter_pb2.Filter(field=field, operator=filter_pb2.FILTER_OPERATOR_EQUAL, values=[value])
        for field, value in wanted.items()
        if value is not None
    ]


# Filters name enum values without their prefix (filter.proto).
_KINDS = {
    word: template_pb2.TemplateKind.Name(kind).removeprefix("TEMPLATE_KIND_") for word, kind in TYPES.items()
}
