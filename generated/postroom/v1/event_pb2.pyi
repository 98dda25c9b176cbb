import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import attempt_pb2 as _attempt_pb2
from postroom.v1 import audience_pb2 as _audience_pb2
from postroom.v1 import email_pb2 as _email_pb2
from postroom.v1 import recipient_pb2 as _recipient_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_EMAIL_ACCEPTED: _ClassVar[EventKind]
    EVENT_KIND_EMAIL_SETTLED: _ClassVar[EventKind]
    EVENT_KIND_EMAIL_RESCHEDULED: _ClassVar[EventKind]
    EVENT_KIND_EMAIL_CANCELLED: _ClassVar[EventKind]
    EVENT_KIND_EMAIL_DELETED: _ClassVar[EventKind]
    EVENT_KIND_EMAIL_RETRIED: _ClassVar[EventKind]
    EVENT_KIND_AUDIENCE_PROGRESS: _ClassVar[EventKind]
    EVENT_KIND_RECIPIENT_SETTLED: _ClassVar[EventKind]
    EVENT_KIND_RECIPIENT_BOUNCED: _ClassVar[EventKind]
    EVENT_KIND_ATTEMPT_FINISHED: _ClassVar[EventKind]
    EVENT_KIND_ATTEMPT_LATE: _ClassVar[EventKind]
    EVENT_KIND_DELIVERY_HELD: _ClassVar[EventKind]
    EVENT_KIND_DELIVERY_RELEASED: _ClassVar[EventKind]
    EVENT_KIND_DELIVERY_RESCUED: _ClassVar[EventKind]
    EVENT_KIND_CODE_SETTLED: _ClassVar[EventKind]
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_EMAIL_ACCEPTED: EventKind
EVENT_KIND_EMAIL_SETTLED: EventKind
EVENT_KIND_EMAIL_RESCHEDULED: EventKind
EVENT_KIND_EMAIL_CANCELLED: EventKind
EVENT_KIND_EMAIL_DELETED: EventKind
EVENT_KIND_EMAIL_RETRIED: EventKind
EVENT_KIND_AUDIENCE_PROGRESS: EventKind
EVENT_KIND_RECIPIENT_SETTLED: EventKind
EVENT_KIND_RECIPIENT_BOUNCED: EventKind
EVENT_KIND_ATTEMPT_FINISHED: EventKind
EVENT_KIND_ATTEMPT_LATE: EventKind
EVENT_KIND_DELIVERY_HELD: EventKind
EVENT_KIND_DELIVERY_RELEASED: EventKind
EVENT_KIND_DELIVERY_RESCUED: EventKind
EVENT_KIND_CODE_SETTLED: EventKind

class Event(_message.Message):
    __slots__ = ("cursor", "kind", "time", "tenant_id", "email_id", "delivery_id", "recipient_id", "out_id", "labels", "email_state", "recipient_state", "attempt_outcome", "phase", "code", "enhanced_code", "ambiguous", "server_id", "audience_progress")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ID_FIELD_NUMBER: _ClassVar[int]
    OUT_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    EMAIL_STATE_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ENHANCED_CODE_FIELD_NUMBER: _ClassVar[int]
    AMBIGUOUS_FIELD_NUMBER: _ClassVar[int]
    SERVER_ID_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    kind: EventKind
    time: _timestamp_pb2.Timestamp
    tenant_id: int
    email_id: int
    delivery_id: int
    recipient_id: int
    out_id: str
    labels: _containers.ScalarMap[str, str]
    email_state: _email_pb2.EmailState
    recipient_state: _recipient_pb2.RecipientState
    attempt_outcome: _attempt_pb2.AttemptOutcome
    phase: _attempt_pb2.SmtpPhase
    code: int
    enhanced_code: str
    ambiguous: bool
    server_id: int
    audience_progress: _audience_pb2.AudienceProgress
    def __init__(self, cursor: _Optional[str] = ..., kind: _Optional[_Union[EventKind, str]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tenant_id: _Optional[int] = ..., email_id: _Optional[int] = ..., delivery_id: _Optional[int] = ..., recipient_id: _Optional[int] = ..., out_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., email_state: _Optional[_Union[_email_pb2.EmailState, str]] = ..., recipient_state: _Optional[_Union[_recipient_pb2.RecipientState, str]] = ..., attempt_outcome: _Optional[_Union[_attempt_pb2.AttemptOutcome, str]] = ..., phase: _Optional[_Union[_attempt_pb2.SmtpPhase, str]] = ..., code: _Optional[int] = ..., enhanced_code: _Optional[str] = ..., ambiguous: _Optional[bool] = ..., server_id: _Optional[int] = ..., audience_progress: _Optional[_Union[_audience_pb2.AudienceProgress, _Mapping]] = ...) -> None: ...

class EventFilter(_message.Message):
    __slots__ = ("kinds", "email_ids", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KINDS_FIELD_NUMBER: _ClassVar[int]
    EMAIL_IDS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedScalarFieldContainer[EventKind]
    email_ids: _containers.RepeatedScalarFieldContainer[int]
    labels: _containers.ScalarMap[str, str]
    def __init__(self, kinds: _Optional[_Iterable[_Union[EventKind, str]]] = ..., email_ids: _Optional[_Iterable[int]] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...
