import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SuppressionReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUPPRESSION_REASON_UNSPECIFIED: _ClassVar[SuppressionReason]
    SUPPRESSION_REASON_MANUAL: _ClassVar[SuppressionReason]
    SUPPRESSION_REASON_REFUSED: _ClassVar[SuppressionReason]
    SUPPRESSION_REASON_BOUNCED: _ClassVar[SuppressionReason]
    SUPPRESSION_REASON_UNSUBSCRIBED: _ClassVar[SuppressionReason]
    SUPPRESSION_REASON_COMPLAINED: _ClassVar[SuppressionReason]
SUPPRESSION_REASON_UNSPECIFIED: SuppressionReason
SUPPRESSION_REASON_MANUAL: SuppressionReason
SUPPRESSION_REASON_REFUSED: SuppressionReason
SUPPRESSION_REASON_BOUNCED: SuppressionReason
SUPPRESSION_REASON_UNSUBSCRIBED: SuppressionReason
SUPPRESSION_REASON_COMPLAINED: SuppressionReason

class Suppression(_message.Message):
    __slots__ = ("id", "tenant_id", "address", "reason", "note", "email_id", "create_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    EMAIL_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: int
    tenant_id: int
    address: str
    reason: SuppressionReason
    note: str
    email_id: int
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[int] = ..., tenant_id: _Optional[int] = ..., address: _Optional[str] = ..., reason: _Optional[_Union[SuppressionReason, str]] = ..., note: _Optional[str] = ..., email_id: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Unsubscription(_message.Message):
    __slots__ = ("masked_address", "sender", "language", "unsubscribed")
    MASKED_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    UNSUBSCRIBED_FIELD_NUMBER: _ClassVar[int]
    masked_address: str
    sender: str
    language: str
    unsubscribed: bool
    def __init__(self, masked_address: _Optional[str] = ..., sender: _Optional[str] = ..., language: _Optional[str] = ..., unsubscribed: _Optional[bool] = ...) -> None: ...
