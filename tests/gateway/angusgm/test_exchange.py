"""Whom the dialect talks to: tokens before anything else, and bodies only of those who may send them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.angusgm.scripted import SEND, Scripted, refused
from postroom.v1 import email_service_pb2
from postroom_server.gateway.angusgm.exchange import _is_json
from postroom_server.gateway.body import Bodies

OK = email_service_pb2.SendEmailResponse(id=301)
INVALID = refused("UNAUTHENTICATED", "TOKEN_INVALID")
FORBIDDEN = refused("PERMISSION_DENIED", "SCOPE_MISSING", metadata={"scope": "send"})
NOT_FOUND = refused("NOT_FOUND", "EMAIL_NOT_FOUND")
# What is wrong with each request is found here, before the product is asked.
WRONG = {
    "POST /api/v1/email": ("SendEmail", {}),
    "DELETE /api/v1/email": ("BatchDeleteEmails", None),
    "GET /api/v1/email?pageNo=0": ("GetEmail", None),
    "GET /api/v1/email/x": ("GetEmail", None),
    "POST /api/v1/email/server/test": ("SendTestEmail", {}),
    "GET /api/v1/email/verificationCode/check": ("CheckVerificationCode", None),
    "GET /api/nowhere": ("GetEmail", None),
    "PUT /api/v1/email": ("GetEmail", None),
}
STATUSES = {"GET /api/nowhere": 404, "PUT /api/v1/email": 405}


@pytest.mark.parametrize("target", WRONG)
async def test_a_bad_token_is_told_first_and_counted_once(target: str) -> None:
    method, body = WRONG[target]
    scripted = Scripted({method: [INVALID]})
    answer = await scripted.ask(target, body)
    assert (answer.status, answer.key) == (401, "invalid_token")
    assert scripted.methods == [method]


@pytest.mark.parametrize("target", WRONG)
async def test_what_is_wrong_is_told_to_those_who_may_ask(target: str) -> None:
    method, body = WRONG[target]
    scripted = Scripted({method: [NOT_FOUND]})
    answer = await scripted.ask(target, body)
    assert answer.status == STATUSES.get(target, 400)
    assert scripted.methods == [method]


@pytest.mark.parametrize("target", WRONG)
async def test_a_missing_scope_goes_before_it_but_not_before_an_unknown_route(target: str) -> None:
    method, body = WRONG[target]
    answer = await Scripted({method: [FORBIDDEN]}).ask(target, body)
    assert answer.status == STATUSES.get(target, 403)


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (refused("RESOURCE_EXHAUSTED", "RATE_LIMITED"), 429),
        (refused("UNAVAILABLE", "STORE_UNAVAILABLE"), 503),
        (refused("INTERNAL", "INTERNAL"), 500),
    ],
    ids=str,
)
@pytest.mark.parametrize("target", WRONG)
async def test_so_do_a_rate_that_is_exceeded_and_a_server_that_fails(
    target: str, refusal: Exception, status: int
) -> None:
    method, body = WRONG[target]
    assert (await Scripted({method: [refusal]}).ask(target, body)).status == status


@pytest.mark.parametrize("target", WRONG)
async def test_without_a_token_nobody_is_asked(target: str) -> None:
    scripted = Scripted({})
    answer = await scripted.ask(target, headers={"Authorization": "Digest x"})
    assert (answer.status, answer.key, scripted.calls) == (401, "unauthorized", [])


async def test_a_refusal_of_the_product_is_not_asked_for_twice() -> None:
    scripted = Scripted({"SendEmail": [INVALID]})
    assert (await scripted.ask("POST /api/v1/email", SEND)).status == 401
    assert scripted.methods == ["SendEmail"]


@pytest.mark.parametrize("size", [None, "70000", "chunked"])
async def test_only_small_bodies_are_read_of_strangers(size: str | None) -> None:
    scripted = Scripted({"SendEmail": [INVALID]})
    headers = {} if size is None else {"Content-Length": size}
    answer = await scripted.ask("POST /api/v1/email", SEND, headers=headers)
    assert (answer.status, len(scripted.calls)) == (401, 1)
    assert bool(scripted.calls[0].message.to) is (size is None)


async def test_a_body_beyond_the_limit() -> None:
    scripted = Scripted({"SendEmail": [OK]})
    answer = await scripted.ask("POST /api/v1/email", raw=b" " * ((26 << 20) + 1))
    assert (answer.status, answer.key) == (413, "payload_too_large")
    answer = await scripted.ask("POST /api/v1/email", raw=b" " * (26 << 20))
    assert (answer.status, answer.key) == (400, "param_parsing_error")


async def test_too_many_bodies_at_once() -> None:
    scripted = Scripted({"SendEmail": [OK]})
    answer = await scripted.ask("POST /api/v1/email", SEND, bodies=Bodies(10))
    assert (answer.status, answer.key, answer.headers["retry-after"]) == (503, "unavailable", "1")


async def test_the_visitor_is_who_the_application_says() -> None:
    scripted = Scripted({"SendEmail": [OK]})
    await scripted.ask("POST /api/v1/email", SEND, headers={"Authorization": "bEARER  s3cret "})
    (visitor,) = scripted.visitors
    assert (visitor.credential, visitor.address, visitor.request_id) == ("s3cret", "192.0.2.7", "r-1")


@pytest.mark.parametrize(
    ("content_type", "encoding", "is_json"),
    [
        ("application/json", "", True), ("application/json; charset=utf-8", "", True),
        ("Application/JSON;charset=\"UTF-8\"", "", True), ("application/problem+json", "", True),
        ("application/json;charset=us-ascii", "", True), ("", "", True),
        ("application/json", "identity", True), ("application/json;version=1", "", True),
        ("text/json", "", False), ("application/xml", "", False),
        ("application/json;charset=gb18030", "", False), ("application/json", "gzip", False),
        ("application/jsonp", "", False), ("multipart/form-data; boundary=x", "", False),
        ("application/x-www-form-urlencoded", "", False), ("application/+json", "", False), (";", "", True),
    ],
)  # fmt: skip
def test_content_types(content_type: str, encoding: str, is_json: bool) -> None:
    assert _is_json(content_type, encoding) is is_json


@pytest.mark.parametrize("answer", [OK, INVALID, ValueError("a bug")], ids=str)
async def test_head_has_the_headers_and_no_body(answer: Any) -> None:
    scripted = Scripted({"GetEmail": [answer]})
    for path in ("/api/v1/email/7", "/api/v1/email/x", "/api/v1/email/server/test", "/api/v1/nowhere"):
        head, get = [await scripted.ask(f"{method} {path}") for method in ("HEAD", "GET")]
        assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
