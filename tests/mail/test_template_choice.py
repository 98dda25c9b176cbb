"""Which template an email uses, and that every value it needs is there and safe (security.md A3, B3–B6)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from accepting import FROM, Accepting, draft, templated
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER, STRANGER, content, template
from postroom_server.mail.draft import CopyMode, TemplateBody
from postroom_server.mail.template_form import (
    ContentForm,
    TemplateForm,
    VariableForm,
    VariableType,
    VariantForm,
)
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Content, Email, TemplateKind
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.versions import NotCompiled


@pytest.fixture
async def world(opened: OpenDatabase) -> Accepting:
    made = Accepting(opened)
    await made.fill()
    await made.add_server()
    await made.add_server(OTHER)
    return made


async def refusal_of(world: Accepting, made: Any, **caller: Any) -> Refusal:
    """Refused, and nothing is stored."""
    before = await world.counts()
    with pytest.raises(Refusal) as caught:
        await world.accept(made, **caller)
    assert await world.counts() == before
    return caught.value


def fields(refusal: Refusal) -> list[str]:
    return [violation.field for violation in refusal.violations]


async def chosen(world: Accepting) -> list[tuple[str, int, str]]:
    """Of every email the template, its version's place in time, and the variant."""
    rows = await world.rows(Email)
    versions = sorted({row.template_version_id for row in rows})
    return [(row.invoke_name, versions.index(row.template_version_id), row.template_language) for row in rows]


async def test_b6_the_version_of_the_moment_is_pinned(world: Accepting) -> None:
    await world.new_template()
    await world.accept(templated())
    await world.change_template(template(body=content("New %name%")), "content")
    await world.accept(templated())
    await world.accept(templated())
    assert await chosen(world) == [("welcome", 0, "en"), ("welcome", 1, "en"), ("welcome", 1, "en")]


async def test_b6_a_version_that_waits_for_review_is_not_sent(world: Accepting) -> None:
    await world.review_by_hand()
    await world.new_template()
    refusal = await refusal_of(world, templated())
    assert (refusal.reason, refusal.metadata) == (Reason.TEMPLATE_NOT_APPROVED, {"invoke_name": "welcome"})
    await world.store.write(world.reviews.approve, OPERATOR, ACME, "welcome", 1)
    await world.accept(templated())
    await world.change_template(template(body=content("Unseen %name%")), "content")
    await world.accept(templated())
    assert await chosen(world) == [("welcome", 0, "en"), ("welcome", 0, "en")]


async def test_b6_another_tenants_template_is_not_found(world: Accepting) -> None:
    await world.new_template()
    refusal = await refusal_of(world, templated(), caller=STRANGER)
    assert (refusal.reason, refusal.metadata) == (Reason.TEMPLATE_NOT_FOUND, {"invoke_name": "welcome"})


async def test_the_platforms_template_serves_tenants_that_have_none_of_that_name(world: Accepting) -> None:
    await world.platform_template(template(body=content("Platform %name%")))
    await world.accept(templated())
    await world.new_template(template(body=content("Ours %name%")))
    await world.accept(templated())
    await world.accept(templated(), STRANGER)
    first, own, other = await world.rows(Email)
    assert first.template_version_id == other.template_version_id != own.template_version_id


async def test_a_business_key_finds_its_template(world: Accepting) -> None:
    refusal = await refusal_of(world, templated("", biz_key="SIGNUP"))
    assert (refusal.reason, refusal.metadata) == (Reason.NOT_BOUND, {"biz_key": "SIGNUP"})
    await world.platform_template(template("platform-signup"))
    await world.store.write(world.bindings.put, 0, "SIGNUP", "platform-signup")
    await world.accept(templated("", biz_key="SIGNUP"))
    await world.new_template(template("our-signup"))
    await world.store.write(world.bindings.put, ACME, "SIGNUP", "our-signup")
    await world.accept(templated("", biz_key="SIGNUP"))
    # A name wins over the key, which is kept for the record.
    await world.accept(templated("platform-signup", biz_key="SIGNUP"))
    rows = await world.rows(Email)
    assert [(row.biz_key, row.invoke_name) for row in rows] == [
        ("SIGNUP", "platform-signup"), ("SIGNUP", "our-signup"), ("SIGNUP", "platform-signup"),
    ]  # fmt: skip


def in_languages(*tags: str) -> TemplateForm:
    variants = tuple(VariantForm(tag, f"{tag} %name%", f"<p>{tag} %name%</p>") for tag in tags)
    return TemplateForm(
        "welcome", "Welcome", TemplateKind.TRIGGER, ContentForm(variants=variants, default_language=tags[0])
    )


@pytest.mark.parametrize(
    ("asked", "used"),
    [
        ("zh_CN", "zh-CN"),
        ("zh-CN-x-abc", "zh-CN"),
        ("zh", "zh-CN"),
        ("fr", "en"),
        ("", "en"),
        ("en-US", "en"),
    ],
)
async def test_the_variant_follows_the_language(world: Accepting, asked: str, used: str) -> None:
    await world.new_template(in_languages("en", "zh-CN"))
    await world.accept(templated(language=asked))
    (row,) = await world.rows(Email)
    assert (row.language, row.template_language) == (asked.replace("_", "-") or "en", used)


async def test_the_tenants_language_stands_in_for_one_that_is_not_asked_for(world: Accepting) -> None:
    await world.change_tenant(default_language="zh-TW")
    await world.new_template(in_languages("en", "zh-CN"))
    await world.accept(templated())
    (row,) = await world.rows(Email)
    assert (row.language, row.template_language) == ("zh-TW", "zh-CN")


async def test_whether_there_is_html_is_the_variants(world: Accepting) -> None:
    plain = ContentForm(variants=(VariantForm("en", "Hi %name%", text="Hi %name%"),))
    await world.new_template(template("plain", plain))
    await world.new_template()
    await world.accept(templated("plain"))
    await world.accept(templated())
    assert [row.html for row in await world.rows(Email)] == [False, True]


def demanding() -> TemplateForm:
    variables = (
        VariableForm("maybe", required=False),
        VariableForm("usual", default="as usual"),
    )
    body = "<p>%name% %code% %maybe% %usual%</p>"
    return template(body=ContentForm(variants=(VariantForm("en", "%title%", body),), variables=variables))


async def test_b5_all_missing_variables_are_named_at_once(world: Accepting) -> None:
    await world.new_template(demanding())
    refusal = await refusal_of(world, templated(params={"name": None, "other": "x"}))
    assert refusal.reason is Reason.TEMPLATE_VARIABLE_INVALID
    assert sorted(fields(refusal)) == [
        "template.params.code", "template.params.name", "template.params.other", "template.params.title",
    ]  # fmt: skip


async def test_b5_missing_variables_are_named_for_every_recipient(world: Accepting) -> None:
    await world.new_template(demanding())
    own = {"a@x.test": {"name": "A", "code": "1"}, "B@x.test": {"name": "B"}}
    made = templated(to=("a@x.test", "B@X.TEST", "c@x.test"), params={"title": "T"}, recipient_params=own)
    refusal = await refusal_of(world, made)
    assert sorted(fields(refusal)) == [
        "template.recipient_params['B@x.test'].code",
        "template.recipient_params['c@x.test'].code",
        "template.recipient_params['c@x.test'].name",
    ]


@pytest.mark.parametrize(
    "value", [2.0**53, -(2.0**60), [2.0**53], {"a": [2.0**53]}], ids=["large", "small", "list", "object"]
)
async def test_values_that_have_no_text_are_refused_by_name(world: Accepting, value: Any) -> None:
    await world.new_template(demanding())
    params = {"name": value, "code": "1", "title": value}
    refusal = await refusal_of(world, templated(params=params))
    assert sorted(fields(refusal)) == ["template.params.name", "template.params.title"]


@pytest.mark.parametrize("text", ["a\r\nBcc: v@example.com", "a\nb", "a\0b", "a\u2028b", "a\x85b", "a\tb"])
async def test_a3_a_parameter_cannot_break_out_of_the_subject(world: Accepting, text: str) -> None:
    await world.new_template()
    refusal = await refusal_of(world, templated(params={"name": text}))
    assert refusal.reason is Reason.UNSAFE_CONTENT
    assert fields(refusal) == ["template.params"]


async def test_a3_every_recipients_own_values_are_checked(world: Accepting) -> None:
    await world.new_template()
    own = {"a@x.test": {"name": "fine"}, "b@x.test": {"name": "a\nb"}, "c@x.test": {"name": "\0"}}
    made = templated(to=tuple(own), params={}, recipient_params=own)
    refusal = await refusal_of(world, made)
    assert fields(refusal) == [
        "template.recipient_params['b@x.test']", "template.recipient_params['c@x.test']",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", " JaVaScRiPt:x", "data:text/html,x", "vbscript:x", "file:///etc/passwd"]
)
async def test_b3_a_rendered_link_does_not_lead_astray(world: Accepting, link: str) -> None:
    await world.new_template(template(body=content("Hi", '<p><a href="%url%">here</a></p>')))
    refusal = await refusal_of(world, templated(params={"url": link}))
    assert (refusal.reason, fields(refusal)) == (Reason.UNSAFE_CONTENT, ["template.params"])
    await world.accept(templated(params={"url": "https://example.com/?a=1&b=2"}))


async def test_b4_values_are_taken_as_they_are(world: Accepting) -> None:
    await world.new_template(template(body=content("%a%", "<p>%b%</p>")))
    refusal = await refusal_of(world, templated(params={"a": "%b%"}))
    assert fields(refusal) == ["template.params.b"]


async def test_parameters_are_stored_as_they_came(world: Accepting) -> None:
    await world.new_template()
    params = {"name": '字 "q" \\ %name%', "more": [1.0, None, True, {"x": "y"}], "nul": "a\0b"}
    own = {"ann@example.com": {"extra": 2.5}}
    body = TemplateBody("welcome", params, {"ann@EXAMPLE.com": own["ann@example.com"]}, ignores_unknown=True)
    await world.accept(draft(body=body, to=("ann@EXAMPLE.com",)))
    (row,) = await world.rows(Content)
    assert (json.loads(row.params), json.loads(row.recipient_params)) == (params, own)


async def test_a_subject_beside_the_template_is_kept_and_does_not_need_values(world: Accepting) -> None:
    await world.new_template()
    await world.accept(templated(subject="Mine %name%"))
    (row,) = await world.rows(Email)
    assert (row.subject, row.from_address) == ("Mine %name%", FROM)


async def test_shared_copies_and_hidden_recipients_use_the_values_of_all(world: Accepting) -> None:
    await world.new_template()
    for recipients in ({"to": (), "bcc": ("b@x.test",)}, {"copy_mode": CopyMode.SHARED}):
        assert fields(await refusal_of(world, templated(params={}, **recipients))) == ["template.params.name"]
        await world.accept(templated(**recipients))
    assert len(await world.rows(Email)) == 2


async def test_whose_template_is_sent_is_the_sending_tenants_question(world: Accepting) -> None:
    await world.new_template(template("ours"))
    made = draft(subject="", body=TemplateBody("ours", {"name": "x"}), tenant_id=OTHER)
    assert (await refusal_of(world, made, caller=OPERATOR)).reason is Reason.TEMPLATE_NOT_FOUND
    await world.accept(draft(subject="", body=TemplateBody("ours", {"name": "x"}), tenant_id=ACME), OPERATOR)
    names: Sequence[str] = [row.invoke_name for row in await world.rows(Email)]
    assert names == ["ours"]
    assert AUTHOR.tenant_id == ACME


def typed() -> TemplateForm:
    variables = (
        VariableForm("count", VariableType.INTEGER),
        VariableForm("day", VariableType.TIMESTAMP, required=False),
        VariableForm("paid", VariableType.BOOLEAN, required=False),
    )
    body = "<p>%count% %day% %paid% %free%</p>"
    return template(body=ContentForm(variants=(VariantForm("en", "Hi", body),), variables=variables))


async def test_values_of_the_wrong_type_are_refused_by_name(world: Accepting) -> None:
    await world.new_template(typed())
    params = {"count": "seven", "day": "tomorrow", "paid": 1.0, "free": "anything"}
    refusal = await refusal_of(world, templated(params=params))
    assert refusal.reason is Reason.TEMPLATE_VARIABLE_INVALID
    assert {v.field: v.description for v in refusal.violations} == {
        "template.params.count": "is not of type INTEGER",
        "template.params.day": "is not of type TIMESTAMP",
        "template.params.paid": "is not of type BOOLEAN",
    }


async def test_values_that_spell_their_type_are_taken(world: Accepting) -> None:
    await world.new_template(typed())
    await world.accept(templated(params={"count": 7.0, "paid": True, "free": [1.0]}))
    params = {"count": "-7", "day": "2026-06-01T12:00:00Z", "paid": "false", "free": None}
    refusal = await refusal_of(world, templated(params=params))
    assert fields(refusal) == ["template.params.free"]
    await world.accept(templated(params={**params, "free": "x"}))


async def test_names_that_no_variable_has_are_refused_where_they_stand(world: Accepting) -> None:
    await world.new_template()
    own = {"a@x.test": {"name": "A"}, "b@x.test": {"name": "B", "size": 5.0}}
    made = templated(to=tuple(own), params={"colour": "red"}, recipient_params=own)
    refusal = await refusal_of(world, made)
    assert refusal.reason is Reason.TEMPLATE_VARIABLE_INVALID
    assert {v.field: v.description for v in refusal.violations} == {
        "template.params.colour": "is no variable of the template",
        "template.recipient_params['b@x.test'].size": "is no variable of the template",
    }


async def test_names_that_no_variable_has_are_passed_over_where_the_caller_says_so(world: Accepting) -> None:
    await world.new_template()
    body = TemplateBody("welcome", {"name": "Ann", "colour": "red"}, ignores_unknown=True)
    await world.accept(draft(body=body))


async def test_a_name_that_another_language_has_is_known(world: Accepting) -> None:
    variants = (VariantForm("en", "Hi %name%", "", "x"), VariantForm("de", "Hallo %name%", "", "%ort%"))
    declared = (VariableForm("ort", required=False), VariableForm("spare", required=False))
    await world.new_template(template(body=ContentForm(variants=variants, variables=declared)))
    params = {"name": "Ann", "ort": "Ulm", "spare": "x"}
    await world.accept(templated(params=params, language="en"))
    refusal = await refusal_of(world, templated(params={**params, "Ort": "Ulm"}, language="en"))
    assert fields(refusal) == ["template.params.Ort"]


async def test_percent_encoding_is_no_variable_of_a_long_template(world: Accepting) -> None:
    long = content("Hi", f'<a href="/%DE%AD">%name%</a>{"x" * 40_000}')
    await world.new_template(template("short", content("Hi", '<a href="/%DE%AD">%name%</a>')))
    await world.new_template(template("long", long))
    with pytest.raises(NotCompiled) as caught:
        await world.accept(templated("long"))
    await world.store.read(world.memory.version, caught.value.version_id)
    params = {"name": "Ann", "DE": "a"}
    await world.accept(templated("short", params=params))
    refusal = await refusal_of(world, templated("long", params=params))
    assert (refusal.reason, fields(refusal)) == (
        Reason.TEMPLATE_VARIABLE_INVALID, ["template.params.DE"],
    )  # fmt: skip
    refusal = await refusal_of(world, templated("long", params={"name": "Ann", "BE": "no such octet"}))
    assert fields(refusal) == ["template.params.BE"]


@pytest.mark.parametrize("raw", ["<b>x</b", "<!-- x", "a <", "<a href='x'", "<style>", "</"])
async def test_b3_a_raw_value_is_whole_by_itself(world: Accepting, raw: str) -> None:
    body = ContentForm(
        variants=(VariantForm("en", "Hi", "<p>%r%</p><p><a href='tel:+49'>call</a></p>"),),
        variables=(VariableForm("r", raw=True),),
    )
    await world.new_template(template(body=body))
    refusal = await refusal_of(world, templated(params={"r": raw}))
    assert (refusal.reason, fields(refusal)) == (Reason.UNSAFE_CONTENT, ["template.params"])
    await world.accept(templated(params={"r": "<ul><li>1 < 2</ul><a href='https://x.example'>x</a>"}))
