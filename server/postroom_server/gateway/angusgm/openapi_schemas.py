"""The description of this dialect, its words: what requests and answers are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from postroom_server.gateway.angusgm import words

Schema = dict[str, Any]

# The seed's own example with its placeholders made real.
SEND_EXAMPLE: Schema = {
    "outId": "order-1001",
    "bizKey": "SIGNUP",
    "language": "zh_CN",
    "type": "CUSTOM",
    "subject": "subject",
    "fromAddress": "cloud@xcan.cloud",
    "toAddress": [["user1@xcancloud.com", "user2@xcancloud.com"]],
    "ccAddress": [["demo@xcancloud.com"]],
    "verificationCode": True,
    "verificationCodeValidSecond": "300",
    "sendTenantId": 0,
    "sendUserId": 0,
    "html": True,
    "content": "<p>%verificationCode%</p>",
    "templateParams": {"additionalProperties": {}},
    "urgent": "false",
    "batch": "true",
}
DETAIL_EXAMPLE: Schema = {
    "id": "301",
    "language": {"value": "zh_CN", "message": "简体中文"},
    "bizKey": "SIGNUP",
    "outId": "order-1001",
    "emailType": "CUSTOM",
    "subject": "subject",
    "fromAddr": "cloud@xcan.cloud",
    "verificationCode": True,
    "verificationCodeValidSecond": "300",
    "toAddress": ["user1@xcancloud.com"],
    "ccAddress": [],
    "html": True,
    "sendStatus": {"value": "SUCCESS", "message": "成功"},
    "content": "",
    "templateParams": {"verificationCode": "******"},
    "attachments": [],
    "actualSendDate": "2026-06-01 12:00:02",
    "urgent": False,
    "sendTenantId": "1",
    "batch": False,
    "createdDate": "2026-06-01 12:00:00",
    "recipients": [
        {"address": "user1@xcancloud.com", "role": "TO", "status": "DELIVERED", "code": "250",
         "reply": "2.0.0 taken", "attempts": "1"}
    ],
}  # fmt: skip


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/AngusGm{name}"}


def closed(properties: Schema, optional: Sequence[str] = (), **more: Any) -> Schema:
    """An object of these properties and no others; all but `optional` are always there."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
        **more,
    }


def text(most: int | None = None, **more: Any) -> Schema:
    return {"type": "string", **({} if most is None else {"maxLength": most}), **more}


def one_of(values: Sequence[str], **more: Any) -> Schema:
    return {"type": "string", "enum": list(values), **more}


_STRINGS = {"type": "array", "items": {"type": "string"}}
_ADDRESSES = {
    "type": "array",
    "items": {"anyOf": [{"type": "string"}, _STRINGS]},
    "description": "A set of at most 500 addresses. One level of lists within the list is flattened.",
}
_ENUM_MESSAGE = closed({"value": {"type": "string"}, "message": {"type": "string"}})
_AUDIENCE = "Used where toAddress is empty."

_SEND_PROPERTIES: Schema = {
    "outId": text(80, description="The caller's own id. Absent: `INNER-` and a UUID. Not unique."),
    "bizKey": one_of(words.BIZ_KEYS, description="Required with TEMPLATE and with verificationCode."),
    "language": text(35, description="In any spelling, such as `zh_CN` or `en`; default `zh_CN`."),
    "type": one_of(words.EMAIL_TYPES),
    "subject": text(200, description="Required with CUSTOM; absent with TEMPLATE: the template's."),
    "fromAddress": text(100, description="Must be one that tenant and mail server allow."),
    "toAddress": _ADDRESSES,
    "ccAddress": _ADDRESSES,
    "verificationCode": ref("Flag"),
    "html": ref("Flag"),
    "verificationCodeValidSecond": {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": 86_400},
            {
                "type": "string",
                "pattern": "^[1-9][0-9]{0,4}$",
            },
        ],
        "description": "1 to 86400; absent: the template's, else 300.",
    },
    "sendTenantId": {**ref("Whole"), "description": "Heard from tokens with scope platform only; 0: unset."},
    "sendUserId": {**ref("Whole"), "description": "Heard from tokens with scope platform only; 0: unset."},
    "content": text(200_000, description="Required with CUSTOM."),
    "templateParams": {
        "type": "object",
        "maxProperties": 500,
        "description": "Address to name to value, or name to value. A single address's are everybody's.",
    },
    "attachments": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"name": text(200), "url": text(800, format="uri")},
            "required": ["name", "url"],
        },
        "description": "A set of at most 10.",
    },
    "expectedSendDate": {**ref("Date"), "description": "Past: at once, ahead of the queue."},
    "urgent": ref("Flag"),
    "receiveObjectType": one_of(tuple(words.RECEIVE_OBJECT_TYPES), description=_AUDIENCE),
    "receiveObjectIds": {"type": "array", "items": ref("Whole"), "description": _AUDIENCE},
    "receivePolicyCodes": {**_STRINGS, "description": _AUDIENCE},
    "batch": {
        **ref("Flag"),
        "description": "Default true: one message, all To visible. False, and with TEMPLATE: one each.",
    },
}
_CONTENT = ("content", "templateParams", "attachments")
_MAYBE = (
    "templateCode", "language", "bizKey", "subject", "verificationCodeValidSecond", "failureReason",
    "expectedSendDate", "actualSendDate", "sendUserId", "recipients", *_CONTENT,
)  # fmt: skip
_DETAIL_PROPERTIES: Schema = {
    "id": ref("Number"),
    "templateCode": text(),
    "language": _ENUM_MESSAGE,
    "bizKey": text(),
    "outId": text(),
    "emailType": one_of(words.EMAIL_TYPES),
    "subject": text(),
    "fromAddr": text(),
    "verificationCode": {"type": "boolean"},
    "verificationCodeValidSecond": ref("Number"),
    "toAddress": _STRINGS,
    "ccAddress": _STRINGS,
    "html": {"type": "boolean"},
    "sendStatus": closed({"value": one_of(words.SEND_STATUSES), "message": text()}),
    "failureReason": text(),
    "content": text(description="Empty for templates and where verificationCode is true."),
    "templateParams": {"type": "object"},
    "attachments": {"type": "array", "items": closed({"name": text(), "url": text()}, ["url"])},
    "expectedSendDate": ref("AnsweredDate"),
    "actualSendDate": {**ref("AnsweredDate"), "description": "When it was settled."},
    "urgent": {"type": "boolean"},
    "sendTenantId": ref("Number"),
    "sendUserId": ref("Number"),
    "batch": {"type": "boolean"},
    "createdDate": ref("AnsweredDate"),
    "recipients": {"type": "array", "items": ref("Recipient")},
}
_RECIPIENT_STATUSES = (
    "OPEN", "DELIVERED", "REFUSED", "EXPIRED", "CANCELLED", "SUPPRESSED", "UNKNOWN", "BOUNCED",
)  # fmt: skip

SCHEMAS: Schema = {
    f"AngusGm{name}": schema
    for name, schema in {
        "Number": {
            "type": ["string", "integer"],
            "pattern": "^-?[0-9]+$",
            "description": "A number, written as a string unless the settings say otherwise.",
        },
        "Whole": {
            "anyOf": [
                {"type": "integer", "minimum": -(1 << 63), "maximum": (1 << 63) - 1},
                {"type": "string", "pattern": "^-?[0-9]{1,19}$"},
            ]
        },
        "Flag": {"anyOf": [{"type": "boolean"}, {"type": "string", "enum": ["true", "false"]}]},
        "Date": {
            "type": "string",
            "description": "`yyyy-MM-dd HH:mm:ss`, `yyyy-MM-dd'T'HH:mm:ss` or RFC 3339 with an offset.",
            "pattern": r"^\d{4}-\d\d-\d\d[ Tt]\d\d:\d\d:\d\d((\.\d{1,9})?([Zz]|[+-]\d\d:\d\d))?$",
            "examples": ["2026-06-01 12:00:00"],
        },
        "AnsweredDate": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"},
        "Send": {
            "type": "object",
            "properties": _SEND_PROPERTIES,
            "required": ["type", "verificationCode", "html"],
            "if": {"properties": {"type": {"const": "CUSTOM"}}},
            "then": {
                "required": ["subject", "content"],
                "properties": {"subject": {"minLength": 1}, "content": {"minLength": 1}},
            },
            "examples": [SEND_EXAMPLE],
        },
        "ServerTest": {
            "type": "object",
            "properties": {
                "serverId": ref("Whole"),
                "toAddress": {**_ADDRESSES, "description": "A set of 1 to 10 addresses."},
                "sendTenantId": ref("Whole"),
                "sendUserId": ref("Whole"),
            },
            "required": ["serverId", "toAddress"],
            "examples": [{"serverId": 1, "toAddress": [["james@xcan.cloud"]]}],
        },
        "Detail": closed(
            _DETAIL_PROPERTIES,
            _MAYBE,
            description="One email. Null fields are left out; content, templateParams and attachments are "
            "told in DETAIL and to tokens with scope read_content only, recipients in DETAIL only.",
        ),
        "Recipient": closed(
            {
                "address": text(),
                "role": one_of(("TO", "CC", "BCC")),
                "status": one_of(_RECIPIENT_STATUSES),
                "code": {**ref("Number"), "description": "The SMTP server's last reply code."},
                "reply": text(description="The SMTP server's last reply."),
                "attempts": ref("Number"),
            },
            ("code", "reply"),
        ),
        "Violation": closed({"field": text(), "reason": text()}),
        "Id": closed({"id": ref("Number")}),
        "Nothing": closed({}),
        "Page": closed({"total": ref("Number"), "list": {"type": "array", "items": ref("Detail")}}),
    }.items()
}
