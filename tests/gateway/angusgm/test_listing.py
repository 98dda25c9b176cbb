"""Pages of this API out of the product's, which are smaller."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.angusgm.scripted import SCOPE_MISSING, Scripted, refused
from postroom.v1 import email_pb2, email_service_pb2, filter_pb2, tenant_service_pb2
from postroom_server.gateway.angusgm.listing import Listing
from postroom_server.gateway.body import Bodies
from postroom_server.gateway.refused import Violation

BASIC, DETAIL = email_pb2.EMAIL_VIEW_BASIC, email_pb2.EMAIL_VIEW_DETAIL
SUCCESS = email_pb2.EMAIL_STATE_SUCCESS


def email(id_: int, **fields: Any) -> email_pb2.Email:
    return email_pb2.Email(id=id_, state=SUCCESS, **fields)


def page(first: int, last: int, token: str = "", total: int = 0) -> email_service_pb2.ListEmailsResponse:
    rows = [email(i) for i in range(first, last + 1)]
    return email_service_pb2.ListEmailsResponse(emails=rows, next_page_token=token, total_size=total)


async def test_a_page_of_two_thousand_takes_two_calls() -> None:
    scripted = Scripted({"ListEmails": [page(1, 1000, "a", 9000), page(1001, 2000, "b")]})
    answer = await scripted.ask("GET /api/v1/email?pageSize=2000&pageNo=3&infoScope=BASIC&html=true")
    data = answer.json["data"]
    assert (data["total"], len(data["list"]), data["list"][-1]["id"]) == ("9000", 2000, "2000")
    first, second = [asked.message for asked in scripted.calls]
    assert (first.page_size, first.skip, first.page_token, first.view) == (1000, 4000, "", BASIC)
    assert (second.page_size, second.skip, second.page_token) == (1000, 0, "a")
    assert (first.count, second.count) == (filter_pb2.COUNT_EXACT, filter_pb2.COUNT_NONE)
    assert (first.filters, first.order_by) == (second.filters, second.order_by)
    assert all(asked.repeatable for asked in scripted.calls)


async def test_pages_that_the_product_ends_early_are_gone_on_with() -> None:
    scripted = Scripted({"ListEmails": [page(1, 3, "a", 9), page(4, 4, "b"), page(5, 5)]})
    data = (await scripted.ask("GET /api/v1/email?pageSize=7&infoScope=BASIC")).json["data"]
    assert [row["id"] for row in data["list"]] == ["1", "2", "3", "4", "5"]
    assert [asked.message.page_size for asked in scripted.calls] == [7, 4, 3]
    # The list ended here, whatever was counted before.
    assert data["total"] == "5"


async def test_a_page_beyond_sixty_four_mebibytes_says_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Listing.__init__, "__kwdefaults__", {"most_bytes": 700})
    scripted = Scripted({"ListEmails": [page(1, 1), page(1, 3)]})
    assert (await scripted.ask("GET /api/v1/email?infoScope=BASIC")).status == 200
    answer = await scripted.ask("GET /api/v1/email?infoScope=BASIC", headers={"X-Lang": "en"})
    assert (answer.status, answer.key, answer.fields) == (400, "param_validation_error", ["pageSize"])
    assert "use infoScope=BASIC or a smaller pageSize" in answer.json["msg"]


async def test_e6_pages_under_way_have_a_limit_together() -> None:
    scripted = Scripted({"ListEmails": [page(1, 3), page(1, 3)]})
    bodies = Bodies(3000)
    asked = "GET /api/v1/email?infoScope=BASIC"
    assert (await scripted.ask(asked, bodies=bodies)).status == 200
    assert bodies.bytes > 700
    bodies.take({}, 3000 - bodies.bytes)
    answer = await scripted.ask(asked, bodies=bodies)
    assert (answer.status, answer.key, answer.headers["retry-after"]) == (503, "unavailable", "1")


def test_sixty_four_mebibytes() -> None:
    assert (Listing.__init__.__kwdefaults__ or {})["most_bytes"] == 64 * 1024 * 1024


async def test_a_row_that_the_product_has_shortened_is_fetched_whole() -> None:
    short, whole = email(1), email(1, html=True)
    short.counts.total = whole.counts.total = 2
    whole.recipients.add(address="x@example.com", role=1, state=1)
    gone = email(2)
    gone.counts.total = 1
    listed = email_service_pb2.ListEmailsResponse(emails=[short, gone], total_size=2)
    got = [email_service_pb2.GetEmailResponse(email=whole), refused("NOT_FOUND", "EMAIL_NOT_FOUND")]
    scripted = Scripted({"ListEmails": [listed], "GetEmail": got})
    data = (await scripted.ask("GET /api/v1/email")).json["data"]
    assert [(row["html"], len(row["recipients"])) for row in data["list"]] == [(True, 1), (False, 0)]
    assert scripted.methods == ["ListEmails", "GetEmail", "GetEmail"]
    assert scripted.calls[0].message.view == DETAIL
    assert (await Scripted({"ListEmails": [listed]}).ask("GET /api/v1/email?infoScope=BASIC")).status == 200


@pytest.mark.parametrize("has_scope", [True, False])
async def test_the_platform_may_look_at_another_tenants_list(has_scope: bool) -> None:
    tenant = tenant_service_pb2.GetTenantResponse() if has_scope else SCOPE_MISSING
    scripted = Scripted({"ListEmails": [page(1, 1)], "GetTenant": [tenant]})
    for query in ("sendTenantId=8", "filters[0].key=sendTenantId&filters[0].op=EQUAL&filters[0].value=8"):
        assert (await scripted.ask(f"GET /api/v1/email?infoScope=BASIC&{query}")).status == 200
        message = scripted.calls[-1].message
        assert message.HasField("tenant_id") is has_scope
        assert (message.filters[0].field, list(message.filters[0].values)) == ("tenant_id", ["8"])
    await scripted.ask("GET /api/v1/email?filters[0].key=sendTenantId&filters[0].op=IN&filters[0].value=8")
    assert not scripted.calls[-1].message.HasField("tenant_id")


@pytest.mark.parametrize(
    ("query", "order_by"),
    [
        ("", "id desc"), ("orderBy=id", "id desc"), ("orderSort=ASC", "id"),
        ("orderBy=id&orderSort=DESC", "id desc"), ("orderBy=actualSendDate", "settle_time desc"),
        ("orderBy=actualSendDate&orderSort=ASC", "settle_time"),
        ("orderBy=expectedSendDate&orderSort=DESC", "schedule_time desc"), ("orderBy=&orderSort=", "id desc"),
    ],
)  # fmt: skip
async def test_orders(query: str, order_by: str) -> None:
    scripted = Scripted({"ListEmails": [page(1, 1)]})
    await scripted.ask(f"GET /api/v1/email?infoScope=BASIC&{query}")
    assert scripted.calls[0].message.order_by == order_by


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("filters[0].values[0]", "outId"), ("filters[1].values[0]", "filters[7].value"),
        ("filters", "filters"), ("filters[9].field", "filters[9].field"), ("skip", "pageNo"),
        ("page_size", "pageSize"),
        ("order_by", "orderBy"), ("view", "infoScope"), ("count", "count"),
    ],
)  # fmt: skip
async def test_paths_of_the_contract_have_the_documents_names(path: str, name: str) -> None:
    refusal = refused(
        "INVALID_ARGUMENT", "INVALID_FIELD", violations=(Violation(path, "is wrong", "INVALID_FIELD"),)
    )
    answer = await Scripted({"ListEmails": [refusal]}).ask(
        "GET /api/v1/email?outId=a&filters[7].key=outId&filters[7].op=MATCH&filters[7].value=b"
    )
    assert answer.fields == [name]
