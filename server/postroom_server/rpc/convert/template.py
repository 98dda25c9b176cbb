"""Templates as messages and back."""

from __future__ import annotations

from postroom.v1 import binding_pb2, template_pb2, template_service_pb2
from postroom_server.mail.bindings import BindingRecord
from postroom_server.mail.rendering import Preview, StoredSource
from postroom_server.mail.template_form import (
    ContentForm,
    TemplateForm,
    TemplateRecord,
    VariableForm,
    VariableType,
    VariantForm,
    VersionRecord,
)
from postroom_server.rpc.convert.enums import number_of, word_of
from postroom_server.rpc.convert.masks import paths_of
from postroom_server.rpc.convert.refusal_out import violation_message
from postroom_server.rpc.convert.structs import message_of, params_of, struct_of, value_of
from postroom_server.rpc.convert.times import duration_of, millis_of_duration, optional_stamp, stamp_of
from postroom_server.store.models import Syntax, TemplateKind

_KIND = "TEMPLATE_KIND_"
_SYNTAX = "TEMPLATE_SYNTAX_"
_TYPE = "VARIABLE_TYPE_"
_REVIEW = "REVIEW_STATE_"
_NOT_CHANGED = frozenset(
    {
        "id",
        "tenant_id",
        "invoke_name",
        "version",
        "review_state",
        "approved_version",
        "create_time",
        "update_time",
        "author",
    }
)


def template_form(message: template_pb2.Template) -> TemplateForm:
    kind = word_of(template_pb2.TemplateKind, _KIND, message.kind, "template.kind")
    return TemplateForm(
        invoke_name=message.invoke_name,
        name=message.name,
        kind=TemplateKind(kind) if kind else None,
        content=content_form(message.content, "template.content"),
    )


def template_paths(request: template_service_pb2.UpdateTemplateRequest) -> tuple[str, ...]:
    return paths_of(request.template, request.update_mask, ignored=_NOT_CHANGED)


def content_form(message: template_pb2.TemplateContent, field: str) -> ContentForm:
    syntax = word_of(template_pb2.TemplateSyntax, _SYNTAX, message.syntax, f"{field}.syntax")
    return ContentForm(
        syntax=Syntax(syntax) if syntax else Syntax.PERCENT,
        default_language=message.default_language,
        variants=tuple(
            VariantForm(variant.language, variant.subject, variant.html, variant.text)
            for variant in message.variants
        ),
        variables=tuple(
            _variable_form(variable, f"{field}.variables[{i}]")
            for i, variable in enumerate(message.variables)
        ),
        sample_params=params_of(message.sample_params) if message.HasField("sample_params") else None,
        validity=millis_of_duration(message.validity) if message.HasField("validity") else None,
    )


def source_of(
    request: template_service_pb2.RenderTemplateRequest,
) -> StoredSource | ContentForm | None:
    match request.WhichOneof("source"):
        case "stored":
            stored = request.stored
            return StoredSource(stored.invoke_name, stored.biz_key, stored.version)
        case "content":
            return content_form(request.content, "content")
        case _:
            return None


def template_message(template: TemplateRecord) -> template_pb2.Template:
    return template_pb2.Template(
        id=template.id,
        tenant_id=template.tenant_id,
        invoke_name=template.invoke_name,
        name=template.name,
        kind=number_of(template_pb2.TemplateKind, _KIND, template.kind),
        content=None if template.content is None else _content_message(template.content),
        version=template.version,
        review_state=number_of(template_pb2.ReviewState, _REVIEW, template.review_state),
        approved_version=template.approved_version,
        create_time=stamp_of(template.create_time),
        update_time=stamp_of(template.update_time),
        author=template.author,
    )


def version_message(version: VersionRecord) -> template_pb2.TemplateVersion:
    return template_pb2.TemplateVersion(
        version=version.version,
        name=version.name,
        kind=number_of(template_pb2.TemplateKind, _KIND, version.kind),
        content=None if version.content is None else _content_message(version.content),
        review_state=number_of(template_pb2.ReviewState, _REVIEW, version.review_state),
        submit_time=optional_stamp(version.submit_time),
        reviewer=version.reviewer,
        review_time=optional_stamp(version.review_time),
        review_reason=version.review_reason,
        create_time=stamp_of(version.create_time),
        author=version.author,
        restored_version=version.restored_version,
    )


def binding_message(binding: BindingRecord) -> binding_pb2.Binding:
    return binding_pb2.Binding(
        tenant_id=binding.tenant_id,
        biz_key=binding.biz_key,
        invoke_name=binding.invoke_name,
        update_time=stamp_of(binding.update_time),
    )


def preview_message(preview: Preview) -> template_service_pb2.RenderTemplateResponse:
    return template_service_pb2.RenderTemplateResponse(
        subject=preview.rendered.subject,
        html=preview.rendered.html or "",
        text=preview.rendered.text,
        template_language=preview.language,
        template_version=preview.version,
        unused_params=preview.unused,
        missing_variables=preview.missing,
        violations=[violation_message(violation) for violation in preview.violations],
    )


def _variable_form(message: template_pb2.Variable, field: str) -> VariableForm:
    return VariableForm(
        name=message.name,
        type=VariableType(word_of(template_pb2.VariableType, _TYPE, message.type, f"{field}.type")),
        required=message.required if message.HasField("required") else None,
        default=value_of(message.default_value) if message.HasField("default_value") else None,
        raw=message.raw,
        literal=message.literal,
    )


def _content_message(content: ContentForm) -> template_pb2.TemplateContent:
    return template_pb2.TemplateContent(
        syntax=number_of(template_pb2.TemplateSyntax, _SYNTAX, content.syntax),
        default_language=content.default_language,
        variants=[
            template_pb2.Variant(
                language=variant.language, subject=variant.subject, html=variant.html, text=variant.text
            )
            for variant in content.variants
        ],
        variables=[
            template_pb2.Variable(
                name=variable.name,
                type=number_of(template_pb2.VariableType, _TYPE, variable.type),
                required=variable.required,
                default_value=None if variable.default is None else message_of(variable.default),
                raw=variable.raw,
                literal=variable.literal,
                declared=variable.declared,
            )
            for variable in content.variables
        ],
        sample_params=None if content.sample_params is None else struct_of(content.sample_params),
        validity=None if content.validity is None else duration_of(content.validity),
    )
