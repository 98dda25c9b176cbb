"""The calls that write: add, update and delete."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from postroom.v1 import template_pb2
from postroom.v1 import template_service_pb2 as api
from postroom_server.gateway.backend import Backend, Visitor
from postroom_server.gateway.refused import Refused
from postroom_server.gateway.sendcloud.asked import Asked
from postroom_server.gateway.sendcloud.codes import (
    ADD_FAILED,
    DELETE_FAILED,
    EXISTS,
    HTML,
    INVOKE_NAME,
    IS_SUBMIT_AUDIT,
    NAME,
    NOT_FOUND,
    PENDING,
    SUBJECT,
    TEMPLATE_TYPE,
    UPDATE_FAILED,
    Code,
    Failure,
    too_many,
)
from postroom_server.gateway.sendcloud.fields import Reading
from postroom_server.gateway.sendcloud.form import Form
from postroom_server.gateway.sendcloud.parameters import without_blanks
from postroom_server.gateway.sendcloud.reads import Reads
from postroom_server.gateway.sendcloud.refusals import failure_of, first_fault
from postroom_server.gateway.sendcloud.shown import Stat, data, stat_of

# An update reads, changes and writes; somebody faster makes it begin again.
_ATTEMPTS = 10


class Writes:
    def __init__(self, backend: Backend, reads: Reads, zone: ZoneInfo, max_templates: int) -> None:
        self._backend = backend
        self._reads = reads
        self._zone = zone
        self._max_templates = max_templates

    async def add(self, asked: Asked) -> dict[str, Any]:
        reading = Reading(asked.values)
        reading.require(INVOKE_NAME, TEMPLATE_TYPE, NAME, SUBJECT, HTML)
        form = Form.of(reading)
        if reading.faults:
            await self._refuse_another(asked.visitor, form, reading)
        submit = form.submit is not False
        request = api.CreateTemplateRequest(template=form.new_template(), submit=submit)
        method = self._backend.templates.CreateTemplate
        template = (await self._write(method, request, asked.visitor, ADD_FAILED)).template
        # As in the document, which knows no review that has ended by now, and no update.
        fresh = {"templateStat": Stat.PENDING if submit else Stat.NOT_SUBMITTED, "gmtUpdated": ""}
        return {"data": data(template, self._zone) | fresh}

    async def update(self, asked: Asked) -> dict[str, Any]:
        reading = Reading(without_blanks(asked.values))
        reading.require(INVOKE_NAME)
        form = Form.of(reading)
        if reading.faults:
            raise await self._first_fault(asked.visitor, form, reading, UPDATE_FAILED)
        for _ in range(_ATTEMPTS):
            try:
                await self._change(asked.visitor, form)
            except Refused as refused:
                if refused.code is grpc.StatusCode.ABORTED:
                    continue
                raise failure_of(refused, UPDATE_FAILED) from None
            return {"count": 1}
        raise Failure(UPDATE_FAILED)

    async def delete(self, asked: Asked) -> dict[str, Any]:
        reading = Reading(asked.values)
        reading.require(INVOKE_NAME)
        request = api.DeleteTemplateRequest(invoke_name=reading.invoke_name() or "")
        await self._reads.refuse(reading, asked.visitor, DELETE_FAILED)
        await self._write(self._backend.templates.DeleteTemplate, request, asked.visitor, DELETE_FAILED)
        return {"count": 1}

    async def _change(self, visitor: Visitor, form: Form) -> None:
        """Makes a version of the newest one and what is given, if anything is. Raises Refused."""
        template = await self._reads.template(form.invoke_name or "", visitor, UPDATE_FAILED)
        stat = stat_of(template)
        if stat is Stat.PENDING:
            raise Failure(PENDING)
        paths = form.change(template)
        was_submitted = stat is not Stat.NOT_SUBMITTED
        if paths:
            submit = was_submitted if form.submit is None else form.submit
            await self._put(visitor, template, paths, submit=submit)
        elif form.submit and stat is not Stat.APPROVED:
            await self._submit(visitor, template)
        elif form.submit is False and was_submitted:
            # A version that says the same and is not submitted; the approved one is sent as before.
            await self._put(visitor, template, ["name"], submit=False)

    async def _put(
        self, visitor: Visitor, template: template_pb2.Template, paths: list[str], *, submit: bool
    ) -> None:
        request = api.UpdateTemplateRequest(
            template=template,
            update_mask=FieldMask(paths=paths),
            expected_version=template.version,
            submit=submit,
            # The document has no word to insist with.
            allow_breaking=True,
        )
        await self._backend.call(self._backend.templates.UpdateTemplate, request, visitor)

    async def _submit(self, visitor: Visitor, template: template_pb2.Template) -> None:
        request = api.SubmitTemplateRequest(
            invoke_name=template.invoke_name, version=template.version, allow_breaking=True
        )
        await self._backend.call(self._backend.templates.SubmitTemplate, request, visitor)

    async def _refuse_another(self, visitor: Visitor, form: Form, reading: Reading) -> None:
        """Raises what is wrong first with a template to add; isSubmitAudit comes last of all."""
        failure = await self._first_fault(visitor, form, reading, ADD_FAILED)
        if failure.code in (IS_SUBMIT_AUDIT.blank, IS_SUBMIT_AUDIT.malformed):
            if await self._is_there(visitor, form):
                raise Failure(EXISTS)
            if await self._reads.total(visitor, ADD_FAILED) >= self._max_templates:
                raise Failure(too_many(str(self._max_templates)))
        raise failure

    async def _first_fault(self, visitor: Visitor, form: Form, reading: Reading, failed: Code) -> Failure:
        """What is wrong first: the caller, what we found, or what the product finds wrong with the rest."""
        template = form.new_template()
        # No template is stored without a kind (template.proto), so it is all asked and nothing done.
        template.ClearField("kind")
        method = self._backend.templates.CreateTemplate
        try:
            await self._backend.call(method, api.CreateTemplateRequest(template=template), visitor)
        except Refused as refused:
            if refused.code is not grpc.StatusCode.INVALID_ARGUMENT:
                return failure_of(refused, failed)
            others = tuple(found for found in refused.violations if found.field != "template.kind")
            return first_fault(reading.faults, others)
        raise AssertionError("a template without a kind was stored")

    async def _is_there(self, visitor: Visitor, form: Form) -> bool:
        try:
            await self._reads.template(form.invoke_name or "", visitor, ADD_FAILED)
        except Failure as failure:
            if failure.code is NOT_FOUND:
                return False
            raise
        return True

    async def _write(self, method: Any, request: Any, visitor: Visitor, failed: Code) -> Any:
        try:
            return await self._backend.call(method, request, visitor)
        except Refused as refused:
            raise failure_of(refused, failed) from None
