"""`postroom template list|show|put`."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import MessageToDict

from peers.canned_server import CannedServer, Postroom
from postroom.v1.template_pb2 import Template
from postroom.v1.template_service_pb2 import (
    BindResponse,
    CreateTemplateResponse,
    GetTemplateResponse,
    ListTemplatesResponse,
    UpdateTemplateResponse,
)
from postroom_server.refusals import Reason, Refusal, Violation
from postroom_server.rpc.status import of_refusal

KNOWN = Template(
    invoke_name="welcome",
    name="Welcome",
    kind="TEMPLATE_KIND_BATCH",
    version=3,
    review_state="REVIEW_STATE_APPROVED",
    approved_version=3,
    content={
        "syntax": "TEMPLATE_SYNTAX_PERCENT",
        "default_language": "en",
        "variants": [{"language": "en", "subject": "old"}, {"language": "zh-CN", "subject": "旧"}],
        "variables": [{"name": "kept", "declared": True, "raw": True}, {"name": "found"}],
    },
)


@pytest.fixture(autouse=True)
def _answers(server: CannedServer) -> None:
    server.answers.update(
        GetTemplate=GetTemplateResponse(template=KNOWN),
        CreateTemplate=CreateTemplateResponse(
            template=Template(version=1, review_state="REVIEW_STATE_APPROVED")
        ),
        UpdateTemplate=UpdateTemplateResponse(
            template=Template(version=4, review_state="REVIEW_STATE_PENDING")
        ),
        Bind=BindResponse(),
        ListTemplates=ListTemplatesResponse(templates=[KNOWN]),
    )


def test_an_unknown_template_is_made(postroom: Postroom, server: CannedServer) -> None:
    missing = Refusal(Reason.TEMPLATE_NOT_FOUND, "there is no such template")
    server.answers["GetTemplate"] = of_refusal(missing)
    result = postroom("template", "put", "hi", "--subject", "Hi %name%", "--text", "x", "--bind", "HI")
    assert (result.stdout, result.exit_code) == ("hi version 1 APPROVED\n", 0)
    assert MessageToDict(server.asked("CreateTemplate").template) == {
        "invokeName": "hi",
        "name": "hi",
        "kind": "TEMPLATE_KIND_TRIGGER",
        "content": {"variants": [{"subject": "Hi %name%", "text": "x"}]},
    }
    assert MessageToDict(server.asked("Bind")) == {"bizKey": "HI", "invokeName": "hi"}


def test_one_language_of_a_known_template_is_replaced(postroom: Postroom, server: CannedServer) -> None:
    result = postroom(
        "template", "put", "welcome", "--language", "ZH-cn", "--subject", "新", "--html", "<p>x</p>"
    )
    assert result.stdout == "welcome version 4 PENDING\n"
    request = server.asked("UpdateTemplate")
    assert request.expected_version == 3
    assert (request.template.name, request.template.kind) == (KNOWN.name, KNOWN.kind)
    assert [(one.language, one.subject, one.html) for one in request.template.content.variants] == [
        ("en", "old", ""),
        ("ZH-cn", "新", "<p>x</p>"),
    ]
    # What was discovered is discovered anew; what was declared stays.
    assert [one.name for one in request.template.content.variables] == ["kept"]


def test_another_language_of_a_known_template_is_added(postroom: Postroom, server: CannedServer) -> None:
    postroom("template", "put", "welcome", "--language", "de", "--subject", "neu", "--text", "x")
    variants = server.asked("UpdateTemplate").template.content.variants
    assert [one.language for one in variants] == ["en", "zh-CN", "de"]


def test_a_refused_look_up_makes_nothing(postroom: Postroom, server: CannedServer) -> None:
    refusal = Refusal(Reason.SCOPE_MISSING, "this needs a token with scope template")
    server.answers["GetTemplate"] = of_refusal(refusal)
    assert postroom("template", "put", "welcome", "--subject", "s").exit_code == 1
    assert [name for name, _ in server.requests] == ["GetTemplate"]


def test_templates_are_listed_and_shown(postroom: Postroom) -> None:
    line = postroom("template", "list").stdout.splitlines()[1]
    assert line.split() == ["welcome", "BATCH", "3", "APPROVED", "3", "platform", "Welcome"]
    shown = postroom("template", "show", "welcome").stdout
    assert "旧" in shown
    assert "kept" in shown


def test_a_version_that_would_break_callers_says_what_and_how_to_insist(
    postroom: Postroom, server: CannedServer
) -> None:
    broken = Refusal(
        Reason.TEMPLATE_BREAKING_CHANGE,
        "version 4 of welcome would break what callers sent",
        violations=[
            Violation("template.params.order", "has no value; sent by shop (app=web)"),
            Violation("language", "is a language that is not there any more; sent by till"),
        ],
    )
    server.answers["UpdateTemplate"] = of_refusal(broken)
    result = postroom("template", "put", "welcome", "--subject", "s", "--text", "%order%", "--bind", "W")
    assert (result.stdout, result.exit_code) == ("", 1)
    assert result.stderr == (
        "postroom: TEMPLATE_BREAKING_CHANGE: version 4 of welcome would break what callers sent\n"
        "  template.params.order: has no value; sent by shop (app=web)\n"
        "  language: is a language that is not there any more; sent by till\n"
        "  --allow-breaking publishes it all the same\n"
    )
    assert [name for name, _ in server.requests] == ["GetTemplate", "UpdateTemplate"]
    assert not server.asked("UpdateTemplate").allow_breaking


def test_who_insists_says_so(postroom: Postroom, server: CannedServer) -> None:
    result = postroom("template", "put", "welcome", "--subject", "s", "--text", "x", "--allow-breaking")
    assert result.stdout == "welcome version 4 PENDING\n"
    assert server.asked("UpdateTemplate").allow_breaking


def test_other_refusals_have_no_such_hint(postroom: Postroom, server: CannedServer) -> None:
    server.answers["UpdateTemplate"] = of_refusal(Refusal(Reason.VERSION_MISMATCH, "somebody was faster"))
    result = postroom("template", "put", "welcome", "--subject", "s", "--text", "x")
    assert result.stderr == "postroom: VERSION_MISMATCH: somebody was faster\n"
