"""The detail object: one email as this API tells it, in the detail and in lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from google.protobuf.struct_pb2 import Struct, Value

from postroom.v1 import email_pb2, recipient_pb2
from postroom_server.gateway.angusgm import languages, scalars, words
from postroom_server.gateway.angusgm.dates import Dates
from postroom_server.gateway.angusgm.settings import AngusGmSettings
from postroom_server.gateway.angusgm.texts import Language


def _words(wrapper: Any, prefix: str) -> Mapping[int, str]:
    return {number: name.removeprefix(prefix) for name, number in wrapper.items()}


_STATUSES = _words(email_pb2.EmailState, "EMAIL_STATE_")
_RECIPIENT_STATUSES = _words(recipient_pb2.RecipientState, "RECIPIENT_STATE_")
_ROLES = _words(recipient_pb2.RecipientRole, "RECIPIENT_ROLE_")


class Details:
    def __init__(self, settings: AngusGmSettings, dates: Dates) -> None:
        self._bare = settings.bare_numbers
        self._number: Callable[[int], int | str] = int if settings.bare_numbers else str
        self._dates = dates

    def of(self, email: email_pb2.Email, language: Language, *, recipients: bool) -> dict[str, Any]:
        """Null fields are left out. Content and recipients are told where the product told them."""
        number, date = self._number, self._dates.text
        is_template = email.body_kind == email_pb2.BODY_KIND_TEMPLATE
        status = _STATUSES[email.state]
        told: dict[str, Any] = {
            "id": number(email.id),
            "templateCode": email.invoke_name or None,
            "language": _language(email.language, language),
            "bizKey": email.biz_key or None,
            "outId": email.out_id,
            "emailType": "TEMPLATE" if is_template else "CUSTOM",
            "subject": email.subject or None,
            "fromAddr": email.from_address,
            "verificationCode": email.verification,
            "verificationCodeValidSecond": number(email.validity.seconds) if email.verification else None,
            "toAddress": list(email.to),
            "ccAddress": list(email.cc),
            "html": email.html,
            "sendStatus": {
                "value": status,
                "message": words.SEND_STATUS_TEXTS[status][0 if language == "zh" else 1],
            },
            "failureReason": _failure(email),
            **(self._content(email.content) if email.HasField("content") else {}),
            "expectedSendDate": date(email.schedule_time.seconds)
            if email.HasField("schedule_time")
            else None,
            "actualSendDate": _date(email, "settle_time", date),
            "urgent": email.urgent,
            "sendTenantId": number(email.tenant_id),
            "sendUserId": number(email.sender_user_id) if email.sender_user_id else None,
            "batch": email.copy_mode == email_pb2.COPY_MODE_SHARED,
            "createdDate": date(email.accept_time.seconds),
        }
        if recipients:
            told["recipients"] = [self._recipient(recipient) for recipient in email.recipients]
        return {key: value for key, value in told.items() if value is not None}

    def _content(self, content: email_pb2.EmailContent) -> dict[str, Any]:
        params: dict[str, Any] = {
            address: self._params(content.recipient_params[address])
            for address in sorted(content.recipient_params)
        }
        return {
            # Of mails with codes the product tells neither.
            "content": content.html or content.text,
            "templateParams": {**params, **self._params(content.params)},
            "attachments": [
                {"name": file.name, **({"url": file.url} if file.url else {})} for file in content.attachments
            ],
        }

    def _recipient(self, recipient: recipient_pb2.Recipient) -> dict[str, Any]:
        told = {
            "address": recipient.address,
            "role": _ROLES[recipient.role],
            "status": _RECIPIENT_STATUSES[recipient.state],
            "code": self._number(recipient.code) if recipient.code else None,
            "reply": recipient.reply or None,
            "attempts": self._number(recipient.tries),
        }
        return {key: value for key, value in told.items() if value is not None}

    def _params(self, struct: Struct) -> dict[str, Any]:
        values = {name: self._value(struct.fields[name]) for name in sorted(struct.fields)}
        return {name: value for name, value in values.items() if value is not None}

    def _value(self, value: Value) -> Any:
        match value.WhichOneof("kind"):
            case "string_value":
                return value.string_value
            case "number_value":
                return scalars.written(value.number_value, bare=self._bare)
            case "bool_value":
                return value.bool_value
            case "struct_value":
                return self._params(value.struct_value)
            case "list_value":
                return [self._value(item) for item in value.list_value.values]
            case _:
                return None


def _date(
    email: email_pb2.Email, field: Literal["schedule_time", "settle_time"], text: Callable[[int], str]
) -> str | None:
    return text(getattr(email, field).seconds) if email.HasField(field) else None


def _language(tag: str, language: Language) -> dict[str, str] | None:
    if not tag:
        return None
    return {"value": languages.printed(tag), "message": languages.name_of(tag, language)}


def _failure(email: email_pb2.Email) -> str | None:
    """How many were not reached; of an audience of nobody the reason itself."""
    if email.failure == email_pb2.EMAIL_FAILURE_NO_RECIPIENTS:
        return f"NO_RECIPIENTS: {email.failure_message}"
    return email.failure_message or None
