import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DkimAlgorithm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DKIM_ALGORITHM_UNSPECIFIED: _ClassVar[DkimAlgorithm]
    DKIM_ALGORITHM_RSA_SHA256: _ClassVar[DkimAlgorithm]
    DKIM_ALGORITHM_ED25519_SHA256: _ClassVar[DkimAlgorithm]
DKIM_ALGORITHM_UNSPECIFIED: DkimAlgorithm
DKIM_ALGORITHM_RSA_SHA256: DkimAlgorithm
DKIM_ALGORITHM_ED25519_SHA256: DkimAlgorithm

class DkimKey(_message.Message):
    __slots__ = ("id", "tenant_id", "domain", "selector", "algorithm", "start_time", "dns_name", "dns_text", "create_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    DNS_NAME_FIELD_NUMBER: _ClassVar[int]
    DNS_TEXT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: int
    tenant_id: int
    domain: str
    selector: str
    algorithm: DkimAlgorithm
    start_time: _timestamp_pb2.Timestamp
    dns_name: str
    dns_text: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[int] = ..., tenant_id: _Optional[int] = ..., domain: _Optional[str] = ..., selector: _Optional[str] = ..., algorithm: _Optional[_Union[DkimAlgorithm, str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dns_name: _Optional[str] = ..., dns_text: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
