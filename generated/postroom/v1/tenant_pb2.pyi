import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TenantState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TENANT_STATE_UNSPECIFIED: _ClassVar[TenantState]
    TENANT_STATE_ACTIVE: _ClassVar[TenantState]
    TENANT_STATE_PAUSED: _ClassVar[TenantState]

class ReviewMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVIEW_MODE_UNSPECIFIED: _ClassVar[ReviewMode]
    REVIEW_MODE_AUTO: _ClassVar[ReviewMode]
    REVIEW_MODE_MANUAL: _ClassVar[ReviewMode]
TENANT_STATE_UNSPECIFIED: TenantState
TENANT_STATE_ACTIVE: TenantState
TENANT_STATE_PAUSED: TenantState
REVIEW_MODE_UNSPECIFIED: ReviewMode
REVIEW_MODE_AUTO: ReviewMode
REVIEW_MODE_MANUAL: ReviewMode

class Tenant(_message.Message):
    __slots__ = ("id", "name", "state", "sender_domains", "review_mode", "default_language", "from_address", "from_name", "content_retention", "metadata_retention", "limits", "create_time", "update_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SENDER_DOMAINS_FIELD_NUMBER: _ClassVar[int]
    REVIEW_MODE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    FROM_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    FROM_NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_RETENTION_FIELD_NUMBER: _ClassVar[int]
    METADATA_RETENTION_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: int
    name: str
    state: TenantState
    sender_domains: _containers.RepeatedScalarFieldContainer[str]
    review_mode: ReviewMode
    default_language: str
    from_address: str
    from_name: str
    content_retention: _duration_pb2.Duration
    metadata_retention: _duration_pb2.Duration
    limits: TenantLimits
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[int] = ..., name: _Optional[str] = ..., state: _Optional[_Union[TenantState, str]] = ..., sender_domains: _Optional[_Iterable[str]] = ..., review_mode: _Optional[_Union[ReviewMode, str]] = ..., default_language: _Optional[str] = ..., from_address: _Optional[str] = ..., from_name: _Optional[str] = ..., content_retention: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., metadata_retention: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., limits: _Optional[_Union[TenantLimits, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TenantLimits(_message.Message):
    __slots__ = ("max_pending_emails", "max_templates", "max_mail_servers", "urgent_per_minute", "urgent_burst")
    MAX_PENDING_EMAILS_FIELD_NUMBER: _ClassVar[int]
    MAX_TEMPLATES_FIELD_NUMBER: _ClassVar[int]
    MAX_MAIL_SERVERS_FIELD_NUMBER: _ClassVar[int]
    URGENT_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    URGENT_BURST_FIELD_NUMBER: _ClassVar[int]
    max_pending_emails: int
    max_templates: int
    max_mail_servers: int
    urgent_per_minute: int
    urgent_burst: int
    def __init__(self, max_pending_emails: _Optional[int] = ..., max_templates: _Optional[int] = ..., max_mail_servers: _Optional[int] = ..., urgent_per_minute: _Optional[int] = ..., urgent_burst: _Optional[int] = ...) -> None: ...
