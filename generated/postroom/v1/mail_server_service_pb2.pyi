from google.protobuf import field_mask_pb2 as _field_mask_pb2
from postroom.v1 import filter_pb2 as _filter_pb2
from postroom.v1 import mail_server_pb2 as _mail_server_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateMailServerRequest(_message.Message):
    __slots__ = ("mail_server", "tenant_id")
    MAIL_SERVER_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    mail_server: _mail_server_pb2.MailServer
    tenant_id: int
    def __init__(self, mail_server: _Optional[_Union[_mail_server_pb2.MailServer, _Mapping]] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class CreateMailServerResponse(_message.Message):
    __slots__ = ("mail_server",)
    MAIL_SERVER_FIELD_NUMBER: _ClassVar[int]
    mail_server: _mail_server_pb2.MailServer
    def __init__(self, mail_server: _Optional[_Union[_mail_server_pb2.MailServer, _Mapping]] = ...) -> None: ...

class GetMailServerRequest(_message.Message):
    __slots__ = ("id", "tenant_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    tenant_id: int
    def __init__(self, id: _Optional[int] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class GetMailServerResponse(_message.Message):
    __slots__ = ("mail_server",)
    MAIL_SERVER_FIELD_NUMBER: _ClassVar[int]
    mail_server: _mail_server_pb2.MailServer
    def __init__(self, mail_server: _Optional[_Union[_mail_server_pb2.MailServer, _Mapping]] = ...) -> None: ...

class ListMailServersRequest(_message.Message):
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

class ListMailServersResponse(_message.Message):
    __slots__ = ("mail_servers", "next_page_token", "total_size", "total_is_lower_bound")
    MAIL_SERVERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_IS_LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    mail_servers: _containers.RepeatedCompositeFieldContainer[_mail_server_pb2.MailServer]
    next_page_token: str
    total_size: int
    total_is_lower_bound: bool
    def __init__(self, mail_servers: _Optional[_Iterable[_Union[_mail_server_pb2.MailServer, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., total_is_lower_bound: _Optional[bool] = ...) -> None: ...

class UpdateMailServerRequest(_message.Message):
    __slots__ = ("mail_server", "update_mask", "tenant_id")
    MAIL_SERVER_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    mail_server: _mail_server_pb2.MailServer
    update_mask: _field_mask_pb2.FieldMask
    tenant_id: int
    def __init__(self, mail_server: _Optional[_Union[_mail_server_pb2.MailServer, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class UpdateMailServerResponse(_message.Message):
    __slots__ = ("mail_server",)
    MAIL_SERVER_FIELD_NUMBER: _ClassVar[int]
    mail_server: _mail_server_pb2.MailServer
    def __init__(self, mail_server: _Optional[_Union[_mail_server_pb2.MailServer, _Mapping]] = ...) -> None: ...

class DeleteMailServerRequest(_message.Message):
    __slots__ = ("id", "tenant_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    tenant_id: int
    def __init__(self, id: _Optional[int] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class DeleteMailServerResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
