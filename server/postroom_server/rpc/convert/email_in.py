"""SendEmail requests as drafts, and their fingerprints."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import timestamp_pb2

from postroom.v1 import attachment_pb2, audience_pb2, email_pb2, email_service_pb2
from postroom_server.mail.audience import Audience, AudienceType
from postroom_server.mail.draft import CopyMode, CustomBody, Draft, File, TemplateBody
from postroom_server.refusals import Violation
from postroom_server.rpc.convert.structs import params_of
from postroom_server.rpc.convert.times import is_time, millis_of, millis_of_duration

_FINGERPRINT_VERSION = b"\x01"
_COPY_MODES: dict[int, CopyMode] = {
    email_pb2.COPY_MODE_UNSPECIFIED: CopyMode.SEPARATE,
    email_pb2.COPY_MODE_SEPARATE: CopyMode.SEPARATE,
    email_pb2.COPY_MODE_SHARED: CopyMode.SHARED,
}
_GUARANTEES: dict[int, bool] = {
    email_pb2.GUARANTEE_UNSPECIFIED: False,
    email_pb2.GUARANTEE_AT_LEAST_ONCE: False,
    email_pb2.GUARANTEE_AT_MOST_ONCE: True,
}

_AUDIENCE_TYPES: dict[int, AudienceType] = {
    audience_pb2.AudienceType.Value(f"AUDIENCE_TYPE_{type_}"): type_ for type_ in AudienceType
}

_Found = list[Violation]
# What a field's value says in the words of a draft.
_Read = Callable[[Any, _Found], dict[str, Any]]


def draft_of(request: email_service_pb2.SendEmailRequest) -> Draft:
    """The request as a draft. Refuses nothing: what cannot be read is told in `unreadable`."""
    unreadable: list[Violation] = []
    values: dict[str, Any] = {"body": None}
    # Most of thirty fields are unset, and asking for each of them takes longer than everything else here.
    for field, value in request.ListFields():
        name = field.name
        if name in _AS_THEY_ARE:
            values[name] = value
        else:
            values.update(_READ[name](value, unreadable))
    if "to" in values:
        # Given addresses win.
        values.pop("audience", None)
    if unreadable:
        values["unreadable"] = tuple(unreadable)
    if request.request_id or request.validate_only:
        values["fingerprint"] = fingerprint(request)
    return Draft(**values)


def fingerprint(request: email_service_pb2.SendEmailRequest) -> bytes:
    """SHA-256 of the request as received: no unknown fields, no request_id, no default filled in."""
    plain = email_service_pb2.SendEmailRequest()
    plain.CopyFrom(request)
    plain.DiscardUnknownFields()
    plain.ClearField("request_id")
    return hashlib.sha256(_FINGERPRINT_VERSION + plain.SerializeToString(deterministic=True)).digest()


def _copy_mode(number: int, unreadable: _Found) -> dict[str, Any]:
    mode = _COPY_MODES.get(number)
    if mode is None:
        unreadable.append(_unknown("copy_mode", number))
        return {}
    return {"copy_mode": mode}


def _guarantee(number: int, unreadable: _Found) -> dict[str, Any]:
    at_most_once = _GUARANTEES.get(number)
    if at_most_once is None:
        unreadable.append(_unknown("guarantee", number))
        return {}
    return {"at_most_once": at_most_once}


def _unknown(field: str, number: int) -> Violation:
    return Violation(field, f"{number} is no value that this server knows")


def _template(template: email_service_pb2.TemplateBody, _: _Found) -> dict[str, Any]:
    by_address = {address: params_of(params) for address, params in template.recipient_params.items()}
    body = TemplateBody(
        template.invoke_name, params_of(template.params), by_address, template.ignore_unknown_params
    )
    return {"body": body}


def _custom(custom: email_service_pb2.CustomBody, _: _Found) -> dict[str, Any]:
    return {"body": CustomBody(custom.html, custom.text)}


def _verification(verification: email_service_pb2.Verification, _: _Found) -> dict[str, Any]:
    if not verification.HasField("validity"):
        return {"has_verification": True}
    return {"has_verification": True, "validity": millis_of_duration(verification.validity)}


def _audience(audience: audience_pb2.Audience) -> Audience:
    return Audience(
        _AUDIENCE_TYPES.get(audience.type), tuple(audience.object_ids), tuple(audience.policy_codes)
    )


def _time(name: str) -> _Read:
    def read(stamp: timestamp_pb2.Timestamp, unreadable: _Found) -> dict[str, Any]:
        if is_time(stamp):
            return {name: millis_of(stamp)}
        unreadable.append(Violation(name, "is not a time of the years 1 to 9999"))
        return {}

    return read


def _all(name: str, kind: Callable[[Any], Any]) -> _Read:
    return lambda values, _: {name: kind(values)}


def _in_order(named: Mapping[str, str]) -> dict[str, str]:
    """By name: the order of a map is another in every process, and headers make the bytes of the message."""
    return dict(sorted(named.items()))


# What a field becomes. Every field of the request is here or in _AS_THEY_ARE; a test holds it.
_READ: dict[str, _Read] = {
    "to": _all("to", tuple),
    "cc": _all("cc", tuple),
    "bcc": _all("bcc", tuple),
    "reply_to": _all("reply_to", tuple),
    "labels": _all("labels", _in_order),
    "headers": _all("headers", _in_order),
    "attachments": lambda attachments, _: {"files": tuple(_file(each) for each in attachments)},
    "audience": lambda audience, _: {"audience": _audience(audience)},
    "template": _template,
    "custom": _custom,
    "verification": _verification,
    "schedule_time": _time("schedule_time"),
    "expire_time": _time("expire_time"),
    "copy_mode": _copy_mode,
    "guarantee": _guarantee,
}
_AS_THEY_ARE = frozenset(
    {
        "request_id",
        "tenant_id",
        "sender_user_id",
        "out_id",
        "biz_key",
        "language",
        "subject",
        "from_address",
        "from_name",
        "urgent",
        "validate_only",
        "ignore_suppression",
    }
)


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
