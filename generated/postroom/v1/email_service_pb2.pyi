import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import attachment_pb2 as _attachment_pb2
from postroom.v1 import attempt_pb2 as _attempt_pb2
from postroom.v1 import audience_pb2 as _audience_pb2
from postroom.v1 import email_pb2 as _email_pb2
from postroom.v1 import event_pb2 as _event_pb2
from postroom.v1 import filter_pb2 as _filter_pb2
from postroom.v1 import recipient_pb2 as _recipient_pb2
from postroom.v1 import refusal_pb2 as _refusal_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VerificationOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERIFICATION_OUTCOME_UNSPECIFIED: _ClassVar[VerificationOutcome]
    VERIFICATION_OUTCOME_VALID: _ClassVar[VerificationOutcome]
    VERIFICATION_OUTCOME_WRONG: _ClassVar[VerificationOutcome]
    VERIFICATION_OUTCOME_EXPIRED: _ClassVar[VerificationOutcome]
    VERIFICATION_OUTCOME_LOCKED: _ClassVar[VerificationOutcome]
VERIFICATION_OUTCOME_UNSPECIFIED: VerificationOutcome
VERIFICATION_OUTCOME_VALID: VerificationOutcome
VERIFICATION_OUTCOME_WRONG: VerificationOutcome
VERIFICATION_OUTCOME_EXPIRED: VerificationOutcome
VERIFICATION_OUTCOME_LOCKED: VerificationOutcome

class SendEmailRequest(_message.Message):
    __slots__ = ("request_id", "tenant_id", "sender_user_id", "out_id", "biz_key", "language", "subject", "from_address", "from_name", "reply_to", "to", "cc", "bcc", "audience", "template", "custom", "attachments", "verification", "schedule_time", "expire_time", "urgent", "copy_mode", "guarantee", "labels", "headers", "validate_only", "ignore_suppression")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_USER_ID_FIELD_NUMBER: _ClassVar[int]
    OUT_ID_FIELD_NUMBER: _ClassVar[int]
    BIZ_KEY_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    FROM_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    FROM_NAME_FIELD_NUMBER: _ClassVar[int]
    REPLY_TO_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    CC_FIELD_NUMBER: _ClassVar[int]
    BCC_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
    VERIFICATION_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    URGENT_FIELD_NUMBER: _ClassVar[int]
    COPY_MODE_FIELD_NUMBER: _ClassVar[int]
    GUARANTEE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    IGNORE_SUPPRESSION_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    tenant_id: int
    sender_user_id: int
    out_id: str
    biz_key: str
    language: str
    subject: str
    from_address: str
    from_name: str
    reply_to: _containers.RepeatedScalarFieldContainer[str]
    to: _containers.RepeatedScalarFieldContainer[str]
    cc: _containers.RepeatedScalarFieldContainer[str]
    bcc: _containers.RepeatedScalarFieldContainer[str]
    audience: _audience_pb2.Audience
    template: TemplateBody
    custom: CustomBody
    attachments: _containers.RepeatedCompositeFieldContainer[_attachment_pb2.Attachment]
    verification: Verification
    schedule_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    urgent: bool
    copy_mode: _email_pb2.CopyMode
    guarantee: _email_pb2.Guarantee
    labels: _containers.ScalarMap[str, str]
    headers: _containers.ScalarMap[str, str]
    validate_only: bool
    ignore_suppression: bool
    def __init__(self, request_id: _Optional[str] = ..., tenant_id: _Optional[int] = ..., sender_user_id: _Optional[int] = ..., out_id: _Optional[str] = ..., biz_key: _Optional[str] = ..., language: _Optional[str] = ..., subject: _Optional[str] = ..., from_address: _Optional[str] = ..., from_name: _Optional[str] = ..., reply_to: _Optional[_Iterable[str]] = ..., to: _Optional[_Iterable[str]] = ..., cc: _Optional[_Iterable[str]] = ..., bcc: _Optional[_Iterable[str]] = ..., audience: _Optional[_Union[_audience_pb2.Audience, _Mapping]] = ..., template: _Optional[_Union[TemplateBody, _Mapping]] = ..., custom: _Optional[_Union[CustomBody, _Mapping]] = ..., attachments: _Optional[_Iterable[_Union[_attachment_pb2.Attachment, _Mapping]]] = ..., verification: _Optional[_Union[Verification, _Mapping]] = ..., schedule_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., urgent: _Optional[bool] = ..., copy_mode: _Optional[_Union[_email_pb2.CopyMode, str]] = ..., guarantee: _Optional[_Union[_email_pb2.Guarantee, str]] = ..., labels: _Optional[_Mapping[str, str]] = ..., headers: _Optional[_Mapping[str, str]] = ..., validate_only: _Optional[bool] = ..., ignore_suppression: _Optional[bool] = ...) -> None: ...

class TemplateBody(_message.Message):
    __slots__ = ("invoke_name", "params", "recipient_params", "ignore_unknown_params")
    class RecipientParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _struct_pb2.Struct
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
    INVOKE_NAME_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_PARAMS_FIELD_NUMBER: _ClassVar[int]
    IGNORE_UNKNOWN_PARAMS_FIELD_NUMBER: _ClassVar[int]
    invoke_name: str
    params: _struct_pb2.Struct
    recipient_params: _containers.MessageMap[str, _struct_pb2.Struct]
    ignore_unknown_params: bool
    def __init__(self, invoke_name: _Optional[str] = ..., params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., recipient_params: _Optional[_Mapping[str, _struct_pb2.Struct]] = ..., ignore_unknown_params: _Optional[bool] = ...) -> None: ...

class CustomBody(_message.Message):
    __slots__ = ("html", "text")
    HTML_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    html: str
    text: str
    def __init__(self, html: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Verification(_message.Message):
    __slots__ = ("validity",)
    VALIDITY_FIELD_NUMBER: _ClassVar[int]
    validity: _duration_pb2.Duration
    def __init__(self, validity: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SendEmailResponse(_message.Message):
    __slots__ = ("id", "replayed", "suppressed_addresses", "preview")
    ID_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    SUPPRESSED_ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    id: int
    replayed: bool
    suppressed_addresses: _containers.RepeatedScalarFieldContainer[str]
    preview: EmailPreview
    def __init__(self, id: _Optional[int] = ..., replayed: _Optional[bool] = ..., suppressed_addresses: _Optional[_Iterable[str]] = ..., preview: _Optional[_Union[EmailPreview, _Mapping]] = ...) -> None: ...

class EmailPreview(_message.Message):
    __slots__ = ("copies", "copy_count", "template_language", "template_version")
    COPIES_FIELD_NUMBER: _ClassVar[int]
    COPY_COUNT_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_VERSION_FIELD_NUMBER: _ClassVar[int]
    copies: _containers.RepeatedCompositeFieldContainer[PreviewCopy]
    copy_count: int
    template_language: str
    template_version: int
    def __init__(self, copies: _Optional[_Iterable[_Union[PreviewCopy, _Mapping]]] = ..., copy_count: _Optional[int] = ..., template_language: _Optional[str] = ..., template_version: _Optional[int] = ...) -> None: ...

class PreviewCopy(_message.Message):
    __slots__ = ("recipients", "message")
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    recipients: _containers.RepeatedScalarFieldContainer[str]
    message: bytes
    def __init__(self, recipients: _Optional[_Iterable[str]] = ..., message: _Optional[bytes] = ...) -> None: ...

class BatchSendEmailsRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[SendEmailRequest]
    def __init__(self, items: _Optional[_Iterable[_Union[SendEmailRequest, _Mapping]]] = ...) -> None: ...

class BatchSendEmailsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchSendEmailsResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchSendEmailsResult, _Mapping]]] = ...) -> None: ...

class BatchSendEmailsResult(_message.Message):
    __slots__ = ("accepted", "refusal")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    accepted: AcceptedEmail
    refusal: _refusal_pb2.Refusal
    def __init__(self, accepted: _Optional[_Union[AcceptedEmail, _Mapping]] = ..., refusal: _Optional[_Union[_refusal_pb2.Refusal, _Mapping]] = ...) -> None: ...

class AcceptedEmail(_message.Message):
    __slots__ = ("id", "replayed", "suppressed_addresses")
    ID_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    SUPPRESSED_ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    id: int
    replayed: bool
    suppressed_addresses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[int] = ..., replayed: _Optional[bool] = ..., suppressed_addresses: _Optional[_Iterable[str]] = ...) -> None: ...

class GetEmailRequest(_message.Message):
    __slots__ = ("id", "view", "tenant_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    view: _email_pb2.EmailView
    tenant_id: int
    def __init__(self, id: _Optional[int] = ..., view: _Optional[_Union[_email_pb2.EmailView, str]] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class GetEmailResponse(_message.Message):
    __slots__ = ("email",)
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    email: _email_pb2.Email
    def __init__(self, email: _Optional[_Union[_email_pb2.Email, _Mapping]] = ...) -> None: ...

class ListEmailsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "skip", "count", "filters", "order_by", "tenant_id", "view")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    skip: int
    count: _filter_pb2.Count
    filters: _containers.RepeatedCompositeFieldContainer[_filter_pb2.Filter]
    order_by: str
    tenant_id: int
    view: _email_pb2.EmailView
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., skip: _Optional[int] = ..., count: _Optional[_Union[_filter_pb2.Count, str]] = ..., filters: _Optional[_Iterable[_Union[_filter_pb2.Filter, _Mapping]]] = ..., order_by: _Optional[str] = ..., tenant_id: _Optional[int] = ..., view: _Optional[_Union[_email_pb2.EmailView, str]] = ...) -> None: ...

class ListEmailsResponse(_message.Message):
    __slots__ = ("emails", "next_page_token", "total_size", "total_is_lower_bound")
    EMAILS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_IS_LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    emails: _containers.RepeatedCompositeFieldContainer[_email_pb2.Email]
    next_page_token: str
    total_size: int
    total_is_lower_bound: bool
    def __init__(self, emails: _Optional[_Iterable[_Union[_email_pb2.Email, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., total_is_lower_bound: _Optional[bool] = ...) -> None: ...

class ListRecipientsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "skip", "count", "filters", "order_by", "tenant_id", "email_id")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_ID_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    skip: int
    count: _filter_pb2.Count
    filters: _containers.RepeatedCompositeFieldContainer[_filter_pb2.Filter]
    order_by: str
    tenant_id: int
    email_id: int
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., skip: _Optional[int] = ..., count: _Optional[_Union[_filter_pb2.Count, str]] = ..., filters: _Optional[_Iterable[_Union[_filter_pb2.Filter, _Mapping]]] = ..., order_by: _Optional[str] = ..., tenant_id: _Optional[int] = ..., email_id: _Optional[int] = ...) -> None: ...

class ListRecipientsResponse(_message.Message):
    __slots__ = ("recipients", "next_page_token", "total_size", "total_is_lower_bound")
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_IS_LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    recipients: _containers.RepeatedCompositeFieldContainer[_recipient_pb2.Recipient]
    next_page_token: str
    total_size: int
    total_is_lower_bound: bool
    def __init__(self, recipients: _Optional[_Iterable[_Union[_recipient_pb2.Recipient, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., total_is_lower_bound: _Optional[bool] = ...) -> None: ...

class BatchDeleteEmailsRequest(_message.Message):
    __slots__ = ("ids", "tenant_id")
    IDS_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[int]
    tenant_id: int
    def __init__(self, ids: _Optional[_Iterable[int]] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class BatchDeleteEmailsResponse(_message.Message):
    __slots__ = ("deleted_count",)
    DELETED_COUNT_FIELD_NUMBER: _ClassVar[int]
    deleted_count: int
    def __init__(self, deleted_count: _Optional[int] = ...) -> None: ...

class CancelEmailRequest(_message.Message):
    __slots__ = ("id", "tenant_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    tenant_id: int
    def __init__(self, id: _Optional[int] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class CancelEmailResponse(_message.Message):
    __slots__ = ("cancelled_count", "in_flight_count", "too_late_count")
    CANCELLED_COUNT_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_COUNT_FIELD_NUMBER: _ClassVar[int]
    TOO_LATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    cancelled_count: int
    in_flight_count: int
    too_late_count: int
    def __init__(self, cancelled_count: _Optional[int] = ..., in_flight_count: _Optional[int] = ..., too_late_count: _Optional[int] = ...) -> None: ...

class RescheduleEmailRequest(_message.Message):
    __slots__ = ("id", "schedule_time", "tenant_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TIME_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    schedule_time: _timestamp_pb2.Timestamp
    tenant_id: int
    def __init__(self, id: _Optional[int] = ..., schedule_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class RescheduleEmailResponse(_message.Message):
    __slots__ = ("email",)
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    email: _email_pb2.Email
    def __init__(self, email: _Optional[_Union[_email_pb2.Email, _Mapping]] = ...) -> None: ...

class RetryEmailRequest(_message.Message):
    __slots__ = ("id", "tenant_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    tenant_id: int
    def __init__(self, id: _Optional[int] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class RetryEmailResponse(_message.Message):
    __slots__ = ("reopened_count",)
    REOPENED_COUNT_FIELD_NUMBER: _ClassVar[int]
    reopened_count: int
    def __init__(self, reopened_count: _Optional[int] = ...) -> None: ...

class ReleaseEmailRequest(_message.Message):
    __slots__ = ("id", "tenant_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    tenant_id: int
    def __init__(self, id: _Optional[int] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class ReleaseEmailResponse(_message.Message):
    __slots__ = ("released_count",)
    RELEASED_COUNT_FIELD_NUMBER: _ClassVar[int]
    released_count: int
    def __init__(self, released_count: _Optional[int] = ...) -> None: ...

class SendTestEmailRequest(_message.Message):
    __slots__ = ("server_id", "to", "timeout", "tenant_id", "sender_user_id")
    SERVER_ID_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_USER_ID_FIELD_NUMBER: _ClassVar[int]
    server_id: int
    to: _containers.RepeatedScalarFieldContainer[str]
    timeout: _duration_pb2.Duration
    tenant_id: int
    sender_user_id: int
    def __init__(self, server_id: _Optional[int] = ..., to: _Optional[_Iterable[str]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., tenant_id: _Optional[int] = ..., sender_user_id: _Optional[int] = ...) -> None: ...

class SendTestEmailResponse(_message.Message):
    __slots__ = ("ok", "phase", "code", "enhanced_code", "reply", "email_id")
    OK_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ENHANCED_CODE_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    EMAIL_ID_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    phase: _attempt_pb2.SmtpPhase
    code: int
    enhanced_code: str
    reply: str
    email_id: int
    def __init__(self, ok: _Optional[bool] = ..., phase: _Optional[_Union[_attempt_pb2.SmtpPhase, str]] = ..., code: _Optional[int] = ..., enhanced_code: _Optional[str] = ..., reply: _Optional[str] = ..., email_id: _Optional[int] = ...) -> None: ...

class CheckVerificationCodeRequest(_message.Message):
    __slots__ = ("biz_key", "address", "code", "tenant_id")
    BIZ_KEY_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    biz_key: str
    address: str
    code: str
    tenant_id: int
    def __init__(self, biz_key: _Optional[str] = ..., address: _Optional[str] = ..., code: _Optional[str] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class CheckVerificationCodeResponse(_message.Message):
    __slots__ = ("outcome",)
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    outcome: VerificationOutcome
    def __init__(self, outcome: _Optional[_Union[VerificationOutcome, str]] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("cursor", "from_latest", "page_size", "filter", "tenant_id")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    FROM_LATEST_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    from_latest: bool
    page_size: int
    filter: _event_pb2.EventFilter
    tenant_id: int
    def __init__(self, cursor: _Optional[str] = ..., from_latest: _Optional[bool] = ..., page_size: _Optional[int] = ..., filter: _Optional[_Union[_event_pb2.EventFilter, _Mapping]] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("events", "next_cursor", "at_end")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    AT_END_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    next_cursor: str
    at_end: bool
    def __init__(self, events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ..., next_cursor: _Optional[str] = ..., at_end: _Optional[bool] = ...) -> None: ...

class WatchEventsRequest(_message.Message):
    __slots__ = ("cursor", "from_latest", "filter", "heartbeat_interval", "tenant_id")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    FROM_LATEST_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    from_latest: bool
    filter: _event_pb2.EventFilter
    heartbeat_interval: _duration_pb2.Duration
    tenant_id: int
    def __init__(self, cursor: _Optional[str] = ..., from_latest: _Optional[bool] = ..., filter: _Optional[_Union[_event_pb2.EventFilter, _Mapping]] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class WatchEventsResponse(_message.Message):
    __slots__ = ("event", "heartbeat")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    event: _event_pb2.Event
    heartbeat: Heartbeat
    def __init__(self, event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("cursor", "time")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, cursor: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReportBounceRequest(_message.Message):
    __slots__ = ("delivery_id", "message_id", "address", "code", "enhanced_code", "reply", "bounce_time", "tenant_id")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ENHANCED_CODE_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    BOUNCE_TIME_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    delivery_id: int
    message_id: str
    address: str
    code: int
    enhanced_code: str
    reply: str
    bounce_time: _timestamp_pb2.Timestamp
    tenant_id: int
    def __init__(self, delivery_id: _Optional[int] = ..., message_id: _Optional[str] = ..., address: _Optional[str] = ..., code: _Optional[int] = ..., enhanced_code: _Optional[str] = ..., reply: _Optional[str] = ..., bounce_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tenant_id: _Optional[int] = ...) -> None: ...

class ReportBounceResponse(_message.Message):
    __slots__ = ("email_id", "recipient_id", "recipient_state", "changed")
    EMAIL_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_STATE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    email_id: int
    recipient_id: int
    recipient_state: _recipient_pb2.RecipientState
    changed: bool
    def __init__(self, email_id: _Optional[int] = ..., recipient_id: _Optional[int] = ..., recipient_state: _Optional[_Union[_recipient_pb2.RecipientState, str]] = ..., changed: _Optional[bool] = ...) -> None: ...
