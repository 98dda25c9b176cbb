from google.protobuf import field_mask_pb2 as _field_mask_pb2
from postroom.v1 import dkim_key_pb2 as _dkim_key_pb2
from postroom.v1 import filter_pb2 as _filter_pb2
from postroom.v1 import tenant_pb2 as _tenant_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateTenantRequest(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: _tenant_pb2.Tenant
    def __init__(self, tenant: _Optional[_Union[_tenant_pb2.Tenant, _Mapping]] = ...) -> None: ...

class CreateTenantResponse(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: _tenant_pb2.Tenant
    def __init__(self, tenant: _Optional[_Union[_tenant_pb2.Tenant, _Mapping]] = ...) -> None: ...

class GetTenantRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class GetTenantResponse(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: _tenant_pb2.Tenant
    def __init__(self, tenant: _Optional[_Union[_tenant_pb2.Tenant, _Mapping]] = ...) -> None: ...

class ListTenantsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "skip", "count", "filters", "order_by")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    skip: int
    count: _filter_pb2.Count
    filters: _containers.RepeatedCompositeFieldContainer[_filter_pb2.Filter]
    order_by: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., skip: _Optional[int] = ..., count: _Optional[_Union[_filter_pb2.Count, str]] = ..., filters: _Optional[_Iterable[_Union[_filter_pb2.Filter, _Mapping]]] = ..., order_by: _Optional[str] = ...) -> None: ...

class ListTenantsResponse(_message.Message):
    __slots__ = ("tenants", "next_page_token", "total_size", "total_is_lower_bound")
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_IS_LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    tenants: _containers.RepeatedCompositeFieldContainer[_tenant_pb2.Tenant]
    next_page_token: str
    total_size: int
    total_is_lower_bound: bool
    def __init__(self, tenants: _Optional[_Iterable[_Union[_tenant_pb2.Tenant, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., total_is_lower_bound: _Optional[bool] = ...) -> None: ...

class UpdateTenantRequest(_message.Message):
    __slots__ = ("tenant", "update_mask")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    tenant: _tenant_pb2.Tenant
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, tenant: _Optional[_Union[_tenant_pb2.Tenant, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateTenantResponse(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: _tenant_pb2.Tenant
    def __init__(self, tenant: _Optional[_Union[_tenant_pb2.Tenant, _Mapping]] = ...) -> None: ...

class CreateDkimKeyRequest(_message.Message):
    __slots__ = ("dkim_key", "private_key", "tenant_id")
    DKIM_KEY_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_KEY_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    dkim_key: _dkim_key_pb2.DkimKey
    private_key: str
    tenant_id: int
    def __init__(self, dkim_key: _Optional[_Union[_dkim_key_pb2.DkimKey, _Mapping]] = ..., private_key: _Optional[str] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class CreateDkimKeyResponse(_message.Message):
    __slots__ = ("dkim_key",)
    DKIM_KEY_FIELD_NUMBER: _ClassVar[int]
    dkim_key: _dkim_key_pb2.DkimKey
    def __init__(self, dkim_key: _Optional[_Union[_dkim_key_pb2.DkimKey, _Mapping]] = ...) -> None: ...

class ListDkimKeysRequest(_message.Message):
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

class ListDkimKeysResponse(_message.Message):
    __slots__ = ("dkim_keys", "next_page_token", "total_size", "total_is_lower_bound")
    DKIM_KEYS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_IS_LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    dkim_keys: _containers.RepeatedCompositeFieldContainer[_dkim_key_pb2.DkimKey]
    next_page_token: str
    total_size: int
    total_is_lower_bound: bool
    def __init__(self, dkim_keys: _Optional[_Iterable[_Union[_dkim_key_pb2.DkimKey, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., total_is_lower_bound: _Optional[bool] = ...) -> None: ...

class DeleteDkimKeyRequest(_message.Message):
    __slots__ = ("id", "tenant_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    tenant_id: int
    def __init__(self, id: _Optional[int] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class DeleteDkimKeyResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EraseAddressRequest(_message.Message):
    __slots__ = ("address", "tenant_id")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    address: str
    tenant_id: int
    def __init__(self, address: _Optional[str] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class EraseAddressResponse(_message.Message):
    __slots__ = ("email_count", "recipient_count", "member_count")
    EMAIL_COUNT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    MEMBER_COUNT_FIELD_NUMBER: _ClassVar[int]
    email_count: int
    recipient_count: int
    member_count: int
    def __init__(self, email_count: _Optional[int] = ..., recipient_count: _Optional[int] = ..., member_count: _Optional[int] = ...) -> None: ...
