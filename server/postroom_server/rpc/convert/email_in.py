"""SendEmail requests as drafts, and their fingerprints."""

from __future__ import annotations

import hashlib
from typing import Literal

from postroom.v1 import attachment_pb2, email_pb2, email_service_pb2
from postroom_server.clock import Millis
from postroom_server.mail.draft import CopyMode, CustomBody, Draft, File, TemplateBody
from postroom_server.refusals import Violation
from postroom_server.rpc.convert.structs import params_of
from postroom_server.rpc.convert.times import is_time, millis_of, millis_of_duration

_FINGERPRINT_VERSION = b"\x01"
_COPY_MODES = {
    email_pb2.COPY_MODE_UNSPECIFIED: CopyMode.SEPARATE,
    email_pb2.COPY_MODE_SEPARATE: CopyMode.SEPARATE,
    email_pb2.COPY_MODE_SHARED: CopyMode.SHARED,
}
_GUARANTEES = {
    email_pb2.GUARANTEE_UNSPECIFIED: False,
    email_pb2.GUARANTEE_AT_LEAST_ONCE: False,
    email_pb2.GUARANTEE_AT_MOST_ONCE: True,
}


def draft_of(request: email_service_pb2.SendEmailRequest) -> Draft:
    """The request as a draft. Refuses nothing: what cannot be read is told in `unreadable`."""
    unreadable: list[Violation] = []
    copy_mode = _COPY_MODES.get(request.copy_mode)
    if copy_mode is None:
        unreadable.append(_unknown("copy_mode", request.copy_mode))
    at_most_once = _GUARANTEES.get(request.guarantee)
    if at_most_once is None:
        unreadable.append(_unknown("guarantee", request.guarantee))
    return Draft(
        body=_body(request),
        to=tuple(request.to),
        cc=tuple(request.cc),
        bcc=tuple(request.bcc),
        request_id=request.request_id,
        fingerprint=fingerprint(request) if request.request_id or request.validate_only else b"",
        out_id=request.out_id,
        biz_key=request.biz_key,
        language=request.language,
        subject=request.subject,
        from_address=request.from_address,
        from_name=request.from_name,
        reply_to=tuple(request.reply_to),
        files=tuple(_file(attachment) for attachment in request.attachments),
        schedule_time=_time(request, "schedule_time", unreadable),
        expire_time=_time(request, "expire_time", unreadable),
        urgent=request.urgent,
        copy_mode=copy_mode or CopyMode.SEPARATE,
        at_most_once=bool(at_most_once),
        ignore_suppression=request.ignore_suppression,
        labels=dict(request.labels),
        headers=dict(request.headers),
        sender_user_id=request.sender_user_id if request.HasField("sender_user_id") else None,
        tenant_id=request.tenant_id if request.HasField("tenant_id") else None,
        has_audience=request.HasField("audience") and not request.to,
        has_verification=request.HasField("verification"),
        validity=(
            millis_of_duration(request.verification.validity)
            if request.verification.HasField("validity")
            else None
        ),
        validate_only=request.validate_only,
        unreadable=tuple(unreadable),
    )


def fingerprint(request: email_service_pb2.SendEmailRequest) -> bytes:
    """SHA-256 of the request as received: no unknown fields, no request_id, no default filled in."""
    plain = email_service_pb2.SendEmailRequest()
    plain.CopyFrom(request)
    plain.DiscardUnknownFields()
    plain.ClearField("request_id")
    return hashlib.sha256(_FINGERPRINT_VERSION + plain.SerializeToString(deterministic=True)).digest()


def _unknown(field: str, number: int) -> Violation:
    return Violation(field, f"{number} is no value that this server knows")


def _time(
    request: email_service_pb2.SendEmailRequest,
    field: Literal["schedule_time", "expire_time"],
    unreadable: list[Violation],
) -> Millis | None:
    if not request.HasField(field):
        return None
    stamp = getattr(request, field)
    if not is_time(stamp):
        unreadable.append(Violation(field, "is not a time of the years 1 to 9999"))
        return None
    return millis_of(stamp)


def _body(request: email_service_pb2.SendEmailRequest) -> TemplateBody | CustomBody | None:
    match request.WhichOneof("body"):
        case "template":
            template = request.template
            return TemplateBody(
                template.invoke_name,
                params_of(template.params),
                {address: params_of(params) for address, params in template.recipient_params.items()},
            )
        case "custom":
            return CustomBody(request.custom.html, request.custom.text)
        case _:
            return None


def _file(attachment: attachment_pb2.Attachment) -> File:
    return File(
        name=attachment.name,
        content_type=attachment.content_type,
        content_id=attachment.content_id,
        content=attachment.content if attachment.WhichOneof("source") == "content" else None,
        url=attachment.url,
    )


def timeout_of(request: email_service_pb2.SendTestEmailRequest) -> int | None:
    """Milliseconds, or None when unset."""
    return millis_of_duration(request.timeout) if request.HasField("timeout") else None
