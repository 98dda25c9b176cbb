"""RenderTemplate: what a send would say, and what would stand in its way."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fakes import ManualClock
from peers.configuration import AUTHOR, OPERATOR, STRANGER, Configuration, content, template
from postroom_server.mail.caller import Caller
from postroom_server.mail.rendering import Preview, StoredSource
from postroom_server.mail.template_form import ContentForm, VariableForm, VariantForm
from postroom_server.mail.tenants import TenantForm
from postroom_server.refusals import Reason
from postroom_server.store.models import Syntax, Template
from postroom_server.store.opening import OpenDatabase
from refusing import refusal_of

BODY = ContentForm(
    variants=(
        VariantForm("en", "Hi %name%", "<p>Dear <b>%name%</b>, %%user_defined_unsubscribe_link%%</p>"),
        VariantForm("zh-CN", "你好 %name%", "", "%name% %place%"),
    ),
    variables=(VariableForm("place", default="here"),),
    sample_params={"name": "Ann"},
)


class World(Configuration):
    async def render(
        self, source: Any, params: Any = None, language: str = "", caller: Caller = AUTHOR
    ) -> Preview:
        return await self.store.read(self.rendering.render, caller, None, source, params, language)


@pytest.fixture
async def world(opened: OpenDatabase) -> World:
    made = World(opened, ManualClock())
    await made.fill()
    await made.new_template(template(body=BODY))
    return made


STORED = StoredSource("welcome")


async def test_a_stored_template_says_what_a_send_would_say(world: World) -> None:
    preview = await world.render(STORED, {"name": "<Ann & Co>", "extra": 1.0})
    assert preview.rendered.subject == "Hi <Ann & Co>"
    assert preview.rendered.html == "<p>Dear <b>&lt;Ann &amp; Co&gt;</b>, </p>"
    assert preview.rendered.text.startswith("Dear <Ann & Co>,")
    assert (preview.language, preview.version) == ("en", 1)
    assert (preview.unused, preview.missing) == (("extra",), ())
    assert [(v.field, v.reason) for v in preview.violations] == [
        ("params.extra", Reason.TEMPLATE_VARIABLE_INVALID)
    ]


@pytest.mark.parametrize(
    ("asked", "used"), [("", "en"), ("zh", "zh-CN"), ("ZH_cn", "zh-CN"), ("en-US", "en"), ("fr", "en")]
)
async def test_the_language_is_chosen_as_for_a_send(world: World, asked: str, used: str) -> None:
    assert (await world.render(STORED, None, asked)).language == used


async def test_no_language_is_the_tenants(world: World) -> None:
    await world.store.write(
        world.tenants.update, AUTHOR.tenant_id, TenantForm(default_language="zh"), ["default_language"]
    )
    assert (await world.render(STORED)).rendered.subject == "你好 Ann"


async def test_no_params_are_the_samples_and_empty_ones_are_none(world: World) -> None:
    assert (await world.render(STORED)).rendered.subject == "Hi Ann"
    preview = await world.render(STORED, {})
    assert (preview.rendered.subject, preview.missing) == ("Hi ", ("name",))
    assert [(v.field, v.reason) for v in preview.violations] == [
        ("params.name", Reason.TEMPLATE_VARIABLE_INVALID)
    ]


async def test_everything_in_the_way_of_a_send_is_told_and_the_rest_is_shown(world: World) -> None:
    body = content("%a% %b%", "<p>%c%</p>")
    preview = await world.render(body, {"a": float("nan"), "c": "here"})
    assert preview.rendered.subject == " "
    assert preview.rendered.html == "<p>here</p>"
    assert [v.field for v in preview.violations] == ["params.b", "params.a"]


@pytest.mark.parametrize(
    ("body", "value", "field"),
    [
        (content("%x%", "<p>a</p>"), "a\r\nBcc: b@c.example", "subject"),
        (content("a", "<a href='%x%'>a</a>"), "javascript:alert(1)", "html"),
    ],
)
async def test_a3_b3_unsafe_output_is_told_and_not_shown(
    world: World, body: ContentForm, value: str, field: str
) -> None:
    preview = await world.render(body, {"x": value})
    assert [(v.field, v.reason) for v in preview.violations] == [(f"params ({field})", Reason.UNSAFE_CONTENT)]
    assert (preview.rendered.subject, preview.rendered.html, preview.rendered.text) == ("", None, "")


async def test_unsaved_content_is_rendered_and_not_stored(world: World) -> None:
    before = await world.store.read(Template.select().count)
    preview = await world.render(content("Yo %name%"), {"name": "Ann"})
    assert (preview.rendered.subject, preview.version, preview.language) == ("Yo Ann", 0, "en")
    assert await world.store.read(Template.select().count) == before


async def test_content_that_could_not_be_saved_is_refused_with_everything_else(world: World) -> None:
    bad = ContentForm(Syntax.LIQUID, variants=(VariantForm("en", "", "x"),))
    refusal = await refusal_of(world.render(bad, {f"a{n}": "" for n in range(501)}, "?"))
    assert [violation.field for violation in refusal.violations] == [
        "language",
        "params",
        "content.variants[0].subject",
    ]


@pytest.mark.parametrize("source", [None, StoredSource()])
async def test_a_source_is_required(world: World, source: Any) -> None:
    refusal = await refusal_of(world.render(source))
    assert [violation.field for violation in refusal.violations] == ["source"]


async def test_version_0_is_the_one_that_is_sent_and_others_can_be_named(world: World) -> None:
    await world.change_template(template(body=content("Draft")), "content", submit=False)
    assert (await world.render(STORED)).version == 1
    newest = await world.render(dataclasses.replace(STORED, version=2))
    assert (newest.rendered.subject, newest.version) == ("Draft", 2)
    refusal = await refusal_of(world.render(dataclasses.replace(STORED, version=3)))
    assert refusal.reason is Reason.TEMPLATE_VERSION_NOT_FOUND


async def test_lookups_fail_as_those_of_a_send(world: World) -> None:
    await world.new_template(template("draft"), submit=False)
    for source, reason in (
        (StoredSource("nothing"), Reason.TEMPLATE_NOT_FOUND),
        (StoredSource(biz_key="SIGNUP"), Reason.NOT_BOUND),
        (StoredSource("draft"), Reason.TEMPLATE_NOT_APPROVED),
    ):
        assert (await refusal_of(world.render(source))).reason is reason


async def test_a_business_key_leads_to_its_template_and_to_the_platforms(world: World) -> None:
    await world.new_template(template("shared", content("Shared")), OPERATOR)
    await world.store.write(world.bindings.bind, OPERATOR, None, "SIGNUP", "shared")
    for caller in (AUTHOR, STRANGER):
        preview = await world.render(StoredSource(biz_key="SIGNUP"), {"name": "x"}, caller=caller)
        assert preview.rendered.subject == "Shared"


async def test_e2_templates_of_others_are_not_rendered(world: World) -> None:
    assert (await refusal_of(world.render(STORED, caller=STRANGER))).reason is Reason.TEMPLATE_NOT_FOUND
