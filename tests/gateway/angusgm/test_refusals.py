"""Everything that the product may refuse with, as this API says it."""

from __future__ import annotations

import grpc
import pytest

from gateway.angusgm.scripted import SEND, Scripted, refused
from postroom.v1 import error_reason_pb2
from postroom_server.gateway.refused import Refused, Violation
from postroom_server.refusals import Reason

# Reasons that no call of this dialect meets are here too: a table with holes is read as one without.
ANSWERED = {
    Reason.INVALID_FIELD: (400, "E0", "param_validation_error"),
    Reason.NO_RECIPIENTS: (400, "E0", "protocol_error"),
    Reason.BIZ_KEY_REQUIRED: (400, "E0", "protocol_error"),
    Reason.SENDER_NOT_ALLOWED: (400, "E0", "protocol_error"),
    Reason.TEMPLATE_VARIABLE_INVALID: (400, "E0", "template_variable_missing"),
    Reason.TEMPLATE_CONTENT_INVALID: (400, "E0", "param_validation_error"),
    Reason.UNSAFE_CONTENT: (400, "E0", "param_validation_error"),
    Reason.ATTACHMENT_REFUSED: (400, "E0", "protocol_error"),
    Reason.INVALID_PAGE_TOKEN: (400, "E0", "param_validation_error"),
    Reason.INVALID_CURSOR: (400, "E0", "param_validation_error"),
    Reason.UNSUPPORTED_FILTER: (400, "E0", "unsupported_filter_field"),
    Reason.UNSUPPORTED_ORDER_BY: (400, "E0", "unsupported_order_by"),
    Reason.EMAIL_NOT_FOUND: (404, "E0", "resource_not_found"),
    Reason.DELIVERY_NOT_FOUND: (404, "E0", "resource_not_found"),
    Reason.TEMPLATE_NOT_FOUND: (404, "E0", "resource_not_found"),
    Reason.TEMPLATE_VERSION_NOT_FOUND: (404, "E0", "resource_not_found"),
    Reason.BINDING_NOT_FOUND: (404, "E0", "resource_not_found"),
    Reason.MAIL_SERVER_NOT_FOUND: (404, "E0", "resource_not_found"),
    Reason.TENANT_NOT_FOUND: (404, "E0", "resource_not_found"),
    Reason.TOKEN_NOT_FOUND: (404, "E0", "resource_not_found"),
    Reason.SUPPRESSION_NOT_FOUND: (404, "E0", "resource_not_found"),
    Reason.MEMBER_NOT_FOUND: (404, "E0", "resource_not_found"),
    Reason.DKIM_KEY_NOT_FOUND: (404, "E0", "resource_not_found"),
    Reason.IDEMPOTENCY_MISMATCH: (409, "E0", "resource_already_exists"),
    Reason.TEMPLATE_EXISTS: (409, "E0", "resource_already_exists"),
    Reason.MAIL_SERVER_EXISTS: (409, "E0", "resource_already_exists"),
    Reason.TENANT_EXISTS: (409, "E0", "resource_already_exists"),
    Reason.TOKEN_EXISTS: (409, "E0", "resource_already_exists"),
    Reason.DKIM_KEY_EXISTS: (409, "E0", "resource_already_exists"),
    Reason.NO_MAIL_SERVER: (400, "E0", "protocol_error"),
    Reason.NOT_BOUND: (200, "BEM4001", "BEM4001"),
    Reason.TEMPLATE_NOT_APPROVED: (200, "E1", "template_not_approved"),
    Reason.TEMPLATE_REVIEW_STATE: (400, "E0", "protocol_error"),
    Reason.TEMPLATE_BREAKING_CHANGE: (400, "E0", "protocol_error"),
    Reason.TOO_LATE: (400, "E0", "protocol_error"),
    Reason.NOT_HELD: (400, "E0", "protocol_error"),
    Reason.NOTHING_TO_RETRY: (400, "E0", "protocol_error"),
    Reason.TENANT_PAUSED: (400, "E0", "protocol_error"),
    Reason.CURSOR_EXPIRED: (400, "E0", "protocol_error"),
    Reason.VERSION_MISMATCH: (500, "E2", "internal_error"),
    Reason.TOKEN_MISSING: (401, "E0", "unauthorized"),
    Reason.TOKEN_INVALID: (401, "E0", "invalid_token"),
    Reason.SCOPE_MISSING: (403, "E0", "forbidden"),
    Reason.TENANT_FORBIDDEN: (403, "E0", "forbidden"),
    Reason.RATE_LIMITED: (429, "E0", "too_many_requests"),
    Reason.CODE_RATE_LIMITED: (429, "E0", "too_many_requests"),
    Reason.BACKLOG_FULL: (503, "E2", "unavailable"),
    Reason.TEMPLATE_LIMIT: (200, "E3", "quota_exceeded"),
    Reason.MAIL_SERVER_LIMIT: (200, "BEM103", "BEM103"),
    Reason.READER_TOO_SLOW: (503, "E2", "unavailable"),
    Reason.OVERLOADED: (503, "E2", "unavailable"),
    Reason.STORE_UNAVAILABLE: (503, "E2", "unavailable"),
    Reason.SHUTTING_DOWN: (503, "E2", "unavailable"),
    Reason.DISK_FULL: (503, "E2", "unavailable"),
    Reason.INTERNAL: (500, "E2", "internal_error"),
    Reason.DEADLINE_EXCEEDED: (503, "E2", "unavailable"),
    Reason.UNIMPLEMENTED: (500, "E2", "internal_error"),
}


async def answered(refusal: BaseException) -> tuple[int, str, str]:
    answer = await Scripted({"SendEmail": [refusal]}).ask("POST /api/v1/email", SEND)
    assert answer.json["data"] is None
    return answer.status, answer.json["code"], answer.key


def test_every_reason_of_the_contract_is_in_the_table() -> None:
    names = {name.removeprefix("ERROR_REASON_") for name, _ in error_reason_pb2.ErrorReason.items()}
    assert names - {"UNSPECIFIED"} == {reason.value for reason in ANSWERED}


@pytest.mark.parametrize("reason", ANSWERED)
async def test_each_reason_has_its_status_code_and_key(reason: Reason) -> None:
    plain = refused(reason.code.value, reason.value, message="secret words")
    violations = (Violation("to[0]", "is wrong", reason.value),)
    assert await answered(plain) == ANSWERED[reason]
    assert await answered(refused(reason.code.value, reason.value, violations=violations)) == ANSWERED[reason]


@pytest.mark.parametrize(
    ("refusal", "answer"),
    [
        (refused("UNAVAILABLE", message="connection refused"), (503, "E2", "unavailable")),
        (refused("DEADLINE_EXCEEDED"), (503, "E2", "unavailable")),
        (refused("INTERNAL"), (500, "E2", "internal_error")),
        (refused("UNKNOWN", message="a trace"), (500, "E2", "internal_error")),
        (refused("CANCELLED"), (500, "E2", "internal_error")),
        (refused("UNIMPLEMENTED", message="Method not found!"), (500, "E2", "internal_error")),
        (refused("RESOURCE_EXHAUSTED", message="Received message larger than max (9 vs. 8)"),
         (413, "E0", "payload_too_large")),
        (refused("RESOURCE_EXHAUSTED", message="Sent message larger than max (9 vs. 8)"),
         (500, "E2", "internal_error")),
        (refused("RESOURCE_EXHAUSTED", message="CLIENT: Received message larger than max (9 vs. 8)"),
         (500, "E2", "internal_error")),
        (refused("RESOURCE_EXHAUSTED", message="SERVER: Received message larger than max (9 vs. 8)"),
         (413, "E0", "payload_too_large")),
        (ZeroDivisionError("a bug"), (500, "E2", "internal_error")),
    ],
    ids=str,
)  # fmt: skip
async def test_what_comes_without_a_reason(refusal: BaseException, answer: tuple[int, str, str]) -> None:
    assert await answered(refusal) == answer


@pytest.mark.parametrize(
    "refusal",
    [
        refused("UNKNOWN", message="secret words"),
        refused("INTERNAL", "INTERNAL", message="secret words"),
        refused("UNAVAILABLE", message="secret words"),
        RuntimeError("secret words"),
    ],
    ids=str,
)
async def test_no_internals_are_told(refusal: BaseException) -> None:
    answer = await Scripted({"SendEmail": [refusal]}).ask("POST /api/v1/email", SEND)
    assert b"secret" not in answer.body
    assert answer.json["ext"] == {"eKey": answer.key}


@pytest.mark.parametrize(
    ("reason", "retry_after", "header"),
    [
        ("RATE_LIMITED", 0.2, "1"), ("RATE_LIMITED", 7.1, "8"), ("CODE_RATE_LIMITED", 60.0, "60"),
        ("BACKLOG_FULL", 60.0, "60"), ("OVERLOADED", None, "1"),
    ],
)  # fmt: skip
async def test_whoever_has_to_wait_is_told_how_long(
    reason: str, retry_after: float | None, header: str
) -> None:
    refusal = refused("RESOURCE_EXHAUSTED", reason, retry_after=retry_after)
    answer = await Scripted({"SendEmail": [refusal]}).ask("POST /api/v1/email", SEND)
    assert answer.headers["retry-after"] == header


async def test_an_unavailable_server_is_worth_another_try() -> None:
    answer = await Scripted({"SendEmail": [refused("UNAVAILABLE")]}).ask("POST /api/v1/email", SEND)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("reason", ["TOKEN_MISSING", "TOKEN_INVALID"])
async def test_401_says_how_to_come_in(reason: str) -> None:
    answer = await Scripted({"SendEmail": [refused("UNAUTHENTICATED", reason)]}).ask(
        "POST /api/v1/email", SEND
    )
    assert answer.headers["www-authenticate"] == "Bearer"


ORDERED = [
    ("INVALID_FIELD", "param_validation_error", "参数校验失败"),
    ("NO_RECIPIENTS", "protocol_error", "没有收件人"),
    ("BIZ_KEY_REQUIRED", "protocol_error", "缺少业务标识"),
    ("SENDER_NOT_ALLOWED", "protocol_error", "不允许使用该发件人"),
    ("ATTACHMENT_REFUSED", "protocol_error", "附件被拒绝"),
    ("TEMPLATE_VARIABLE_INVALID", "template_variable_missing", "模板变量缺少值"),
]


@pytest.mark.parametrize("first", range(len(ORDERED)))
async def test_of_many_violations_the_order_of_the_document_decides(first: int) -> None:
    reasons = [reason for reason, _, _ in reversed(ORDERED[first:])]
    violations = tuple(Violation(reason.lower(), f"broken {reason}", reason) for reason in reasons)
    refusal = Refused(grpc.StatusCode.INVALID_ARGUMENT, reasons[0], violations=violations)
    answer = await Scripted({"SendEmail": [refusal]}).ask("POST /api/v1/email", SEND)
    reason, key, said = ORDERED[first]
    assert answer.key == key
    assert answer.json["msg"].startswith(f"{said}：{reason.lower()} broken {reason}")
    assert answer.fields == [each.lower() for each, _, _ in ORDERED[first:]]
