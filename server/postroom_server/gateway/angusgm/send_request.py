"""The body of a send as the product's SendEmail. Fields are read in the order of the document."""

from __future__ import annotations

from typing import Any

from postroom.v1 import email_pb2, email_service_pb2
from postroom_server.gateway.angusgm import template_params, words
from postroom_server.gateway.angusgm.dates import Dates
from postroom_server.gateway.angusgm.form import Form
from postroom_server.gateway.angusgm.problem import Problem, Violation
from postroom_server.gateway.angusgm.send_fields import SendFields

_MOST_ADDRESSES = 500
_MOST_PARAMS = 500
_MOST_FILES = 10


class SendRequest:
    """What a body says. Only tokens of the platform are heard on `tenant_id` and `user_id`.

    `message.urgent` is also true for a date that is over, `said_urgent` only where the caller said so.
    """

    def __init__(self, body: dict[str, Any], request_id: str, default_language: str, dates: Dates) -> None:
        form = Form(body)
        self.fields = SendFields(body)
        self.message = message = email_service_pb2.SendEmailRequest(request_id=request_id)
        message.out_id = form.text("outId", most=80)
        message.biz_key = form.word("bizKey", words.BIZ_KEYS)
        message.language = form.text("language", most=35) or default_language
        kind = form.word("type", words.EMAIL_TYPES, required=True)
        is_template, is_custom = kind == "TEMPLATE", kind == "CUSTOM"
        message.subject = form.text("subject", most=200, required=is_custom)
        message.from_address = form.text("fromAddress", most=100)
        message.to.extend(form.texts("toAddress", most=_MOST_ADDRESSES))
        message.cc.extend(form.texts("ccAddress", most=_MOST_ADDRESSES))
        has_code = form.boolean("verificationCode", required=True)
        is_html = form.boolean("html", required=True)
        seconds = form.integer("verificationCodeValidSecond", least=1, most=86_400)
        self.tenant_id = form.integer("sendTenantId") or 0
        self.user_id = form.integer("sendUserId") or 0
        content = form.text("content", most=200_000, required=is_custom)
        params = form.object("templateParams")
        if template_params.most_names(params) > _MOST_PARAMS:
            form.break_rule("templateParams", ("too_many", _MOST_PARAMS))
        _read_files(form, message)
        moment = form.date("expectedSendDate", dates)
        self.said_urgent = form.boolean("urgent")
        _read_audience(form, message)
        is_batch = form.boolean("batch", default=True)
        form.refuse()
        if message.cc and not message.to and not message.HasField("audience"):
            # The product sends to those in copy alone; in this API somebody must be addressed.
            raise Problem("protocol_error", [Violation("toAddress", "required")], told="NO_RECIPIENTS")
        message.copy_mode = (
            email_pb2.COPY_MODE_SHARED if is_batch and is_custom else email_pb2.COPY_MODE_SEPARATE
        )
        if is_template:
            message.template.SetInParent()
            self.fields.only_address = template_params.put(params, message.template)
        elif is_html:
            message.custom.html = content
        else:
            message.custom.text = content
        if has_code:
            # A code needs an address: a directory's people are no recipients of one.
            message.ClearField("audience")
            message.verification.SetInParent()
            if seconds is not None:
                message.verification.validity.seconds = seconds
        message.urgent = self.said_urgent
        if moment is not None:
            message.schedule_time.seconds, message.schedule_time.nanos = moment.seconds, moment.nanos
            # To this API a date that is over means ahead of the queue.
            message.urgent = self.said_urgent or dates.is_past(moment)


def _read_audience(form: Form, message: email_service_pb2.SendEmailRequest) -> None:
    kind = form.word("receiveObjectType", words.RECEIVE_OBJECT_TYPES)
    ids = form.integers("receiveObjectIds", most=_MOST_ADDRESSES)
    codes = form.texts("receivePolicyCodes", most=_MOST_ADDRESSES)
    if kind:
        message.audience.type = words.RECEIVE_OBJECT_TYPES[kind]
    if ids or codes:
        message.audience.object_ids.extend(ids)
        message.audience.policy_codes.extend(codes)


def _read_files(form: Form, message: email_service_pb2.SendEmailRequest) -> None:
    """The attachments: a set, so what comes twice counts once."""
    distinct: dict[str, tuple[int, Any]] = {}
    for i, item in enumerate(form.items("attachments")):
        distinct.setdefault(repr(item), (i, item))
    if len(distinct) > _MOST_FILES:
        form.break_rule("attachments", ("too_many", _MOST_FILES))
        return
    for i, item in distinct.values():
        if not isinstance(item, dict):
            form.misread(f"attachments[{i}]", "not_an_object")
            continue
        file = Form(item, f"attachments[{i}].", form)
        message.attachments.add(
            name=file.text("name", most=200, required=True), url=file.text("url", most=800, required=True)
        )
