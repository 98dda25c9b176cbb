"""Row E5: what callers put into filters, orders and page tokens is data."""

from __future__ import annotations

import pytest

from postroom.v1 import email_service_pb2, filter_pb2
from postroom_server.mail.caller import Scope
from serving import ACME, WITHOUT_PLATFORM, Served, served

__all__ = ["served"]

LISTS = {
    "EmailService.ListEmails": ("out_id", {}),
    "TemplateService.ListTemplates": ("invoke_name", {}),
    "TemplateService.ListBindings": ("biz_key", {}),
    "MailServerService.ListMailServers": ("name", {}),
    "TokenService.ListTokens": ("name", {}),
    "TenantService.ListTenants": ("name", {}),
}
INJECTIONS = [
    "' OR '1'='1", "x'; DROP TABLE email; --", '" OR 1=1', "%", "_", "\\", "%s", "?", ":1", "\0", "字' --",
    "1) UNION SELECT secret_hash FROM token --", "x" * 800,
]  # fmt: skip


@pytest.fixture
async def secret(served: Served) -> str:
    secret = await served.token("curious", ACME, WITHOUT_PLATFORM | {Scope.PLATFORM})
    await served.add_server(ACME, from_address="noreply@acme.example")
    for number in range(3):
        told = await served.call(
            "EmailService.SendEmail", secret, to=["x@example.com"], subject="s", out_id=f"o{number}",
            custom=email_service_pb2.CustomBody(text="t"),
        )  # fmt: skip
        assert told.code == "OK"
    return secret


def equal(field: str, *values: str) -> filter_pb2.Filter:
    operator = filter_pb2.FILTER_OPERATOR_IN if len(values) != 1 else filter_pb2.FILTER_OPERATOR_EQUAL
    return filter_pb2.Filter(field=field, operator=operator, values=values)


@pytest.mark.parametrize("method", LISTS)
async def test_e5_values_are_bound(served: Served, secret: str, method: str) -> None:
    field, more = LISTS[method]
    for text in INJECTIONS:
        for operator in (
            filter_pb2.FILTER_OPERATOR_EQUAL,
            filter_pb2.FILTER_OPERATOR_CONTAINS,
            filter_pb2.FILTER_OPERATOR_STARTS_WITH,
            filter_pb2.FILTER_OPERATOR_IN,
        ):
            wanted = filter_pb2.Filter(field=field, operator=operator, values=[text])
            told = await served.call(method, secret, filters=[wanted], **more)
            assert told.code in ("OK", "INVALID_ARGUMENT"), (text, told)
            assert not told.messages or told.message.total_size == 0, (text, told)


@pytest.mark.parametrize("method", LISTS)
async def test_e5_fields_and_orders_are_those_of_a_list(served: Served, secret: str, method: str) -> None:
    for text in [*INJECTIONS, "secret_hash", "sealed_password", "tenant_id.id", "__class__", "content"]:
        told = await served.call(method, secret, filters=[equal(text, "x")])
        assert (told.code, told.reason) == ("INVALID_ARGUMENT", "UNSUPPORTED_FILTER"), (text, told)
        assert told.fields == ["filters[0].field"]
        told = await served.call(method, secret, order_by=text)
        assert (told.code, told.reason) == ("INVALID_ARGUMENT", "UNSUPPORTED_ORDER_BY"), (text, told)
        told = await served.call(method, secret, page_token=text)
        assert (told.code, told.reason) == ("INVALID_ARGUMENT", "INVALID_PAGE_TOKEN"), (text, told)
        told = await served.call(method, secret, order_by=f"id; {text}")
        assert told.reason == "UNSUPPORTED_ORDER_BY"


async def test_e5_filters_and_their_values_are_limited(served: Served, secret: str) -> None:
    def asked(count: int, values: int = 1) -> list[filter_pb2.Filter]:
        return [equal("out_id", *(f"o{n}" for n in range(values))) for _ in range(count)]

    for filters, code in (
        (asked(40), "OK"),
        (asked(41), "INVALID_ARGUMENT"),
        (asked(1, 1000), "OK"),
        (asked(1, 1001), "INVALID_ARGUMENT"),
        ([equal("out_id", "x" * 800)], "OK"),
        ([equal("out_id", "x" * 801)], "INVALID_ARGUMENT"),
    ):
        told = await served.call("EmailService.ListEmails", secret, filters=filters)
        assert told.code == code, told


async def test_e5_what_was_asked_for_is_what_is_found(served: Served, secret: str) -> None:
    told = await served.call(
        "EmailService.ListEmails", secret, filters=[equal("out_id", "o0", "o2", "' OR 1=1")]
    )
    assert sorted(found.out_id for found in told.message.emails) == ["o0", "o2"]
    assert (await served.call("EmailService.ListEmails", secret)).message.total_size == 3
