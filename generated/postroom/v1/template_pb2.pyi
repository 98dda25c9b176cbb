import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TemplateKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEMPLATE_KIND_UNSPECIFIED: _ClassVar[TemplateKind]
    TEMPLATE_KIND_TRIGGER: _ClassVar[TemplateKind]
    TEMPLATE_KIND_BATCH: _ClassVar[TemplateKind]

class TemplateSyntax(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEMPLATE_SYNTAX_UNSPECIFIED: _ClassVar[TemplateSyntax]
    TEMPLATE_SYNTAX_PERCENT: _ClassVar[TemplateSyntax]
    TEMPLATE_SYNTAX_LIQUID: _ClassVar[TemplateSyntax]

class VariableType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VARIABLE_TYPE_UNSPECIFIED: _ClassVar[VariableType]
    VARIABLE_TYPE_STRING: _ClassVar[VariableType]
    VARIABLE_TYPE_INTEGER: _ClassVar[VariableType]
    VARIABLE_TYPE_NUMBER: _ClassVar[VariableType]
    VARIABLE_TYPE_BOOLEAN: _ClassVar[VariableType]
    VARIABLE_TYPE_TIMESTAMP: _ClassVar[VariableType]
    VARIABLE_TYPE_LIST: _ClassVar[VariableType]
    VARIABLE_TYPE_OBJECT: _ClassVar[VariableType]

class ReviewState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVIEW_STATE_UNSPECIFIED: _ClassVar[ReviewState]
    REVIEW_STATE_NOT_SUBMITTED: _ClassVar[ReviewState]
    REVIEW_STATE_PENDING: _ClassVar[ReviewState]
    REVIEW_STATE_REJECTED: _ClassVar[ReviewState]
    REVIEW_STATE_APPROVED: _ClassVar[ReviewState]

class TemplateView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEMPLATE_VIEW_UNSPECIFIED: _ClassVar[TemplateView]
    TEMPLATE_VIEW_BASIC: _ClassVar[TemplateView]
    TEMPLATE_VIEW_DETAIL: _ClassVar[TemplateView]
TEMPLATE_KIND_UNSPECIFIED: TemplateKind
TEMPLATE_KIND_TRIGGER: TemplateKind
TEMPLATE_KIND_BATCH: TemplateKind
TEMPLATE_SYNTAX_UNSPECIFIED: TemplateSyntax
TEMPLATE_SYNTAX_PERCENT: TemplateSyntax
TEMPLATE_SYNTAX_LIQUID: TemplateSyntax
VARIABLE_TYPE_UNSPECIFIED: VariableType
VARIABLE_TYPE_STRING: VariableType
VARIABLE_TYPE_INTEGER: VariableType
VARIABLE_TYPE_NUMBER: VariableType
VARIABLE_TYPE_BOOLEAN: VariableType
VARIABLE_TYPE_TIMESTAMP: VariableType
VARIABLE_TYPE_LIST: VariableType
VARIABLE_TYPE_OBJECT: VariableType
REVIEW_STATE_UNSPECIFIED: ReviewState
REVIEW_STATE_NOT_SUBMITTED: ReviewState
REVIEW_STATE_PENDING: ReviewState
REVIEW_STATE_REJECTED: ReviewState
REVIEW_STATE_APPROVED: ReviewState
TEMPLATE_VIEW_UNSPECIFIED: TemplateView
TEMPLATE_VIEW_BASIC: TemplateView
TEMPLATE_VIEW_DETAIL: TemplateView

class Template(_message.Message):
    __slots__ = ("id", "tenant_id", "invoke_name", "name", "kind", "content", "version", "review_state", "approved_version", "create_time", "update_time", "author")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REVIEW_STATE_FIELD_NUMBER: _ClassVar[int]
    APPROVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    id: int
    tenant_id: int
    invoke_name: str
    name: str
    kind: TemplateKind
    content: TemplateContent
    version: int
    review_state: ReviewState
    approved_version: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    author: str
    def __init__(self, id: _Optional[int] = ..., tenant_id: _Optional[int] = ..., invoke_name: _Optional[str] = ..., name: _Optional[str] = ..., kind: _Optional[_Union[TemplateKind, str]] = ..., content: _Optional[_Union[TemplateContent, _Mapping]] = ..., version: _Optional[int] = ..., review_state: _Optional[_Union[ReviewState, str]] = ..., approved_version: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., author: _Optional[str] = ...) -> None: ...

class TemplateContent(_message.Message):
    __slots__ = ("syntax", "default_language", "variants", "variables", "sample_params", "validity")
    SYNTAX_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_PARAMS_FIELD_NUMBER: _ClassVar[int]
    VALIDITY_FIELD_NUMBER: _ClassVar[int]
    syntax: TemplateSyntax
    default_language: str
    variants: _containers.RepeatedCompositeFieldContainer[Variant]
    variables: _containers.RepeatedCompositeFieldContainer[Variable]
    sample_params: _struct_pb2.Struct
    validity: _duration_pb2.Duration
    def __init__(self, syntax: _Optional[_Union[TemplateSyntax, str]] = ..., default_language: _Optional[str] = ..., variants: _Optional[_Iterable[_Union[Variant, _Mapping]]] = ..., variables: _Optional[_Iterable[_Union[Variable, _Mapping]]] = ..., sample_params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., validity: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Variant(_message.Message):
    __slots__ = ("language", "subject", "html", "text")
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    HTML_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    language: str
    subject: str
    html: str
    text: str
    def __init__(self, language: _Optional[str] = ..., subject: _Optional[str] = ..., html: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Variable(_message.Message):
    __slots__ = ("name", "type", "required", "default_value", "raw", "literal", "declared")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    LITERAL_FIELD_NUMBER: _ClassVar[int]
    DECLARED_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: VariableType
    required: bool
    default_value: _struct_pb2.Value
    raw: bool
    literal: bool
    declared: bool
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[VariableType, str]] = ..., required: _Optional[bool] = ..., default_value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., raw: _Optional[bool] = ..., literal: _Optional[bool] = ..., declared: _Optional[bool] = ...) -> None: ...

class TemplateVersion(_message.Message):
    __slots__ = ("version", "name", "kind", "content", "review_state", "submit_time", "reviewer", "review_time", "review_reason", "create_time", "author", "restored_version")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    REVIEW_STATE_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_TIME_FIELD_NUMBER: _ClassVar[int]
    REVIEWER_FIELD_NUMBER: _ClassVar[int]
    REVIEW_TIME_FIELD_NUMBER: _ClassVar[int]
    REVIEW_REASON_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    RESTORED_VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    name: str
    kind: TemplateKind
    content: TemplateContent
    review_state: ReviewState
    submit_time: _timestamp_pb2.Timestamp
    reviewer: str
    review_time: _timestamp_pb2.Timestamp
    review_reason: str
    create_time: _timestamp_pb2.Timestamp
    author: str
    restored_version: int
    def __init__(self, version: _Optional[int] = ..., name: _Optional[str] = ..., kind: _Optional[_Union[TemplateKind, str]] = ..., content: _Optional[_Union[TemplateContent, _Mapping]] = ..., review_state: _Optional[_Union[ReviewState, str]] = ..., submit_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reviewer: _Optional[str] = ..., review_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., review_reason: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., author: _Optional[str] = ..., restored_version: _Optional[int] = ...) -> None: ...
