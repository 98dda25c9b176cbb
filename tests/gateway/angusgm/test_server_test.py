"""What a test of a mail server asks for and says."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.angusgm.scripted import SCOPE_MISSING, Scripted, refused
from postroom.v1 import attempt_pb2, email_service_pb2
from postroom_server.gateway.refused import Violation

BODY = {"serverId": "7", "toAddress": [["x@example.com", "x@example.com"]]}
TARGET = "POST /api/v1/email/server/test"
AUTH = attempt_pb2.SMTP_PHASE_AUTH


async def test_it_waits_twenty_seconds_and_is_never_repeated() -> None:
    scripted = Scripted({"SendTestEmail": [email_service_pb2.SendTestEmailResponse(ok=True, email_id=5)]})
    assert (await scripted.ask(TARGET, BODY)).json["data"] == {"id": "5"}
    (asked,) = scripted.calls
    expected = email_service_pb2.SendTestEmailRequest(server_id=7, to=["x@example.com"])
    expected.timeout.seconds = 20
    assert asked.message == expected
    assert asked.seconds > 20
    assert not asked.repeatable


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"phase": AUTH, "code": 535, "enhanced_code": "5.7.8", "reply": "no"}, "phase AUTH: 535 5.7.8 no"),
        ({"phase": AUTH, "code": 535, "reply": "{0} no"}, "phase AUTH: 535 {0} no"),
        (
            {"phase": attempt_pb2.SMTP_PHASE_TLS, "reply": "certificate expired"},
            "phase TLS: certificate expired",
        ),
        ({}, "phase LOCAL: "),
    ],
)
async def test_a_failure_tells_the_phase_and_the_reply(outcome: dict[str, Any], said: str) -> None:
    scripted = Scripted({"SendTestEmail": [email_service_pb2.SendTestEmailResponse(email_id=5, **outcome)]})
    answer = await scripted.ask(TARGET, BODY, headers={"X-Lang": "en"})
    assert (answer.status, answer.json["code"], answer.key) == (200, "BEM305", "BEM305")
    assert answer.json["msg"] == f"The test of the mail server failed in {said}"


@pytest.mark.parametrize(
    ("path", "name"),
    [("to[0]", "toAddress[0]"), ("to", "toAddress"), ("from_address", "fromAddress"), ("timeout", "timeout")],
)
async def test_paths_of_the_contract_have_the_documents_names(path: str, name: str) -> None:
    violations = (Violation(path, "is wrong", "INVALID_FIELD"),)
    refusal = refused("INVALID_ARGUMENT", "INVALID_FIELD", violations=violations)
    assert (await Scripted({"SendTestEmail": [refusal]}).ask(TARGET, BODY)).fields == [name]


async def test_a_tenant_is_not_heard_of_everyone() -> None:
    scripted = Scripted(
        {"SendTestEmail": [email_service_pb2.SendTestEmailResponse(ok=True)], "GetTenant": [SCOPE_MISSING]}
    )
    await scripted.ask(TARGET, {**BODY, "sendTenantId": 8, "sendUserId": 9})
    message = scripted.calls[-1].message
    assert not message.HasField("tenant_id")
    assert not message.HasField("sender_user_id")
