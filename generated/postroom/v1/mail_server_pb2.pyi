import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import attempt_pb2 as _attempt_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BreakerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_STATE_UNSPECIFIED: _ClassVar[BreakerState]
    BREAKER_STATE_CLOSED: _ClassVar[BreakerState]
    BREAKER_STATE_OPEN: _ClassVar[BreakerState]
    BREAKER_STATE_HALF_OPEN: _ClassVar[BreakerState]

class TlsMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TLS_MODE_UNSPECIFIED: _ClassVar[TlsMode]
    TLS_MODE_REQUIRED: _ClassVar[TlsMode]
    TLS_MODE_IMPLICIT: _ClassVar[TlsMode]
    TLS_MODE_OPPORTUNISTIC: _ClassVar[TlsMode]
    TLS_MODE_OFF: _ClassVar[TlsMode]

class AuthMechanism(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUTH_MECHANISM_UNSPECIFIED: _ClassVar[AuthMechanism]
    AUTH_MECHANISM_AUTO: _ClassVar[AuthMechanism]
    AUTH_MECHANISM_PLAIN: _ClassVar[AuthMechanism]
    AUTH_MECHANISM_LOGIN: _ClassVar[AuthMechanism]
    AUTH_MECHANISM_NONE: _ClassVar[AuthMechanism]

class MailServerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MAIL_SERVER_STATE_UNSPECIFIED: _ClassVar[MailServerState]
    MAIL_SERVER_STATE_ENABLED: _ClassVar[MailServerState]
    MAIL_SERVER_STATE_DISABLED: _ClassVar[MailServerState]
    MAIL_SERVER_STATE_PAUSED: _ClassVar[MailServerState]
BREAKER_STATE_UNSPECIFIED: BreakerState
BREAKER_STATE_CLOSED: BreakerState
BREAKER_STATE_OPEN: BreakerState
BREAKER_STATE_HALF_OPEN: BreakerState
TLS_MODE_UNSPECIFIED: TlsMode
TLS_MODE_REQUIRED: TlsMode
TLS_MODE_IMPLICIT: TlsMode
TLS_MODE_OPPORTUNISTIC: TlsMode
TLS_MODE_OFF: TlsMode
AUTH_MECHANISM_UNSPECIFIED: AuthMechanism
AUTH_MECHANISM_AUTO: AuthMechanism
AUTH_MECHANISM_PLAIN: AuthMechanism
AUTH_MECHANISM_LOGIN: AuthMechanism
AUTH_MECHANISM_NONE: AuthMechanism
MAIL_SERVER_STATE_UNSPECIFIED: MailServerState
MAIL_SERVER_STATE_ENABLED: MailServerState
MAIL_SERVER_STATE_DISABLED: MailServerState
MAIL_SERVER_STATE_PAUSED: MailServerState

class MailServer(_message.Message):
    __slots__ = ("id", "tenant_id", "name", "host", "port", "tls_mode", "auth_mechanism", "username", "password", "has_password", "state", "priority", "weight", "max_connections", "messages_per_second", "allowed_senders", "from_address", "from_name", "subject_prefix", "breaker", "create_time", "update_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    TLS_MODE_FIELD_NUMBER: _ClassVar[int]
    AUTH_MECHANISM_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    HAS_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    MAX_CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_SENDERS_FIELD_NUMBER: _ClassVar[int]
    FROM_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    FROM_NAME_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_PREFIX_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: int
    tenant_id: int
    name: str
    host: str
    port: int
    tls_mode: TlsMode
    auth_mechanism: AuthMechanism
    username: str
    password: str
    has_password: bool
    state: MailServerState
    priority: int
    weight: int
    max_connections: int
    messages_per_second: float
    allowed_senders: _containers.RepeatedScalarFieldContainer[str]
    from_address: str
    from_name: str
    subject_prefix: str
    breaker: Breaker
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[int] = ..., tenant_id: _Optional[int] = ..., name: _Optional[str] = ..., host: _Optional[str] = ..., port: _Optional[int] = ..., tls_mode: _Optional[_Union[TlsMode, str]] = ..., auth_mechanism: _Optional[_Union[AuthMechanism, str]] = ..., username: _Optional[str] = ..., password: _Optional[str] = ..., has_password: _Optional[bool] = ..., state: _Optional[_Union[MailServerState, str]] = ..., priority: _Optional[int] = ..., weight: _Optional[int] = ..., max_connections: _Optional[int] = ..., messages_per_second: _Optional[float] = ..., allowed_senders: _Optional[_Iterable[str]] = ..., from_address: _Optional[str] = ..., from_name: _Optional[str] = ..., subject_prefix: _Optional[str] = ..., breaker: _Optional[_Union[Breaker, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Breaker(_message.Message):
    __slots__ = ("state", "failure_count", "reopen_time", "phase", "reply")
    STATE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    REOPEN_TIME_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    state: BreakerState
    failure_count: int
    reopen_time: _timestamp_pb2.Timestamp
    phase: _attempt_pb2.SmtpPhase
    reply: str
    def __init__(self, state: _Optional[_Union[BreakerState, str]] = ..., failure_count: _Optional[int] = ..., reopen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., phase: _Optional[_Union[_attempt_pb2.SmtpPhase, str]] = ..., reply: _Optional[str] = ...) -> None: ...
