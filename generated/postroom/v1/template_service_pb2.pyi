from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from postroom.v1 import binding_pb2 as _binding_pb2
from postroom.v1 import filter_pb2 as _filter_pb2
from postroom.v1 import refusal_pb2 as _refusal_pb2
from postroom.v1 import template_pb2 as _template_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateTemplateRequest(_message.Message):
    __slots__ = ("template", "submit", "tenant_id")
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    template: _template_pb2.Template
    submit: bool
    tenant_id: int
    def __init__(self, template: _Optional[_Union[_template_pb2.Template, _Mapping]] = ..., submit: _Optional[bool] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class CreateTemplateResponse(_message.Message):
    __slots__ = ("template",)
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    template: _template_pb2.Template
    def __init__(self, template: _Optional[_Union[_template_pb2.Template, _Mapping]] = ...) -> None: ...

class GetTemplateRequest(_message.Message):
    __slots__ = ("invoke_name", "include_platform", "view", "tenant_id")
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PLATFORM_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    invoke_name: str
    include_platform: bool
    view: _template_pb2.TemplateView
    tenant_id: int
    def __init__(self, invoke_name: _Optional[str] = ..., include_platform: _Optional[bool] = ..., view: _Optional[_Union[_template_pb2.TemplateView, str]] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class GetTemplateResponse(_message.Message):
    __slots__ = ("template",)
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    template: _template_pb2.Template
    def __init__(self, template: _Optional[_Union[_template_pb2.Template, _Mapping]] = ...) -> None: ...

class ListTemplatesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "skip", "count", "filters", "order_by", "tenant_id", "include_platform", "view")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PLATFORM_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    skip: int
    count: _filter_pb2.Count
    filters: _containers.RepeatedCompositeFieldContainer[_filter_pb2.Filter]
    order_by: str
    tenant_id: int
    include_platform: bool
    view: _template_pb2.TemplateView
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., skip: _Optional[int] = ..., count: _Optional[_Union[_filter_pb2.Count, str]] = ..., filters: _Optional[_Iterable[_Union[_filter_pb2.Filter, _Mapping]]] = ..., order_by: _Optional[str] = ..., tenant_id: _Optional[int] = ..., include_platform: _Optional[bool] = ..., view: _Optional[_Union[_template_pb2.TemplateView, str]] = ...) -> None: ...

class ListTemplatesResponse(_message.Message):
    __slots__ = ("templates", "next_page_token", "total_size", "total_is_lower_bound")
    TEMPLATES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_IS_LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    templates: _containers.RepeatedCompositeFieldContainer[_template_pb2.Template]
    next_page_token: str
    total_size: int
    total_is_lower_bound: bool
    def __init__(self, templates: _Optional[_Iterable[_Union[_template_pb2.Template, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., total_is_lower_bound: _Optional[bool] = ...) -> None: ...

class UpdateTemplateRequest(_message.Message):
    __slots__ = ("template", "update_mask", "expected_version", "submit", "allow_breaking", "tenant_id")
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    ALLOW_BREAKING_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    template: _template_pb2.Template
    update_mask: _field_mask_pb2.FieldMask
    expected_version: int
    submit: bool
    allow_breaking: bool
    tenant_id: int
    def __init__(self, template: _Optional[_Union[_template_pb2.Template, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., expected_version: _Optional[int] = ..., submit: _Optional[bool] = ..., allow_breaking: _Optional[bool] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class UpdateTemplateResponse(_message.Message):
    __slots__ = ("template",)
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    template: _template_pb2.Template
    def __init__(self, template: _Optional[_Union[_template_pb2.Template, _Mapping]] = ...) -> None: ...

class DeleteTemplateRequest(_message.Message):
    __slots__ = ("invoke_name", "expected_version", "tenant_id")
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    invoke_name: str
    expected_version: int
    tenant_id: int
    def __init__(self, invoke_name: _Optional[str] = ..., expected_version: _Optional[int] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class DeleteTemplateResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SubmitTemplateRequest(_message.Message):
    __slots__ = ("invoke_name", "version", "allow_breaking", "tenant_id")
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ALLOW_BREAKING_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    invoke_name: str
    version: int
    allow_breaking: bool
    tenant_id: int
    def __init__(self, invoke_name: _Optional[str] = ..., version: _Optional[int] = ..., allow_breaking: _Optional[bool] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class SubmitTemplateResponse(_message.Message):
    __slots__ = ("template",)
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    template: _template_pb2.Template
    def __init__(self, template: _Optional[_Union[_template_pb2.Template, _Mapping]] = ...) -> None: ...

class WithdrawTemplateRequest(_message.Message):
    __slots__ = ("invoke_name", "version", "tenant_id")
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    invoke_name: str
    version: int
    tenant_id: int
    def __init__(self, invoke_name: _Optional[str] = ..., version: _Optional[int] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class WithdrawTemplateResponse(_message.Message):
    __slots__ = ("template",)
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    template: _template_pb2.Template
    def __init__(self, template: _Optional[_Union[_template_pb2.Template, _Mapping]] = ...) -> None: ...

class ApproveTemplateRequest(_message.Message):
    __slots__ = ("invoke_name", "version", "reason", "allow_breaking", "tenant_id")
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ALLOW_BREAKING_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    invoke_name: str
    version: int
    reason: str
    allow_breaking: bool
    tenant_id: int
    def __init__(self, invoke_name: _Optional[str] = ..., version: _Optional[int] = ..., reason: _Optional[str] = ..., allow_breaking: _Optional[bool] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class ApproveTemplateResponse(_message.Message):
    __slots__ = ("template",)
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    template: _template_pb2.Template
    def __init__(self, template: _Optional[_Union[_template_pb2.Template, _Mapping]] = ...) -> None: ...

class RejectTemplateRequest(_message.Message):
    __slots__ = ("invoke_name", "version", "reason", "tenant_id")
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    invoke_name: str
    version: int
    reason: str
    tenant_id: int
    def __init__(self, invoke_name: _Optional[str] = ..., version: _Optional[int] = ..., reason: _Optional[str] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class RejectTemplateResponse(_message.Message):
    __slots__ = ("template",)
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    template: _template_pb2.Template
    def __init__(self, template: _Optional[_Union[_template_pb2.Template, _Mapping]] = ...) -> None: ...

class ListTemplateVersionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "skip", "count", "filters", "order_by", "tenant_id", "invoke_name", "view")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    skip: int
    count: _filter_pb2.Count
    filters: _containers.RepeatedCompositeFieldContainer[_filter_pb2.Filter]
    order_by: str
    tenant_id: int
    invoke_name: str
    view: _template_pb2.TemplateView
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., skip: _Optional[int] = ..., count: _Optional[_Union[_filter_pb2.Count, str]] = ..., filters: _Optional[_Iterable[_Union[_filter_pb2.Filter, _Mapping]]] = ..., order_by: _Optional[str] = ..., tenant_id: _Optional[int] = ..., invoke_name: _Optional[str] = ..., view: _Optional[_Union[_template_pb2.TemplateView, str]] = ...) -> None: ...

class ListTemplateVersionsResponse(_message.Message):
    __slots__ = ("versions", "next_page_token", "total_size", "total_is_lower_bound")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_IS_LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[_template_pb2.TemplateVersion]
    next_page_token: str
    total_size: int
    total_is_lower_bound: bool
    def __init__(self, versions: _Optional[_Iterable[_Union[_template_pb2.TemplateVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., total_is_lower_bound: _Optional[bool] = ...) -> None: ...

class RestoreTemplateVersionRequest(_message.Message):
    __slots__ = ("invoke_name", "version", "expected_version", "submit", "allow_breaking", "tenant_id")
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    ALLOW_BREAKING_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    invoke_name: str
    version: int
    expected_version: int
    submit: bool
    allow_breaking: bool
    tenant_id: int
    def __init__(self, invoke_name: _Optional[str] = ..., version: _Optional[int] = ..., expected_version: _Optional[int] = ..., submit: _Optional[bool] = ..., allow_breaking: _Optional[bool] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class RestoreTemplateVersionResponse(_message.Message):
    __slots__ = ("template",)
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    template: _template_pb2.Template
    def __init__(self, template: _Optional[_Union[_template_pb2.Template, _Mapping]] = ...) -> None: ...

class RenderTemplateRequest(_message.Message):
    __slots__ = ("stored", "content", "language", "params", "tenant_id")
    STORED_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    stored: StoredTemplate
    content: _template_pb2.TemplateContent
    language: str
    params: _struct_pb2.Struct
    tenant_id: int
    def __init__(self, stored: _Optional[_Union[StoredTemplate, _Mapping]] = ..., content: _Optional[_Union[_template_pb2.TemplateContent, _Mapping]] = ..., language: _Optional[str] = ..., params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class StoredTemplate(_message.Message):
    __slots__ = ("invoke_name", "biz_key", "version")
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    BIZ_KEY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    invoke_name: str
    biz_key: str
    version: int
    def __init__(self, invoke_name: _Optional[str] = ..., biz_key: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class RenderTemplateResponse(_message.Message):
    __slots__ = ("subject", "html", "text", "template_language", "template_version", "unused_params", "missing_variables", "violations")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    HTML_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_VERSION_FIELD_NUMBER: _ClassVar[int]
    UNUSED_PARAMS_FIELD_NUMBER: _ClassVar[int]
    MISSING_VARIABLES_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    subject: str
    html: str
    text: str
    template_language: str
    template_version: int
    unused_params: _containers.RepeatedScalarFieldContainer[str]
    missing_variables: _containers.RepeatedScalarFieldContainer[str]
    violations: _containers.RepeatedCompositeFieldContainer[_refusal_pb2.Violation]
    def __init__(self, subject: _Optional[str] = ..., html: _Optional[str] = ..., text: _Optional[str] = ..., template_language: _Optional[str] = ..., template_version: _Optional[int] = ..., unused_params: _Optional[_Iterable[str]] = ..., missing_variables: _Optional[_Iterable[str]] = ..., violations: _Optional[_Iterable[_Union[_refusal_pb2.Violation, _Mapping]]] = ...) -> None: ...

class BindRequest(_message.Message):
    __slots__ = ("biz_key", "invoke_name", "tenant_id")
    BIZ_KEY_FIELD_NUMBER: _ClassVar[int]
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    biz_key: str
    invoke_name: str
    tenant_id: int
    def __init__(self, biz_key: _Optional[str] = ..., invoke_name: _Optional[str] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class BindResponse(_message.Message):
    __slots__ = ("binding",)
    BINDING_FIELD_NUMBER: _ClassVar[int]
    binding: _binding_pb2.Binding
    def __init__(self, binding: _Optional[_Union[_binding_pb2.Binding, _Mapping]] = ...) -> None: ...

class UnbindRequest(_message.Message):
    __slots__ = ("biz_key", "tenant_id")
    BIZ_KEY_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    biz_key: str
    tenant_id: int
    def __init__(self, biz_key: _Optional[str] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class UnbindResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListBindingsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "skip", "count", "filters", "order_by", "tenant_id", "include_platform")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PLATFORM_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    skip: int
    count: _filter_pb2.Count
    filters: _containers.RepeatedCompositeFieldContainer[_filter_pb2.Filter]
    order_by: str
    tenant_id: int
    include_platform: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., skip: _Optional[int] = ..., count: _Optional[_Union[_filter_pb2.Count, str]] = ..., filters: _Optional[_Iterable[_Union[_filter_pb2.Filter, _Mapping]]] = ..., order_by: _Optional[str] = ..., tenant_id: _Optional[int] = ..., include_platform: _Optional[bool] = ...) -> None: ...

class ListBindingsResponse(_message.Message):
    __slots__ = ("bindings", "next_page_token", "total_size", "total_is_lower_bound")
    BINDINGS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_IS_LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    bindings: _containers.RepeatedCompositeFieldContainer[_binding_pb2.Binding]
    next_page_token: str
    total_size: int
    total_is_lower_bound: bool
    def __init__(self, bindings: _Optional[_Iterable[_Union[_binding_pb2.Binding, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., total_is_lower_bound: _Optional[bool] = ...) -> None: ...
