import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Binding(_message.Message):
    __slots__ = ("tenant_id", "biz_key", "invoke_name", "update_time")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    BIZ_KEY_FIELD_NUMBER: _ClassVar[int]
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    tenant_id: int
    biz_key: str
    invoke_name: str
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, tenant_id: _Optional[int] = ..., biz_key: _Optional[str] = ..., invoke_name: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
