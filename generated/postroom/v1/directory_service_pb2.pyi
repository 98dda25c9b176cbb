from postroom.v1 import filter_pb2 as _filter_pb2
from postroom.v1 import member_pb2 as _member_pb2
from postroom.v1 import refusal_pb2 as _refusal_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BatchUpsertMembersRequest(_message.Message):
    __slots__ = ("members", "tenant_id")
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedCompositeFieldContainer[_member_pb2.Member]
    tenant_id: int
    def __init__(self, members: _Optional[_Iterable[_Union[_member_pb2.Member, _Mapping]]] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class BatchUpsertMembersResponse(_message.Message):
    __slots__ = ("created_count", "updated_count", "refused")
    CREATED_COUNT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    created_count: int
    updated_count: int
    refused: _containers.RepeatedCompositeFieldContainer[RefusedMember]
    def __init__(self, created_count: _Optional[int] = ..., updated_count: _Optional[int] = ..., refused: _Optional[_Iterable[_Union[RefusedMember, _Mapping]]] = ...) -> None: ...

class RefusedMember(_message.Message):
    __slots__ = ("index", "refusal")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    index: int
    refusal: _refusal_pb2.Refusal
    def __init__(self, index: _Optional[int] = ..., refusal: _Optional[_Union[_refusal_pb2.Refusal, _Mapping]] = ...) -> None: ...

class ListMembersRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "skip", "count", "filters", "order_by", "tenant_id")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    skip: int
    count: _filter_pb2.Count
    filters: _containers.RepeatedCompositeFieldContainer[_filter_pb2.Filter]
    order_by: str
    tenant_id: int
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., skip: _Optional[int] = ..., count: _Optional[_Union[_filter_pb2.Count, str]] = ..., filters: _Optional[_Iterable[_Union[_filter_pb2.Filter, _Mapping]]] = ..., order_by: _Optional[str] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class ListMembersResponse(_message.Message):
    __slots__ = ("members", "next_page_token", "total_size", "total_is_lower_bound")
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_IS_LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedCompositeFieldContainer[_member_pb2.Member]
    next_page_token: str
    total_size: int
    total_is_lower_bound: bool
    def __init__(self, members: _Optional[_Iterable[_Union[_member_pb2.Member, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., total_is_lower_bound: _Optional[bool] = ...) -> None: ...

class BatchDeleteMembersRequest(_message.Message):
    __slots__ = ("user_ids", "tenant_id")
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    user_ids: _containers.RepeatedScalarFieldContainer[int]
    tenant_id: int
    def __init__(self, user_ids: _Optional[_Iterable[int]] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class BatchDeleteMembersResponse(_message.Message):
    __slots__ = ("deleted_count",)
    DELETED_COUNT_FIELD_NUMBER: _ClassVar[int]
    deleted_count: int
    def __init__(self, deleted_count: _Optional[int] = ...) -> None: ...
