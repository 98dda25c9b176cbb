import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TokenScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_SCOPE_UNSPECIFIED: _ClassVar[TokenScope]
    TOKEN_SCOPE_SEND: _ClassVar[TokenScope]
    TOKEN_SCOPE_READ: _ClassVar[TokenScope]
    TOKEN_SCOPE_READ_CONTENT: _ClassVar[TokenScope]
    TOKEN_SCOPE_TEMPLATE: _ClassVar[TokenScope]
    TOKEN_SCOPE_TEMPLATE_REVIEW: _ClassVar[TokenScope]
    TOKEN_SCOPE_CODE: _ClassVar[TokenScope]
    TOKEN_SCOPE_SERVER: _ClassVar[TokenScope]
    TOKEN_SCOPE_DIRECTORY: _ClassVar[TokenScope]
    TOKEN_SCOPE_ADMIN: _ClassVar[TokenScope]
    TOKEN_SCOPE_PLATFORM: _ClassVar[TokenScope]
    TOKEN_SCOPE_SEND_ALL: _ClassVar[TokenScope]
TOKEN_SCOPE_UNSPECIFIED: TokenScope
TOKEN_SCOPE_SEND: TokenScope
TOKEN_SCOPE_READ: TokenScope
TOKEN_SCOPE_READ_CONTENT: TokenScope
TOKEN_SCOPE_TEMPLATE: TokenScope
TOKEN_SCOPE_TEMPLATE_REVIEW: TokenScope
TOKEN_SCOPE_CODE: TokenScope
TOKEN_SCOPE_SERVER: TokenScope
TOKEN_SCOPE_DIRECTORY: TokenScope
TOKEN_SCOPE_ADMIN: TokenScope
TOKEN_SCOPE_PLATFORM: TokenScope
TOKEN_SCOPE_SEND_ALL: TokenScope

class Token(_message.Message):
    __slots__ = ("id", "tenant_id", "name", "scopes", "user_id", "test", "api_user", "calls_per_minute", "expire_time", "last_used_time", "revoke_time", "create_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    TEST_FIELD_NUMBER: _ClassVar[int]
    API_USER_FIELD_NUMBER: _ClassVar[int]
    CALLS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_USED_TIME_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: int
    tenant_id: int
    name: str
    scopes: _containers.RepeatedScalarFieldContainer[TokenScope]
    user_id: int
    test: bool
    api_user: str
    calls_per_minute: int
    expire_time: _timestamp_pb2.Timestamp
    last_used_time: _timestamp_pb2.Timestamp
    revoke_time: _timestamp_pb2.Timestamp
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[int] = ..., tenant_id: _Optional[int] = ..., name: _Optional[str] = ..., scopes: _Optional[_Iterable[_Union[TokenScope, str]]] = ..., user_id: _Optional[int] = ..., test: _Optional[bool] = ..., api_user: _Optional[str] = ..., calls_per_minute: _Optional[int] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_used_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoke_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
