"""TemplateService as its callers see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf import duration_pb2, field_mask_pb2, struct_pb2

from fakes import ManualClock
from peers.configuration import ACME, OTHER, Configuration
from peers.configuration_services import ConfigurationServices, told
from postroom.v1 import filter_pb2, template_pb2
from postroom.v1 import template_service_pb2 as api
from postroom_server.mail.caller import Scope
from postroom_server.store.opening import OpenDatabase

CONTENT = template_pb2.TemplateContent(
    default_language="en",
    variants=[
        template_pb2.Variant(language="en", subject="Hi %name%", html="<p>%name% owes %sum%</p>"),
        template_pb2.Variant(language="zh-CN", subject="你好 %name%", text="%sum%"),
    ],
    variables=[
        template_pb2.Variable(
            name="sum",
            type=template_pb2.VARIABLE_TYPE_NUMBER,
            default_value=struct_pb2.Value(number_value=2.5),
        )
    ],
    sample_params=struct_pb2.Struct(fields={"name": struct_pb2.Value(string_value="Ann")}),
    validity=duration_pb2.Duration(seconds=90),
)


def template(invoke_name: str = "welcome", /, **fields: Any) -> template_pb2.Template:
    given = {"name": "Welcome", "kind": template_pb2.TEMPLATE_KIND_TRIGGER, "content": CONTENT} | fields
    return template_pb2.Template(invoke_name=invoke_name, **given)


def mask(*paths: str) -> field_mask_pb2.FieldMask:
    return field_mask_pb2.FieldMask(paths=paths)


@pytest.fixture
async def world(opened: OpenDatabase) -> AsyncIterator[ConfigurationServices]:
    services = ConfigurationServices(await Configuration(opened, ManualClock()).fill())
    await services.let_in("author", ACME, Scope.TEMPLATE)
    await services.let_in("reviewer", ACME, Scope.TEMPLATE_REVIEW)
    await services.let_in("stranger", OTHER, Scope.TEMPLATE, Scope.TEMPLATE_REVIEW)
    await services.let_in("operator", 0, Scope.TEMPLATE, Scope.PLATFORM)
    yield services
    await services.close()


class Author:
    """Calls as the author does."""

    def __init__(self, world: ConfigurationServices) -> None:
        self._world = world

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._world.templates, method)
        message = getattr(api, f"{method}Request")
        return lambda as_="author", **fields: call(message(**fields), metadata=self._world.as_(as_))


@pytest.fixture
def author(world: ConfigurationServices) -> Author:
    return Author(world)


async def test_a_template_comes_back_whole(author: Author) -> None:
    made = (await author.CreateTemplate(template=template())).template
    got = (await author.GetTemplate(invoke_name="welcome")).template
    assert got == made
    assert (made.tenant_id, made.version, made.approved_version, made.author) == (ACME, 1, 1, "author")
    assert made.review_state == template_pb2.REVIEW_STATE_APPROVED
    assert made.content.variants == CONTENT.variants
    assert made.content.sample_params == CONTENT.sample_params
    assert (made.content.validity.seconds, made.content.syntax) == (90, template_pb2.TEMPLATE_SYNTAX_PERCENT)
    assert [(v.name, v.declared, v.required) for v in made.content.variables] == [
        ("sum", True, False),
        ("name", False, True),
    ]
    assert made.content.variables[0].default_value.number_value == 2.5
    assert made.create_time == made.update_time


async def test_what_was_read_can_be_written_back(author: Author) -> None:
    made = (await author.CreateTemplate(template=template())).template
    made.name = "Renamed"
    changed = (await author.UpdateTemplate(template=made, expected_version=1)).template
    assert (changed.name, changed.version) == ("Renamed", 2)
    assert changed.content.variants == made.content.variants
    assert [variable.name for variable in changed.content.variables] == ["sum", "name"]


async def test_basic_views_leave_the_content_out(author: Author) -> None:
    await author.CreateTemplate(template=template())
    basic = template_pb2.TEMPLATE_VIEW_BASIC
    detail = template_pb2.TEMPLATE_VIEW_DETAIL
    answers = [
        (await author.GetTemplate(invoke_name="welcome", view=basic)).template,
        (await author.ListTemplates()).templates[0],
        (await author.ListTemplates(view=detail)).templates[0],
        (await author.ListTemplateVersions(invoke_name="welcome")).versions[0],
        (await author.ListTemplateVersions(invoke_name="welcome", view=detail)).versions[0],
    ]
    assert [answer.HasField("content") for answer in answers] == [False, False, True, False, True]


async def test_an_update_takes_a_mask_and_a_version(author: Author) -> None:
    await author.CreateTemplate(template=template())
    renamed = template(name="Renamed", content=None)
    changed = (await author.UpdateTemplate(template=renamed, update_mask=mask("name"))).template
    assert (changed.version, changed.name) == (2, "Renamed")
    stale = await told(author.UpdateTemplate(template=renamed, expected_version=1))
    assert (stale.code, stale.reason) == ("ABORTED", "VERSION_MISMATCH")
    unknown = await told(author.UpdateTemplate(template=renamed, update_mask=mask("name", "id")))
    assert (unknown.reason, unknown.fields) == ("INVALID_FIELD", ["update_mask"])


async def test_all_violations_come_with_their_paths(author: Author) -> None:
    bad = template_pb2.TemplateContent(
        syntax=template_pb2.TEMPLATE_SYNTAX_LIQUID, variants=[template_pb2.Variant(language="en", subject="")]
    )
    refused = await told(author.CreateTemplate(template=template("a b", name="", kind=0, content=bad)))
    assert refused.code == "INVALID_ARGUMENT"
    assert refused.fields == [
        "template.invoke_name",
        "template.name",
        "template.kind",
        "template.content.variants[0].subject",
        "template.content.variants[0]",
    ]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"kind": 77}, "template.kind"),
        ({"content": template_pb2.TemplateContent(syntax=77)}, "template.content.syntax"),  # type: ignore[arg-type]
        (
            {"content": template_pb2.TemplateContent(variables=[template_pb2.Variable(type=77)])},  # type: ignore[arg-type]
            "template.content.variables[0].type",
        ),
    ],
)
async def test_words_of_a_newer_contract_are_refused(author: Author, fields: Any, path: str) -> None:
    refused = await told(author.CreateTemplate(template=template(**fields)))
    assert (refused.reason, refused.fields) == ("INVALID_FIELD", [path])


async def test_an_empty_request_is_refused_and_not_a_fault(author: Author) -> None:
    for method in ("CreateTemplate", "RejectTemplate", "RenderTemplate", "Bind"):
        assert (await told(getattr(author, method)(as_=_scope_of(method)))).code == "INVALID_ARGUMENT"
    for method in ("GetTemplate", "UpdateTemplate", "DeleteTemplate", "SubmitTemplate", "WithdrawTemplate"):
        assert (await told(getattr(author, method)())).reason == "TEMPLATE_NOT_FOUND"
    assert (await told(author.Unbind())).reason == "BINDING_NOT_FOUND"


def _scope_of(method: str) -> str:
    return {"RejectTemplate": "reviewer"}.get(method, "author")


async def test_submit_is_true_unless_it_is_said(author: Author) -> None:
    first = (await author.CreateTemplate(template=template(), submit=False)).template
    second = (await author.UpdateTemplate(template=template(), update_mask=mask("name"))).template
    assert (first.approved_version, second.approved_version) == (0, 2)


async def test_a_review_by_hand(author: Author, world: ConfigurationServices) -> None:
    await world.configured.review_by_hand()
    await author.CreateTemplate(template=template())
    assert (await told(author.ApproveTemplate(invoke_name="welcome"))).reason == "SCOPE_MISSING"
    withdrawn = (await author.WithdrawTemplate(invoke_name="welcome")).template
    submitted = (await author.SubmitTemplate(invoke_name="welcome")).template
    await author.RejectTemplate("reviewer", invoke_name="welcome", reason="typo")
    await author.SubmitTemplate(invoke_name="welcome")
    approved = (await author.ApproveTemplate("reviewer", invoke_name="welcome")).template
    again = await told(author.ApproveTemplate("reviewer", invoke_name="welcome"))
    version = (await author.ListTemplateVersions(invoke_name="welcome")).versions[0]
    assert withdrawn.review_state == template_pb2.REVIEW_STATE_NOT_SUBMITTED
    assert submitted.review_state == template_pb2.REVIEW_STATE_PENDING
    assert (approved.approved_version, approved.HasField("content")) == (1, False)
    assert again.reason == "TEMPLATE_REVIEW_STATE"
    assert (version.reviewer, version.review_state) == ("reviewer", template_pb2.REVIEW_STATE_APPROVED)
    assert version.HasField("submit_time")
    assert version.HasField("review_time")


async def test_versions_are_listed_and_restored(author: Author) -> None:
    await author.CreateTemplate(template=template())
    await author.UpdateTemplate(template=template(), submit=False)
    restored = (await author.RestoreTemplateVersion(invoke_name="welcome", version=1)).template
    versions = (await author.ListTemplateVersions(invoke_name="welcome", page_size=2)).versions
    assert (restored.version, restored.approved_version) == (3, 3)
    assert [(version.version, version.restored_version) for version in versions] == [(3, 1), (2, 0)]


async def test_lists_are_paged_filtered_and_counted(author: Author) -> None:
    for name in ("a", "b", "c"):
        await author.CreateTemplate(template=template(name))
    first = await author.ListTemplates(page_size=2, order_by="invoke_name desc")
    rest = await author.ListTemplates(
        page_size=2, order_by="invoke_name desc", page_token=first.next_page_token
    )
    names = [listed.invoke_name for listed in [*first.templates, *rest.templates]]
    kept = await author.ListTemplates(
        filters=[
            filter_pb2.Filter(
                field="invoke_name", operator=filter_pb2.FILTER_OPERATOR_NOT_EQUAL, values=["b"]
            )
        ]
    )
    refused = await told(author.ListTemplates(filters=[filter_pb2.Filter(field="html")], page_size=-1))
    assert (names, first.total_size, rest.next_page_token) == (["c", "b", "a"], 3, "")
    assert [listed.invoke_name for listed in kept.templates] == ["a", "c"]
    assert refused.fields == ["page_size", "filters[0].field"]


async def test_large_contents_make_short_pages(author: Author) -> None:
    large = template_pb2.TemplateContent(
        variants=[
            template_pb2.Variant(language=tag, subject="x", text="字" * 340_000) for tag in ("en", "de", "fr")
        ]
    )
    for name in ("a", "b"):
        await author.CreateTemplate(template=template(name, content=large))
    detail = template_pb2.TEMPLATE_VIEW_DETAIL
    first = await author.ListTemplates(view=detail)
    rest = await author.ListTemplates(view=detail, page_token=first.next_page_token)
    assert [listed.invoke_name for listed in first.templates] == ["a"]
    assert [listed.invoke_name for listed in rest.templates] == ["b"]
    assert first.ByteSize() < 4 << 20
    assert (first.total_size, rest.next_page_token) == (2, "")


async def test_a_render_tells_what_a_send_would_say(author: Author) -> None:
    await author.CreateTemplate(template=template())
    stored = api.StoredTemplate(invoke_name="welcome")
    params = struct_pb2.Struct(fields={"name": struct_pb2.Value(string_value="<b>")})
    with_params = await author.RenderTemplate(stored=stored, params=params, language="zh")
    with_samples = await author.RenderTemplate(stored=stored)
    with_nothing = await author.RenderTemplate(content=CONTENT, params=struct_pb2.Struct())
    assert (with_params.subject, with_params.text, with_params.template_language) == (
        "你好 <b>",
        "2.5",
        "zh-CN",
    )
    assert (with_samples.html, with_samples.template_version) == ("<p>Ann owes 2.5</p>", 1)
    assert (list(with_nothing.missing_variables), with_nothing.template_version) == (["name"], 0)
    assert with_nothing.violations[0].field == "params.name"


async def test_bindings_are_made_listed_and_taken_away(author: Author) -> None:
    await author.CreateTemplate(template=template())
    await author.CreateTemplate("operator", template=template("shared"))
    await author.Bind("operator", biz_key="SIGNIN", invoke_name="shared")
    bound = (await author.Bind(biz_key="SIGNUP", invoke_name="welcome")).binding
    own = await author.ListBindings()
    every = await author.ListBindings(include_platform=True)
    await author.Unbind(biz_key="SIGNUP")
    assert (bound.tenant_id, bound.biz_key, bound.invoke_name) == (ACME, "SIGNUP", "welcome")
    assert list(own.bindings) == [bound]
    assert [(binding.tenant_id, binding.biz_key) for binding in every.bindings] == [
        (0, "SIGNIN"),
        (ACME, "SIGNUP"),
    ]
    assert (await told(author.Unbind(biz_key="SIGNUP"))).reason == "BINDING_NOT_FOUND"


async def test_e4_the_operator_names_a_tenant_and_nobody_else_does(author: Author) -> None:
    made = (await author.CreateTemplate("operator", template=template(), tenant_id=ACME)).template
    refused = await told(author.GetTemplate("stranger", invoke_name="welcome", tenant_id=ACME))
    assert made.tenant_id == ACME
    assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "TENANT_FORBIDDEN")
    assert (await told(author.GetTemplate("stranger", invoke_name="welcome"))).reason == "TEMPLATE_NOT_FOUND"


async def test_a_deleted_template_is_gone(author: Author) -> None:
    await author.CreateTemplate(template=template())
    await author.DeleteTemplate(invoke_name="welcome", expected_version=1)
    gone = await told(author.DeleteTemplate(invoke_name="welcome"))
    assert (gone.code, gone.reason) == ("NOT_FOUND", "TEMPLATE_NOT_FOUND")
