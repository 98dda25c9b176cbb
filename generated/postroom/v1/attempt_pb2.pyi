import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SmtpPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SMTP_PHASE_UNSPECIFIED: _ClassVar[SmtpPhase]
    SMTP_PHASE_LOCAL: _ClassVar[SmtpPhase]
    SMTP_PHASE_RESOLVE: _ClassVar[SmtpPhase]
    SMTP_PHASE_CONNECT: _ClassVar[SmtpPhase]
    SMTP_PHASE_BANNER: _ClassVar[SmtpPhase]
    SMTP_PHASE_EHLO: _ClassVar[SmtpPhase]
    SMTP_PHASE_STARTTLS: _ClassVar[SmtpPhase]
    SMTP_PHASE_TLS: _ClassVar[SmtpPhase]
    SMTP_PHASE_AUTH: _ClassVar[SmtpPhase]
    SMTP_PHASE_MAIL: _ClassVar[SmtpPhase]
    SMTP_PHASE_RCPT: _ClassVar[SmtpPhase]
    SMTP_PHASE_DATA: _ClassVar[SmtpPhase]
    SMTP_PHASE_BODY: _ClassVar[SmtpPhase]
    SMTP_PHASE_DOT: _ClassVar[SmtpPhase]

class AttemptOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTEMPT_OUTCOME_UNSPECIFIED: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_DELIVERED: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_TRANSIENT: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_PERMANENT: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_CONNECTION: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_AMBIGUOUS: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_CRASHED: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_LOCAL: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_ABANDONED: _ClassVar[AttemptOutcome]
SMTP_PHASE_UNSPECIFIED: SmtpPhase
SMTP_PHASE_LOCAL: SmtpPhase
SMTP_PHASE_RESOLVE: SmtpPhase
SMTP_PHASE_CONNECT: SmtpPhase
SMTP_PHASE_BANNER: SmtpPhase
SMTP_PHASE_EHLO: SmtpPhase
SMTP_PHASE_STARTTLS: SmtpPhase
SMTP_PHASE_TLS: SmtpPhase
SMTP_PHASE_AUTH: SmtpPhase
SMTP_PHASE_MAIL: SmtpPhase
SMTP_PHASE_RCPT: SmtpPhase
SMTP_PHASE_DATA: SmtpPhase
SMTP_PHASE_BODY: SmtpPhase
SMTP_PHASE_DOT: SmtpPhase
ATTEMPT_OUTCOME_UNSPECIFIED: AttemptOutcome
ATTEMPT_OUTCOME_DELIVERED: AttemptOutcome
ATTEMPT_OUTCOME_TRANSIENT: AttemptOutcome
ATTEMPT_OUTCOME_PERMANENT: AttemptOutcome
ATTEMPT_OUTCOME_CONNECTION: AttemptOutcome
ATTEMPT_OUTCOME_AMBIGUOUS: AttemptOutcome
ATTEMPT_OUTCOME_CRASHED: AttemptOutcome
ATTEMPT_OUTCOME_LOCAL: AttemptOutcome
ATTEMPT_OUTCOME_ABANDONED: AttemptOutcome

class Attempt(_message.Message):
    __slots__ = ("id", "delivery_id", "server_id", "server_name", "phase", "outcome", "code", "enhanced_code", "reply", "tls_version", "start_time", "end_time", "accepted_count", "refused_count")
    ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    SERVER_ID_FIELD_NUMBER: _ClassVar[int]
    SERVER_NAME_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ENHANCED_CODE_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    TLS_VERSION_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_COUNT_FIELD_NUMBER: _ClassVar[int]
    id: int
    delivery_id: int
    server_id: int
    server_name: str
    phase: SmtpPhase
    outcome: AttemptOutcome
    code: int
    enhanced_code: str
    reply: str
    tls_version: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    accepted_count: int
    refused_count: int
    def __init__(self, id: _Optional[int] = ..., delivery_id: _Optional[int] = ..., server_id: _Optional[int] = ..., server_name: _Optional[str] = ..., phase: _Optional[_Union[SmtpPhase, str]] = ..., outcome: _Optional[_Union[AttemptOutcome, str]] = ..., code: _Optional[int] = ..., enhanced_code: _Optional[str] = ..., reply: _Optional[str] = ..., tls_version: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., accepted_count: _Optional[int] = ..., refused_count: _Optional[int] = ...) -> None: ...
