import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import attachment_pb2 as _attachment_pb2
from postroom.v1 import attempt_pb2 as _attempt_pb2
from postroom.v1 import audience_pb2 as _audience_pb2
from postroom.v1 import recipient_pb2 as _recipient_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EmailView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EMAIL_VIEW_UNSPECIFIED: _ClassVar[EmailView]
    EMAIL_VIEW_BASIC: _ClassVar[EmailView]
    EMAIL_VIEW_DETAIL: _ClassVar[EmailView]

class EmailState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EMAIL_STATE_UNSPECIFIED: _ClassVar[EmailState]
    EMAIL_STATE_PENDING: _ClassVar[EmailState]
    EMAIL_STATE_SUCCESS: _ClassVar[EmailState]
    EMAIL_STATE_FAILURE: _ClassVar[EmailState]

class EmailFailure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EMAIL_FAILURE_UNSPECIFIED: _ClassVar[EmailFailure]
    EMAIL_FAILURE_RECIPIENTS: _ClassVar[EmailFailure]
    EMAIL_FAILURE_NO_RECIPIENTS: _ClassVar[EmailFailure]
    EMAIL_FAILURE_ATTACHMENT: _ClassVar[EmailFailure]

class BodyKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BODY_KIND_UNSPECIFIED: _ClassVar[BodyKind]
    BODY_KIND_TEMPLATE: _ClassVar[BodyKind]
    BODY_KIND_CUSTOM: _ClassVar[BodyKind]

class CopyMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COPY_MODE_UNSPECIFIED: _ClassVar[CopyMode]
    COPY_MODE_SHARED: _ClassVar[CopyMode]
    COPY_MODE_SEPARATE: _ClassVar[CopyMode]

class Guarantee(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GUARANTEE_UNSPECIFIED: _ClassVar[Guarantee]
    GUARANTEE_AT_LEAST_ONCE: _ClassVar[Guarantee]
    GUARANTEE_AT_MOST_ONCE: _ClassVar[Guarantee]
EMAIL_VIEW_UNSPECIFIED: EmailView
EMAIL_VIEW_BASIC: EmailView
EMAIL_VIEW_DETAIL: EmailView
EMAIL_STATE_UNSPECIFIED: EmailState
EMAIL_STATE_PENDING: EmailState
EMAIL_STATE_SUCCESS: EmailState
EMAIL_STATE_FAILURE: EmailState
EMAIL_FAILURE_UNSPECIFIED: EmailFailure
EMAIL_FAILURE_RECIPIENTS: EmailFailure
EMAIL_FAILURE_NO_RECIPIENTS: EmailFailure
EMAIL_FAILURE_ATTACHMENT: EmailFailure
BODY_KIND_UNSPECIFIED: BodyKind
BODY_KIND_TEMPLATE: BodyKind
BODY_KIND_CUSTOM: BodyKind
COPY_MODE_UNSPECIFIED: CopyMode
COPY_MODE_SHARED: CopyMode
COPY_MODE_SEPARATE: CopyMode
GUARANTEE_UNSPECIFIED: Guarantee
GUARANTEE_AT_LEAST_ONCE: Guarantee
GUARANTEE_AT_MOST_ONCE: Guarantee

class Email(_message.Message):
    __slots__ = ("id", "tenant_id", "sender_user_id", "out_id", "biz_key", "body_kind", "invoke_name", "template_version", "language", "template_language", "subject", "from_address", "from_name", "reply_to", "to", "cc", "bcc", "audience", "audience_progress", "html", "verification", "validity", "state", "failure", "failure_message", "accept_time", "schedule_time", "expire_time", "settle_time", "urgent", "copy_mode", "guarantee", "labels", "headers", "test", "counts", "ambiguous_count", "held_count", "content", "purge_time", "recipients", "attempts", "ignore_suppression")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_USER_ID_FIELD_NUMBER: _ClassVar[int]
    OUT_ID_FIELD_NUMBER: _ClassVar[int]
    BIZ_KEY_FIELD_NUMBER: _ClassVar[int]
    BODY_KIND_FIELD_NUMBER: _ClassVar[int]
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_VERSION_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    FROM_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    FROM_NAME_FIELD_NUMBER: _ClassVar[int]
    REPLY_TO_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    CC_FIELD_NUMBER: _ClassVar[int]
    BCC_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    HTML_FIELD_NUMBER: _ClassVar[int]
    VERIFICATION_FIELD_NUMBER: _ClassVar[int]
    VALIDITY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    SETTLE_TIME_FIELD_NUMBER: _ClassVar[int]
    URGENT_FIELD_NUMBER: _ClassVar[int]
    COPY_MODE_FIELD_NUMBER: _ClassVar[int]
    GUARANTEE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    TEST_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    AMBIGUOUS_COUNT_FIELD_NUMBER: _ClassVar[int]
    HELD_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    PURGE_TIME_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    IGNORE_SUPPRESSION_FIELD_NUMBER: _ClassVar[int]
    id: int
    tenant_id: int
    sender_user_id: int
    out_id: str
    biz_key: str
    body_kind: BodyKind
    invoke_name: str
    template_version: int
    language: str
    template_language: str
    subject: str
    from_address: str
    from_name: str
    reply_to: _containers.RepeatedScalarFieldContainer[str]
    to: _containers.RepeatedScalarFieldContainer[str]
    cc: _containers.RepeatedScalarFieldContainer[str]
    bcc: _containers.RepeatedScalarFieldContainer[str]
    audience: _audience_pb2.Audience
    audience_progress: _audience_pb2.AudienceProgress
    html: bool
    verification: bool
    validity: _duration_pb2.Duration
    state: EmailState
    failure: EmailFailure
    failure_message: str
    accept_time: _timestamp_pb2.Timestamp
    schedule_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    settle_time: _timestamp_pb2.Timestamp
    urgent: bool
    copy_mode: CopyMode
    guarantee: Guarantee
    labels: _containers.ScalarMap[str, str]
    headers: _containers.ScalarMap[str, str]
    test: bool
    counts: _recipient_pb2.RecipientCounts
    ambiguous_count: int
    held_count: int
    content: EmailContent
    purge_time: _timestamp_pb2.Timestamp
    recipients: _containers.RepeatedCompositeFieldContainer[_recipient_pb2.Recipient]
    attempts: _containers.RepeatedCompositeFieldContainer[_attempt_pb2.Attempt]
    ignore_suppression: bool
    def __init__(self, id: _Optional[int] = ..., tenant_id: _Optional[int] = ..., sender_user_id: _Optional[int] = ..., out_id: _Optional[str] = ..., biz_key: _Optional[str] = ..., body_kind: _Optional[_Union[BodyKind, str]] = ..., invoke_name: _Optional[str] = ..., template_version: _Optional[int] = ..., language: _Optional[str] = ..., template_language: _Optional[str] = ..., subject: _Optional[str] = ..., from_address: _Optional[str] = ..., from_name: _Optional[str] = ..., reply_to: _Optional[_Iterable[str]] = ..., to: _Optional[_Iterable[str]] = ..., cc: _Optional[_Iterable[str]] = ..., bcc: _Optional[_Iterable[str]] = ..., audience: _Optional[_Union[_audience_pb2.Audience, _Mapping]] = ..., audience_progress: _Optional[_Union[_audience_pb2.AudienceProgress, _Mapping]] = ..., html: _Optional[bool] = ..., verification: _Optional[bool] = ..., validity: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., state: _Optional[_Union[EmailState, str]] = ..., failure: _Optional[_Union[EmailFailure, str]] = ..., failure_message: _Optional[str] = ..., accept_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., schedule_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., settle_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., urgent: _Optional[bool] = ..., copy_mode: _Optional[_Union[CopyMode, str]] = ..., guarantee: _Optional[_Union[Guarantee, str]] = ..., labels: _Optional[_Mapping[str, str]] = ..., headers: _Optional[_Mapping[str, str]] = ..., test: _Optional[bool] = ..., counts: _Optional[_Union[_recipient_pb2.RecipientCounts, _Mapping]] = ..., ambiguous_count: _Optional[int] = ..., held_count: _Optional[int] = ..., content: _Optional[_Union[EmailContent, _Mapping]] = ..., purge_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., recipients: _Optional[_Iterable[_Union[_recipient_pb2.Recipient, _Mapping]]] = ..., attempts: _Optional[_Iterable[_Union[_attempt_pb2.Attempt, _Mapping]]] = ..., ignore_suppression: _Optional[bool] = ...) -> None: ...

class EmailContent(_message.Message):
    __slots__ = ("html", "text", "params", "recipient_params", "attachments")
    class RecipientParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _struct_pb2.Struct
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
    HTML_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_PARAMS_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
    html: str
    text: str
    params: _struct_pb2.Struct
    recipient_params: _containers.MessageMap[str, _struct_pb2.Struct]
    attachments: _containers.RepeatedCompositeFieldContainer[_attachment_pb2.AttachmentInfo]
    def __init__(self, html: _Optional[str] = ..., text: _Optional[str] = ..., params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., recipient_params: _Optional[_Mapping[str, _struct_pb2.Struct]] = ..., attachments: _Optional[_Iterable[_Union[_attachment_pb2.AttachmentInfo, _Mapping]]] = ...) -> None: ...
