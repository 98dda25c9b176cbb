"""What a body becomes, and what the product's paths are called in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import NOON
from gateway.angusgm.scripted import SCOPE_MISSING, SEND, TOKEN, Scripted, refused
from postroom.v1 import audience_pb2, email_pb2, email_service_pb2, tenant_service_pb2
from postroom_server.gateway.angusgm.openapi_schemas import SCHEMAS, SEND_EXAMPLE
from postroom_server.gateway.refused import Violation

OK = email_service_pb2.SendEmailResponse(id=301)
TENANT = tenant_service_pb2.GetTenantResponse()
TEMPLATE = {**SEND, "type": "TEMPLATE", "bizKey": "SIGNUP"}


async def sent(body: dict[str, Any], **headers: str) -> email_service_pb2.SendEmailRequest:
    scripted = Scripted({"SendEmail": [OK]})
    answer = await scripted.ask("POST /api/v1/email", body, headers=headers)
    assert answer.json["data"] == {"id": "301"}
    (asked,) = scripted.calls
    message: email_service_pb2.SendEmailRequest = asked.message
    return message


async def test_the_least_body() -> None:
    assert await sent(SEND) == email_service_pb2.SendEmailRequest(
        to=["x@example.com"],
        subject="s",
        language="zh_CN",
        custom=email_service_pb2.CustomBody(text="c"),
        copy_mode=email_pb2.COPY_MODE_SHARED,
    )


async def test_the_seeds_example() -> None:
    message = await sent(SEND_EXAMPLE, **{"Idempotency-Key": "k"})
    expected = email_service_pb2.SendEmailRequest(
        request_id="k",
        out_id="order-1001",
        biz_key="SIGNUP",
        language="zh_CN",
        subject="subject",
        from_address="cloud@xcan.cloud",
        to=["user1@xcancloud.com", "user2@xcancloud.com"],
        cc=["demo@xcancloud.com"],
        custom=email_service_pb2.CustomBody(html="<p>%verificationCode%</p>"),
        copy_mode=email_pb2.COPY_MODE_SHARED,
    )
    expected.verification.validity.seconds = 300
    assert message == expected


@pytest.mark.parametrize(
    "params",
    [
        {str(i): 1 for i in range(501)},
        {f"{i}@example.com": {} for i in range(501)},
        {"x@example.com": {str(i): 1 for i in range(501)}},
    ],
)
async def test_e6_more_parameters_than_500_go_no_further(params: dict[str, Any]) -> None:
    scripted = Scripted({"SendEmail": [refused("INVALID_ARGUMENT", "INVALID_FIELD")]})
    answer = await scripted.ask("POST /api/v1/email", {**TEMPLATE, "templateParams": params})
    assert answer.json["ext"]["eKey"] == "param_validation_error"
    assert answer.json["ext"]["violations"][0]["field"] == "templateParams"
    # What was asked is whether this caller may send, nothing else.
    assert [asked.message for asked in scripted.calls] == [email_service_pb2.SendEmailRequest()]


async def test_a_template_is_always_one_copy_each() -> None:
    message = await sent({**TEMPLATE, "batch": True})
    assert message.copy_mode == email_pb2.COPY_MODE_SEPARATE
    assert message.WhichOneof("body") == "template"
    assert message.template.invoke_name == ""


@pytest.mark.parametrize(
    ("params", "shared", "single"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": "1"}, {}),
        ({"a": 1, "b": {}}, {"a": "1", "b": {}}, {}),
        ({"x@example.com": {"a": 1}}, {"a": "1"}, {}),
        ({"additionalProperties": {}}, {}, {}),
        (
            {"x@example.com": {"a": 1}, "y@example.com": {"a": True}},
            {},
            {"x@example.com": {"a": "1"}, "y@example.com": {"a": True}},
        ),
    ],
)
async def test_parameters_are_nested_when_every_value_is_an_object(
    params: Any, shared: Any, single: Any
) -> None:
    template = (await sent({**TEMPLATE, "templateParams": params})).template
    assert _plain(template.params) == shared
    assert {address: _plain(each) for address, each in template.recipient_params.items()} == single


async def test_an_audience_is_handed_on_with_its_ids_and_codes() -> None:
    body = {**SEND, "toAddress": [], "receiveObjectType": "to_policy", "receiveObjectIds": ["1", 2, 1],
            "receivePolicyCodes": ["p", "p"]}  # fmt: skip
    audience = audience_pb2.Audience(
        type=audience_pb2.AUDIENCE_TYPE_TO_POLICY, object_ids=[1, 2], policy_codes=["p"]
    )
    assert (await sent(body)).audience == audience
    assert not (await sent(SEND)).HasField("audience")
    code = {**body, "verificationCode": True, "bizKey": "SIGNIN"}
    assert not (await sent(code)).HasField("audience")


@pytest.mark.parametrize("has_scope", [True, False])
async def test_only_the_platform_names_tenants_and_users(has_scope: bool) -> None:
    scripted = Scripted({"SendEmail": [OK], "GetTenant": [TENANT if has_scope else SCOPE_MISSING]})
    body = {**SEND, "sendTenantId": "8", "sendUserId": 9}
    for _ in range(3):
        assert (await scripted.ask("POST /api/v1/email", body)).status == 200
    assert scripted.methods == ["GetTenant", "SendEmail", "SendEmail", "SendEmail"]
    message = scripted.calls[1].message
    assert message.HasField("tenant_id") is message.HasField("sender_user_id") is has_scope
    assert (message.tenant_id, message.sender_user_id) == ((8, 9) if has_scope else (0, 0))


async def test_zero_is_unset_and_asks_nobody() -> None:
    scripted = Scripted({"SendEmail": [OK]})
    await scripted.ask("POST /api/v1/email", {**SEND, "sendTenantId": 0, "sendUserId": "0"})
    assert scripted.methods == ["SendEmail"]
    assert not scripted.calls[0].message.HasField("tenant_id")


async def test_a_bad_token_that_names_a_tenant_is_a_bad_token() -> None:
    scripted = Scripted({"GetTenant": [refused("UNAUTHENTICATED", "TOKEN_INVALID")]})
    answer = await scripted.ask("POST /api/v1/email", {**SEND, "sendTenantId": 8})
    assert (answer.status, answer.key) == (401, "invalid_token")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("to", "toAddress"), ("to[0]", "toAddress[0]"), ("to[1]", "toAddress[2]"), ("cc[0]", "ccAddress[0]"),
        ("out_id", "outId"), ("biz_key", "bizKey"), ("from_address", "fromAddress"), ("subject", "subject"),
        ("language", "language"), ("schedule_time", "expectedSendDate"), ("custom.html", "content"),
        ("custom.text", "content"), ("custom", "content"), ("request_id", "Idempotency-Key"),
        ("tenant_id", "sendTenantId"), ("sender_user_id", "sendUserId"), ("copy_mode", "batch"),
        ("verification.validity", "verificationCodeValidSecond"), ("audience", "receiveObjectType"),
        ("audience.object_ids", "receiveObjectIds"), ("audience.policy_codes[0]", "receivePolicyCodes[0]"),
        ("attachments", "attachments"), ("attachments[1].url", "attachments[2].url"),
        ("attachments[0].name", "attachments[0].name"), ("attachments[7]", "attachments[7]"),
        ("template.params", "templateParams"), ("template.params.a.b", "templateParams.a.b"),
        ("template.recipient_params", "templateParams"),
        ("template.recipient_params['a@b.c']", 'templateParams["a@b.c"]'),
        ("template.recipient_params['a@b.c'].n.m", 'templateParams["a@b.c"].n.m'),
        ('template.recipient_params["a\'b@b.c"].n', 'templateParams["a\'b@b.c"].n'), ("urgent", "urgent"),
    ],
)  # fmt: skip
async def test_paths_of_the_contract_have_the_documents_names(path: str, name: str) -> None:
    violations = (Violation(path, "is wrong", "INVALID_FIELD"),)
    scripted = Scripted({"SendEmail": [refused("INVALID_ARGUMENT", "INVALID_FIELD", violations=violations)]})
    file = {"name": "a", "url": "u"}
    body = {
        **SEND,
        "toAddress": ["x@example.com", ["x@example.com", "y@example.com"]],
        "ccAddress": ["z@example.com"],
        "receivePolicyCodes": ["p"],
        "attachments": [file, file, {"name": "b", "url": "u"}],
    }
    answer = await scripted.ask("POST /api/v1/email", body)
    assert answer.fields == [name]


async def test_a_value_of_a_single_address_is_named_under_it() -> None:
    violations = (Violation("template.params.name", "has no value", "TEMPLATE_VARIABLE_INVALID"),)
    refusal = refused("INVALID_ARGUMENT", "TEMPLATE_VARIABLE_INVALID", violations=violations)
    scripted = Scripted({"SendEmail": [refusal]})
    answer = await scripted.ask("POST /api/v1/email", {**TEMPLATE, "templateParams": {"a@b.c": {}}})
    assert answer.fields == ['templateParams["a@b.c"].name']


async def test_only_keyed_sends_are_repeated() -> None:
    scripted = Scripted({"SendEmail": [OK]})
    await scripted.ask("POST /api/v1/email", SEND)
    await scripted.ask("POST /api/v1/email", SEND, headers={"Idempotency-Key": "k"})
    assert [asked.repeatable for asked in scripted.calls] == [False, True]


@pytest.mark.parametrize("field", ["toAddress", "ccAddress"])
async def test_five_hundred_addresses_and_one_more(field: str) -> None:
    addresses = [f"a{i}@example.com" for i in range(500)]
    message = await sent({**SEND, field: [addresses, addresses[:100]]})
    assert list(message.to if field == "toAddress" else message.cc) == addresses
    answer = await Scripted({"SendEmail": [OK]}).ask(
        "POST /api/v1/email", {**SEND, field: [*addresses, "b@example.com"]}
    )
    assert (answer.status, answer.key, answer.fields) == (400, "param_validation_error", [field])


async def test_five_hundred_parameters_and_one_more() -> None:
    params = {f"p{i}": i for i in range(500)}
    assert len((await sent({**TEMPLATE, "templateParams": params})).template.params.fields) == 500
    for body in (TEMPLATE, SEND):
        asked = {**body, "templateParams": {**params, "more": 1}}
        answer = await Scripted({"SendEmail": [OK]}).ask("POST /api/v1/email", asked)
        assert (answer.key, answer.fields) == ("param_validation_error", ["templateParams"])


@pytest.mark.parametrize("field", ["receiveObjectIds", "receivePolicyCodes"])
async def test_five_hundred_receivers_and_one_more(field: str) -> None:
    many = [str(i) for i in range(500)]
    assert (await sent({**SEND, "receiveObjectType": "POLICY", field: many})).HasField("audience")
    answer = await Scripted({"SendEmail": [OK]}).ask("POST /api/v1/email", {**SEND, field: [*many, "500"]})
    assert (answer.key, answer.fields) == ("param_validation_error", [field])


async def test_attachments_are_urls() -> None:
    files = [{"name": f"{i}", "url": f"https://files.example/{i}"} for i in range(10)]
    message = await sent({**SEND, "attachments": files})
    assert [(file.name, file.url) for file in message.attachments] == [(f["name"], f["url"]) for f in files]


MISMATCH = refused("ALREADY_EXISTS", "IDEMPOTENCY_MISMATCH")


async def test_a_date_that_is_over_by_the_time_of_the_repetition_is_still_the_same_body() -> None:
    scripted = Scripted({"SendEmail": [OK, MISMATCH, OK]})
    body = {**SEND, "expectedSendDate": "2026-06-01T12:00:01Z"}
    for _ in range(2):
        answer = await scripted.ask("POST /api/v1/email", body, headers={"Idempotency-Key": "k"})
        assert answer.status == 200
        scripted.clock.advance(5000)
    urgent = [asked.message.urgent for asked in scripted.calls]
    assert urgent == [False, True, False]
    assert scripted.calls[0].message == scripted.calls[2].message


async def test_another_body_under_the_same_key_is_another_body() -> None:
    scripted = Scripted({"SendEmail": [MISMATCH]})
    late = {**SEND, "expectedSendDate": "2020-01-01 00:00:00"}
    for body, calls in ((SEND, 1), ({**late, "urgent": True}, 1), (late, 2)):
        scripted.calls.clear()
        answer = await scripted.ask("POST /api/v1/email", body, headers={"Idempotency-Key": "k"})
        assert (answer.status, answer.key, len(scripted.calls)) == (409, "resource_already_exists", calls)


@pytest.mark.parametrize(
    ("date", "seconds", "urgent"),
    [("11:59:59", -1, True), ("12:00:00", 0, True), ("12:00:01", 1, False)],
)
async def test_a_date_that_is_over_goes_ahead_of_the_queue(date: str, seconds: int, urgent: bool) -> None:
    message = await sent({**SEND, "expectedSendDate": f"2026-06-01T{date}Z"})
    assert (message.schedule_time.seconds, message.urgent) == (NOON // 1000 + seconds, urgent)


async def test_the_default_language_is_a_setting_and_may_be_the_tenants() -> None:
    for setting in ("en_US", ""):
        scripted = Scripted({"SendEmail": [OK]}, default_language=setting)
        await scripted.ask("POST /api/v1/email", SEND)
        assert scripted.calls[0].message.language == setting


_numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_values = st.recursive(
    st.none() | st.booleans() | _numbers | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=8,
)
_names = st.sampled_from(list(SCHEMAS["AngusGmSend"]["properties"]))


@settings(max_examples=300)
@given(st.dictionaries(_names | st.text(), _values), st.booleans())
async def test_any_object_is_sent_or_refused(fields: dict[str, Any], is_whole: bool) -> None:
    body = {**SEND, **fields} if is_whole else fields
    scripted = Scripted({"SendEmail": [OK], "GetTenant": [TENANT]})
    answer = await scripted.ask("POST /api/v1/email", body)
    assert answer.status in (200, 400)
    assert answer.key in ("", "param_parsing_error", "param_validation_error")
    assert bool(answer.key) is bool(answer.fields)
    assert all(visitor.credential == TOKEN for visitor in scripted.visitors)


@given(st.binary(max_size=40) | _values.map(lambda value: json.dumps(value).encode()))
async def test_any_bytes_are_answered(raw: bytes) -> None:
    scripted = Scripted({"SendEmail": [OK]})
    answer = await scripted.ask("POST /api/v1/email", raw=raw)
    assert (answer.status, answer.json["data"]) == (400, None)


def _plain(struct: Any) -> Any:
    return {
        name: _plain(value.struct_value) if value.HasField("struct_value")
        else value.bool_value if value.HasField("bool_value") else value.string_value
        for name, value in struct.fields.items()
    }  # fmt: skip
