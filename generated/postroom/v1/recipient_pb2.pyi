import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecipientRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECIPIENT_ROLE_UNSPECIFIED: _ClassVar[RecipientRole]
    RECIPIENT_ROLE_TO: _ClassVar[RecipientRole]
    RECIPIENT_ROLE_CC: _ClassVar[RecipientRole]
    RECIPIENT_ROLE_BCC: _ClassVar[RecipientRole]

class RecipientState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECIPIENT_STATE_UNSPECIFIED: _ClassVar[RecipientState]
    RECIPIENT_STATE_OPEN: _ClassVar[RecipientState]
    RECIPIENT_STATE_DELIVERED: _ClassVar[RecipientState]
    RECIPIENT_STATE_REFUSED: _ClassVar[RecipientState]
    RECIPIENT_STATE_EXPIRED: _ClassVar[RecipientState]
    RECIPIENT_STATE_CANCELLED: _ClassVar[RecipientState]
    RECIPIENT_STATE_SUPPRESSED: _ClassVar[RecipientState]
    RECIPIENT_STATE_UNKNOWN: _ClassVar[RecipientState]
    RECIPIENT_STATE_BOUNCED: _ClassVar[RecipientState]

class DeliveryState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_STATE_UNSPECIFIED: _ClassVar[DeliveryState]
    DELIVERY_STATE_PREPARING: _ClassVar[DeliveryState]
    DELIVERY_STATE_READY: _ClassVar[DeliveryState]
    DELIVERY_STATE_LEASED: _ClassVar[DeliveryState]
    DELIVERY_STATE_DONE: _ClassVar[DeliveryState]
    DELIVERY_STATE_HELD: _ClassVar[DeliveryState]
    DELIVERY_STATE_CANCELLED: _ClassVar[DeliveryState]
RECIPIENT_ROLE_UNSPECIFIED: RecipientRole
RECIPIENT_ROLE_TO: RecipientRole
RECIPIENT_ROLE_CC: RecipientRole
RECIPIENT_ROLE_BCC: RecipientRole
RECIPIENT_STATE_UNSPECIFIED: RecipientState
RECIPIENT_STATE_OPEN: RecipientState
RECIPIENT_STATE_DELIVERED: RecipientState
RECIPIENT_STATE_REFUSED: RecipientState
RECIPIENT_STATE_EXPIRED: RecipientState
RECIPIENT_STATE_CANCELLED: RecipientState
RECIPIENT_STATE_SUPPRESSED: RecipientState
RECIPIENT_STATE_UNKNOWN: RecipientState
RECIPIENT_STATE_BOUNCED: RecipientState
DELIVERY_STATE_UNSPECIFIED: DeliveryState
DELIVERY_STATE_PREPARING: DeliveryState
DELIVERY_STATE_READY: DeliveryState
DELIVERY_STATE_LEASED: DeliveryState
DELIVERY_STATE_DONE: DeliveryState
DELIVERY_STATE_HELD: DeliveryState
DELIVERY_STATE_CANCELLED: DeliveryState

class Recipient(_message.Message):
    __slots__ = ("id", "email_id", "delivery_id", "address", "role", "state", "code", "enhanced_code", "reply", "tries", "settle_time", "delivery_state", "next_try_time", "message_id", "user_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ENHANCED_CODE_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    TRIES_FIELD_NUMBER: _ClassVar[int]
    SETTLE_TIME_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_STATE_FIELD_NUMBER: _ClassVar[int]
    NEXT_TRY_TIME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    email_id: int
    delivery_id: int
    address: str
    role: RecipientRole
    state: RecipientState
    code: int
    enhanced_code: str
    reply: str
    tries: int
    settle_time: _timestamp_pb2.Timestamp
    delivery_state: DeliveryState
    next_try_time: _timestamp_pb2.Timestamp
    message_id: str
    user_id: int
    def __init__(self, id: _Optional[int] = ..., email_id: _Optional[int] = ..., delivery_id: _Optional[int] = ..., address: _Optional[str] = ..., role: _Optional[_Union[RecipientRole, str]] = ..., state: _Optional[_Union[RecipientState, str]] = ..., code: _Optional[int] = ..., enhanced_code: _Optional[str] = ..., reply: _Optional[str] = ..., tries: _Optional[int] = ..., settle_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delivery_state: _Optional[_Union[DeliveryState, str]] = ..., next_try_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message_id: _Optional[str] = ..., user_id: _Optional[int] = ...) -> None: ...

class RecipientCounts(_message.Message):
    __slots__ = ("total", "open", "delivered", "refused", "expired", "cancelled", "suppressed", "unknown", "bounced")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    SUPPRESSED_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    BOUNCED_FIELD_NUMBER: _ClassVar[int]
    total: int
    open: int
    delivered: int
    refused: int
    expired: int
    cancelled: int
    suppressed: int
    unknown: int
    bounced: int
    def __init__(self, total: _Optional[int] = ..., open: _Optional[int] = ..., delivered: _Optional[int] = ..., refused: _Optional[int] = ..., expired: _Optional[int] = ..., cancelled: _Optional[int] = ..., suppressed: _Optional[int] = ..., unknown: _Optional[int] = ..., bounced: _Optional[int] = ...) -> None: ...
