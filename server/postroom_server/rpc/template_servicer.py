"""TemplateService: read, call, write."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from postroom.v1 import template_pb2, template_service_pb2, template_service_pb2_grpc
from postroom_server.mail.bindings import Bindings
from postroom_server.mail.rendering import Rendering
from postroom_server.mail.template_form import TemplateRecord
from postroom_server.mail.template_guard import tell_breaks
from postroom_server.mail.template_list import TemplateList
from postroom_server.mail.template_review import Reviews
from postroom_server.mail.template_versions import TemplateVersions
from postroom_server.mail.templates import Templates
from postroom_server.rpc.call import current_call, current_caller
from postroom_server.rpc.compiled_first import CompiledFirst
from postroom_server.rpc.convert.filters import page_request_of
from postroom_server.rpc.convert.lists import filled
from postroom_server.rpc.convert.named_tenant import named_tenant
from postroom_server.rpc.convert.structs import params_of
from postroom_server.rpc.convert.template import (
    binding_message,
    preview_message,
    source_of,
    template_form,
    template_message,
    template_paths,
    version_message,
)
from postroom_server.store.known import Memory
from postroom_server.store.unit import Store


@dataclasses.dataclass(frozen=True, slots=True)
class TemplateUses:
    """The use cases behind TemplateService."""

    templates: Templates
    templates_listed: TemplateList
    versions: TemplateVersions
    reviews: Reviews
    bindings: Bindings
    rendering: Rendering
    memory: Memory


class TemplateServicer(template_service_pb2_grpc.TemplateServiceServicer):
    def __init__(self, store: Store, uses: TemplateUses) -> None:
        self._store = store
        self._uses = uses
        self._compiled_first = CompiledFirst(store, uses.memory)

    async def CreateTemplate(
        self, request: template_service_pb2.CreateTemplateRequest, _context: Any
    ) -> template_service_pb2.CreateTemplateResponse:
        caller, templates = current_caller(), self._uses.templates
        form = template_form(request.template)
        checked = await self._store.read(templates.check_new, caller, named_tenant(request), form)
        template = await self._store.write(templates.create, caller, checked, _submits(request))
        return template_service_pb2.CreateTemplateResponse(template=template_message(template))

    async def GetTemplate(
        self, request: template_service_pb2.GetTemplateRequest, _context: Any
    ) -> template_service_pb2.GetTemplateResponse:
        template = await self._store.read(
            self._uses.templates.get,
            current_caller(),
            named_tenant(request),
            request.invoke_name,
            include_platform=request.include_platform,
            with_content=request.view != template_pb2.TEMPLATE_VIEW_BASIC,
        )
        return template_service_pb2.GetTemplateResponse(template=template_message(template))

    async def ListTemplates(
        self, request: template_service_pb2.ListTemplatesRequest, _context: Any
    ) -> template_service_pb2.ListTemplatesResponse:
        page = await self._store.read(
            self._uses.templates_listed.list,
            current_caller(),
            named_tenant(request),
            page_request_of(request),
            include_platform=request.include_platform,
            with_content=request.view == template_pb2.TEMPLATE_VIEW_DETAIL,
        )
        return filled(template_service_pb2.ListTemplatesResponse(), "templates", page, template_message)

    async def UpdateTemplate(
        self, request: template_service_pb2.UpdateTemplateRequest, _context: Any
    ) -> template_service_pb2.UpdateTemplateResponse:
        caller, templates = current_caller(), self._uses.templates
        checked = await self._store.read(
            templates.check_update,
            caller,
            named_tenant(request),
            template_form(request.template),
            template_paths(request),
            request.expected_version,
        )
        template = await self._publish(
            functools.partial(
                templates.update,
                caller,
                checked,
                _submits(request),
                allow_breaking=request.allow_breaking,
            )
        )
        return template_service_pb2.UpdateTemplateResponse(template=template_message(template))

    async def DeleteTemplate(
        self, request: template_service_pb2.DeleteTemplateRequest, _context: Any
    ) -> template_service_pb2.DeleteTemplateResponse:
        await self._store.write(
            self._uses.templates.delete,
            current_caller(),
            named_tenant(request),
            request.invoke_name,
            request.expected_version,
        )
        return template_service_pb2.DeleteTemplateResponse()

    async def SubmitTemplate(
        self, request: template_service_pb2.SubmitTemplateRequest, _context: Any
    ) -> template_service_pb2.SubmitTemplateResponse:
        template = await self._publish(
            functools.partial(
                self._uses.reviews.submit,
                current_caller(),
                named_tenant(request),
                request.invoke_name,
                request.version,
                allow_breaking=request.allow_breaking,
            )
        )
        return template_service_pb2.SubmitTemplateResponse(template=template_message(template))

    async def WithdrawTemplate(
        self, request: template_service_pb2.WithdrawTemplateRequest, _context: Any
    ) -> template_service_pb2.WithdrawTemplateResponse:
        template = await self._store.write(
            self._uses.reviews.withdraw,
            current_caller(),
            named_tenant(request),
            request.invoke_name,
            request.version,
        )
        return template_service_pb2.WithdrawTemplateResponse(template=template_message(template))

    async def ApproveTemplate(
        self, request: template_service_pb2.ApproveTemplateRequest, _context: Any
    ) -> template_service_pb2.ApproveTemplateResponse:
        template = await self._publish(
            functools.partial(
                self._uses.reviews.approve,
                current_caller(),
                named_tenant(request),
                request.invoke_name,
                request.version,
                request.reason,
                allow_breaking=request.allow_breaking,
            )
        )
        return template_service_pb2.ApproveTemplateResponse(template=template_message(template))

    async def RejectTemplate(
        self, request: template_service_pb2.RejectTemplateRequest, _context: Any
    ) -> template_service_pb2.RejectTemplateResponse:
        template = await self._store.write(
            self._uses.reviews.reject,
            current_caller(),
            named_tenant(request),
            request.invoke_name,
            request.version,
            request.reason,
        )
        return template_service_pb2.RejectTemplateResponse(template=template_message(template))

    async def ListTemplateVersions(
        self, request: template_service_pb2.ListTemplateVersionsRequest, _context: Any
    ) -> template_service_pb2.ListTemplateVersionsResponse:
        page = await self._store.read(
            self._uses.versions.list,
            current_caller(),
            named_tenant(request),
            request.invoke_name,
            page_request_of(request),
            with_content=request.view == template_pb2.TEMPLATE_VIEW_DETAIL,
        )
        return filled(template_service_pb2.ListTemplateVersionsResponse(), "versions", page, version_message)

    async def RestoreTemplateVersion(
        self, request: template_service_pb2.RestoreTemplateVersionRequest, _context: Any
    ) -> template_service_pb2.RestoreTemplateVersionResponse:
        template = await self._publish(
            functools.partial(
                self._uses.versions.restore,
                current_caller(),
                named_tenant(request),
                request.invoke_name,
                request.version,
                expected_version=request.expected_version,
                submit=_submits(request),
                allow_breaking=request.allow_breaking,
            )
        )
        return template_service_pb2.RestoreTemplateVersionResponse(template=template_message(template))

    async def RenderTemplate(
        self, request: template_service_pb2.RenderTemplateRequest, _context: Any
    ) -> template_service_pb2.RenderTemplateResponse:
        preview = await self._store.read(
            self._uses.rendering.render,
            current_caller(),
            named_tenant(request),
            source_of(request),
            params_of(request.params) if request.HasField("params") else None,
            request.language,
        )
        return preview_message(preview)

    async def Bind(
        self, request: template_service_pb2.BindRequest, _context: Any
    ) -> template_service_pb2.BindResponse:
        binding = await self._store.write(
            self._uses.bindings.bind,
            current_caller(),
            named_tenant(request),
            request.biz_key,
            request.invoke_name,
        )
        return template_service_pb2.BindResponse(binding=binding_message(binding))

    async def Unbind(
        self, request: template_service_pb2.UnbindRequest, _context: Any
    ) -> template_service_pb2.UnbindResponse:
        await self._store.write(
            self._uses.bindings.unbind, current_caller(), named_tenant(request), request.biz_key
        )
        return template_service_pb2.UnbindResponse()

    async def ListBindings(
        self, request: template_service_pb2.ListBindingsRequest, _context: Any
    ) -> template_service_pb2.ListBindingsResponse:
        page = await self._store.read(
            self._uses.bindings.list,
            current_caller(),
            named_tenant(request),
            page_request_of(request),
            include_platform=request.include_platform,
        )
        return filled(template_service_pb2.ListBindingsResponse(), "bindings", page, binding_message)

    async def _publish(self, unit: Callable[[], TemplateRecord]) -> TemplateRecord:
        """Runs a unit that may put another version in force, and logs whom that breaks."""
        tell = functools.partial(tell_breaks, correlation_id=current_call().request_id)
        return await self._compiled_first.one(lambda: self._store.write_then(tell, unit))


def _submits(request: Any) -> bool:
    """Unset means yes."""
    return bool(request.submit) if request.HasField("submit") else True
