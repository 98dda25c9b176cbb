"""What the product refuses, in the document's codes."""

from __future__ import annotations

import json

import pytest

from gateway.sendcloud.face import code_of
from gateway.sendcloud.scripted import Scripted, refused
from postroom.v1 import template_pb2
from postroom.v1 import template_service_pb2 as api
from postroom_server.gateway.refused import Refused, Violation

ADD = "invokeName=a&name=n&html=h&subject=s&templateType=1"
STORED = template_pb2.Template(
    invoke_name="a",
    name="n",
    kind=template_pb2.TEMPLATE_KIND_BATCH,
    version=3,
    review_state=template_pb2.REVIEW_STATE_APPROVED,
    content=template_pb2.TemplateContent(
        default_language="en", variants=[template_pb2.Variant(language="en", subject="s", html="h")]
    ),
)
GOT = api.GetTemplateResponse(template=STORED)
# Each call, the method that ends it, and what the rest answers before.
CALLS = {
    "list": ("ListTemplates", "", {}),
    "get": ("GetTemplate", "invokeName=a", {}),
    "add": ("CreateTemplate", ADD, {}),
    "update": ("UpdateTemplate", "invokeName=a&name=x", {"GetTemplate": [GOT]}),
    "delete": ("DeleteTemplate", "invokeName=a", {}),
}


async def answered(call: str, refusal: Exception) -> int:
    method, query, before = CALLS[call]
    return code_of(await Scripted({**before, method: [refusal]}).ask(call, query))


@pytest.mark.parametrize(
    "refusal",
    [
        refused("UNAVAILABLE", "STORE_UNAVAILABLE"),
        refused("UNAVAILABLE", "DISK_FULL"),
        refused("UNAVAILABLE", "SHUTTING_DOWN"),
        refused("UNAVAILABLE"),
        refused("DEADLINE_EXCEEDED"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("call", "code"), [("list", 501), ("get", 501), ("add", 40215), ("delete", 40217), ("update", 40218)]
)
async def test_when_the_store_fails_each_write_has_its_own_code(
    call: str, code: int, refusal: Refused
) -> None:
    assert await answered(call, refusal) == code


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (refused("UNAUTHENTICATED", "TOKEN_INVALID"), 40005),
        (refused("UNAUTHENTICATED", "TOKEN_MISSING"), 40005),
        (refused("PERMISSION_DENIED", "SCOPE_MISSING"), 6001),
        (refused("PERMISSION_DENIED", "TENANT_FORBIDDEN"), 6001),
        (refused("RESOURCE_EXHAUSTED", "RATE_LIMITED", retry_after=3.0), 50000),
        (refused("RESOURCE_EXHAUSTED", "OVERLOADED"), 50000),
        (refused("INTERNAL", "INTERNAL", message="internal error"), 501),
        (refused("UNKNOWN", message="who knows"), 501),
        (refused("UNIMPLEMENTED"), 501),
        (refused("INVALID_ARGUMENT", "INVALID_FIELD"), 501),
        (ZeroDivisionError("a bug"), 501),
    ],
    ids=str,
)
async def test_refusals_that_every_call_can_meet(call: str, refusal: Exception, code: int) -> None:
    assert await answered(call, refusal) == code


async def test_a_bug_tells_nobody_what_it_was() -> None:
    answer = await Scripted({"ListTemplates": [ZeroDivisionError("secret words")]}).ask("list", "")
    assert (answer.status_code, json.loads(answer.body)) == (
        200,
        {"result": False, "statusCode": 501, "message": "服务器异常", "info": {}},
    )


async def test_an_unexpected_refusal_is_an_internal_error_of_http_200() -> None:
    backend = Scripted({"CreateTemplate": [refused("INTERNAL", "INTERNAL", message="correlation 17")]})
    answer = await backend.ask("add", ADD)
    assert (answer.status_code, code_of(answer)) == (200, 501)
    assert b"17" not in answer.body


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("template.invoke_name", 40202),
        ("template.name", 40208),
        ("template.kind", 40204),
        ("template.content.variants[0].subject", 40210),
        ("template.content.variants[12].html", 40212),
        ("template.content.variants[0].text", 40214),
        ("template.content.variants[0].language", 40212),
        ("template.content.variants[0]", 40212),
        ("template.content.variants", 40212),
        ("template.content.variables", 40212),
        ("template.content.sample_params.sum", 40212),
        ("update_mask", 40212),
    ],
)
async def test_each_path_of_a_violation_has_its_code(path: str, code: int) -> None:
    violation = refused("INVALID_ARGUMENT", "INVALID_FIELD", violations=(Violation(path, "is wrong"),))
    assert await answered("add", violation) == code
    assert await answered("update", violation) == code


async def test_of_many_violations_the_first_in_the_order_of_checks_is_told() -> None:
    paths = ("content.variants[0].text", "content.variants[0].html", "content.variants[0].subject", "name")
    found = [Violation(f"template.{path}", "is wrong") for path in paths]
    codes = []
    while found:
        refusal = refused("INVALID_ARGUMENT", "INVALID_FIELD", violations=tuple(found))
        codes.append(await answered("add", refusal))
        found.pop()
    assert codes == [40208, 40210, 40212, 40214]


async def test_refused_content_is_told_with_its_reasons_as_many_as_fit() -> None:
    found = tuple(
        Violation("template.content.variants[0].html", f"%v{n}% is wrong", "TEMPLATE_CONTENT_INVALID")
        for n in range(7)
    )
    refusal = refused("INVALID_ARGUMENT", "TEMPLATE_CONTENT_INVALID", violations=found)
    answer = await Scripted({"CreateTemplate": [refusal]}).ask("add", ADD)
    told = "; ".join(f"%v{n}% is wrong" for n in range(5))
    assert json.loads(answer.body)["message"] == f"html格式非法. {told}"


async def test_the_limit_is_the_one_that_the_server_names() -> None:
    refusal = refused("RESOURCE_EXHAUSTED", "TEMPLATE_LIMIT", metadata={"limit": "17"})
    answer = await Scripted({"CreateTemplate": [refusal]}).ask("add", ADD)
    assert json.loads(answer.body) == {
        "result": False,
        "statusCode": 40219,
        "message": "用户最多只能有17个模板",
        "info": {},
    }


@pytest.mark.parametrize(
    ("call", "code"), [("add", 40212), ("update", 40212), ("list", 50000), ("get", 50000), ("delete", 50000)]
)
async def test_what_no_message_can_carry_is_too_much_html(call: str, code: int) -> None:
    assert await answered(call, refused("RESOURCE_EXHAUSTED", message="Received message larger")) == code


async def test_a_wrong_is_submit_audit_comes_after_too_many() -> None:
    def backend(total: int) -> Scripted:
        kind = refused(
            "INVALID_ARGUMENT", "INVALID_FIELD", violations=(Violation("template.kind", "is required"),)
        )
        return Scripted(
            {
                "CreateTemplate": [kind],
                "GetTemplate": [refused("NOT_FOUND", "TEMPLATE_NOT_FOUND")],
                "ListTemplates": [api.ListTemplatesResponse(total_size=total)],
            }
        )

    query = f"{ADD}&isSubmitAudit=x"
    assert code_of(await backend(2).ask("add", query, max_templates=3)) == 40222
    answer = await backend(3).ask("add", query, max_templates=3)
    assert json.loads(answer.body)["message"] == "用户最多只能有3个模板"


async def test_an_update_that_comes_too_late_begins_again() -> None:
    newer = template_pb2.Template()
    newer.CopyFrom(STORED)
    newer.version, newer.name = 4, "changed by somebody"
    stale = refused("ABORTED", "VERSION_MISMATCH")
    backend = Scripted(
        {
            "GetTemplate": [GOT, api.GetTemplateResponse(template=newer)],
            "UpdateTemplate": [stale, api.UpdateTemplateResponse()],
        }
    )
    assert code_of(await backend.ask("update", "invokeName=a&subject=x")) == 200
    updates = [request for method, request in backend.calls if method == "UpdateTemplate"]
    assert [update.expected_version for update in updates] == [3, 4]
    assert updates[1].update_mask.paths == ["content.variants"]
    assert updates[1].template.name == "changed by somebody"


async def test_an_update_that_is_always_too_late_fails() -> None:
    stale = refused("ABORTED", "VERSION_MISMATCH")
    backend = Scripted({"GetTemplate": [GOT], "UpdateTemplate": [stale]})
    assert code_of(await backend.ask("update", "invokeName=a&subject=x")) == 40218


async def test_somebody_else_submits_first() -> None:
    aside = template_pb2.Template()
    aside.CopyFrom(STORED)
    aside.review_state = template_pb2.REVIEW_STATE_NOT_SUBMITTED
    backend = Scripted(
        {
            "GetTemplate": [api.GetTemplateResponse(template=aside)],
            "SubmitTemplate": [refused("FAILED_PRECONDITION", "TEMPLATE_REVIEW_STATE")],
        }
    )
    assert code_of(await backend.ask("update", "invokeName=a&isSubmitAudit=1")) == 40223


async def test_what_is_published_is_published_whomever_it_breaks() -> None:
    """The document has no word to insist with, and no answer for who would have to."""
    aside = template_pb2.Template()
    aside.CopyFrom(STORED)
    aside.review_state = template_pb2.REVIEW_STATE_NOT_SUBMITTED
    backend = Scripted(
        {
            "GetTemplate": [GOT, api.GetTemplateResponse(template=aside)],
            "UpdateTemplate": [api.UpdateTemplateResponse()],
            "SubmitTemplate": [api.SubmitTemplateResponse()],
        }
    )
    await backend.ask("update", "invokeName=a&subject=x")
    await backend.ask("update", "invokeName=a&isSubmitAudit=1")
    published = [(method, request) for method, request in backend.calls if method != "GetTemplate"]
    assert [(method, request.allow_breaking) for method, request in published] == [
        ("UpdateTemplate", True),
        ("SubmitTemplate", True),
    ]


async def test_the_caller_goes_along_with_every_call_and_only_reads_are_repeatable() -> None:
    backend = Scripted({"GetTemplate": [GOT], "UpdateTemplate": [api.UpdateTemplateResponse()]})
    await backend.ask("update", "invokeName=a&subject=x")
    assert {(one.credential, one.address, one.request_id) for one in backend.visitors} == {
        ("ann:secret", "192.0.2.7", "r-1")
    }
    assert backend.repeatable == {"GetTemplate"}
