from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AudienceType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIENCE_TYPE_UNSPECIFIED: _ClassVar[AudienceType]
    AUDIENCE_TYPE_TENANT: _ClassVar[AudienceType]
    AUDIENCE_TYPE_DEPT: _ClassVar[AudienceType]
    AUDIENCE_TYPE_GROUP: _ClassVar[AudienceType]
    AUDIENCE_TYPE_USER: _ClassVar[AudienceType]
    AUDIENCE_TYPE_POLICY: _ClassVar[AudienceType]
    AUDIENCE_TYPE_TO_POLICY: _ClassVar[AudienceType]
    AUDIENCE_TYPE_ALL: _ClassVar[AudienceType]
AUDIENCE_TYPE_UNSPECIFIED: AudienceType
AUDIENCE_TYPE_TENANT: AudienceType
AUDIENCE_TYPE_DEPT: AudienceType
AUDIENCE_TYPE_GROUP: AudienceType
AUDIENCE_TYPE_USER: AudienceType
AUDIENCE_TYPE_POLICY: AudienceType
AUDIENCE_TYPE_TO_POLICY: AudienceType
AUDIENCE_TYPE_ALL: AudienceType

class Audience(_message.Message):
    __slots__ = ("type", "object_ids", "policy_codes")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    OBJECT_IDS_FIELD_NUMBER: _ClassVar[int]
    POLICY_CODES_FIELD_NUMBER: _ClassVar[int]
    type: AudienceType
    object_ids: _containers.RepeatedScalarFieldContainer[int]
    policy_codes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, type: _Optional[_Union[AudienceType, str]] = ..., object_ids: _Optional[_Iterable[int]] = ..., policy_codes: _Optional[_Iterable[str]] = ...) -> None: ...

class AudienceProgress(_message.Message):
    __slots__ = ("found", "queued", "done", "complete", "unknown_object_ids", "unknown_policy_codes")
    FOUND_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_OBJECT_IDS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_POLICY_CODES_FIELD_NUMBER: _ClassVar[int]
    found: int
    queued: int
    done: int
    complete: bool
    unknown_object_ids: _containers.RepeatedScalarFieldContainer[int]
    unknown_policy_codes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, found: _Optional[int] = ..., queued: _Optional[int] = ..., done: _Optional[int] = ..., complete: _Optional[bool] = ..., unknown_object_ids: _Optional[_Iterable[int]] = ..., unknown_policy_codes: _Optional[_Iterable[str]] = ...) -> None: ...
