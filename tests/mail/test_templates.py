"""Templates: creating, reading, changing and deleting them."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from fakes import NOON, ManualClock
from peers.configuration import (
    ACME,
    AUTHOR,
    OPERATOR,
    OTHER,
    STRANGER,
    Configuration,
    content,
    template,
)
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.limits import Limits
from postroom_server.mail.template_form import (
    ContentForm,
    TemplateForm,
    VariableForm,
    VariableType,
    VariantForm,
)
from postroom_server.mail.tenants import TenantForm
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import ReviewState, Template, TemplateKind, TemplateVersion
from postroom_server.store.opening import OpenDatabase
from refusing import refusal_of


@pytest.fixture
async def world(opened: OpenDatabase) -> Configuration:
    return await Configuration(opened, ManualClock(), Limits(templates_per_tenant=3)).fill()


async def test_a_new_template_is_its_first_version(world: Configuration) -> None:
    made = await world.new_template()
    assert (made.tenant_id, made.invoke_name, made.name) == (ACME, "welcome", "Welcome")
    assert (made.kind, made.version, made.author) == (TemplateKind.TRIGGER, 1, "author")
    assert (made.review_state, made.approved_version) == (ReviewState.APPROVED, 1)
    assert (made.create_time, made.update_time) == (NOON, NOON)
    assert await world.store.read(world.templates.get, AUTHOR, None, "welcome") == made


async def test_content_is_read_back_as_it_was_checked(world: Configuration) -> None:
    body = ContentForm(
        default_language="en",
        variants=(
            VariantForm("ZH-hans-cn", "你好 %name%", "<p>%name% 100%;</p>", "%name%"),
            VariantForm("", "Hi %name%", "", "Total %total%"),
        ),
        variables=(
            VariableForm("total", VariableType.INTEGER, default=5.0),
            VariableForm("agree", VariableType.BOOLEAN, required=False, default=True),
            VariableForm("ab", literal=True),
        ),
        sample_params={"name": "Ann", "list": [1.5, {"a": None}]},
        validity=300_000,
    )
    made = await world.new_template(template(body=body))
    assert made.content == ContentForm(
        default_language="en",
        variants=(
            VariantForm("zh-Hans-CN", "你好 %name%", "<p>%name% 100%;</p>", "%name%"),
            VariantForm("en", "Hi %name%", "", "Total %total%"),
        ),
        variables=(
            VariableForm("total", VariableType.INTEGER, required=False, default=5.0),
            VariableForm("agree", VariableType.BOOLEAN, required=False, default=True),
            VariableForm("ab", literal=True, required=True),
            VariableForm("name", required=True, declared=False),
        ),
        sample_params={"name": "Ann", "list": [1.5, {"a": None}]},
        validity=300_000,
    )


async def test_a_name_is_taken_once_in_a_tenant(world: Configuration) -> None:
    await world.new_template()
    refusal = await refusal_of(world.new_template())
    assert (refusal.reason, refusal.metadata) == (Reason.TEMPLATE_EXISTS, {"invoke_name": "welcome"})
    assert (await world.new_template(caller=STRANGER)).tenant_id == OTHER
    assert (await world.new_template(template("Welcome"))).invoke_name == "Welcome"


async def test_e6_templates_are_limited_per_tenant(world: Configuration) -> None:
    for number in range(3):
        await world.new_template(template(f"t{number}"))
    refusal = await refusal_of(world.new_template(template("t3")))
    assert (refusal.reason, refusal.metadata) == (Reason.TEMPLATE_LIMIT, {"limit": "3"})
    await world.new_template(caller=STRANGER)
    four = TenantForm(limits={"max_templates": 4})
    await world.store.write(world.tenants.update, ACME, four, ["limits.max_templates"])
    await world.new_template(template("t3"))


async def test_every_violation_is_named_at_once_and_nothing_is_stored(world: Configuration) -> None:
    form = TemplateForm("bad name", "x" * 256, None, content(subject="a\r\nb", html="<script>%a%</script>"))
    refusal = await refusal_of(world.new_template(form))
    assert [violation.field for violation in refusal.violations] == [
        "template.invoke_name",
        "template.name",
        "template.kind",
        "template.content.variants[0].subject",
    ]
    assert await world.store.read(Template.select().count) == 0
    assert await world.store.read(TemplateVersion.select().count) == 0


async def test_an_update_makes_a_version_of_the_newest_and_the_named_fields(world: Configuration) -> None:
    await world.new_template()
    assert isinstance(world.clock, ManualClock)
    world.clock.advance(1000)
    renamed = dataclasses.replace(template(), name="Hello", kind=TemplateKind.BATCH)
    made = await world.change_template(renamed, "name")
    assert (made.name, made.kind, made.version, made.approved_version) == (
        "Hello",
        TemplateKind.TRIGGER,
        2,
        2,
    )
    assert made.content is not None
    assert made.content.variants == content().variants
    assert (made.create_time, made.update_time) == (NOON, NOON + 1000)


async def test_an_update_of_one_part_of_the_content_keeps_the_others(world: Configuration) -> None:
    declared = VariableForm("name", VariableType.STRING, default="you")
    await world.new_template(template(body=dataclasses.replace(content(), variables=(declared,))))
    wanted = template(body=content(subject="Bye %name%", html="<p>%place%</p>"))
    made = await world.change_template(wanted, "content.variants")
    assert made.content is not None
    assert [(v.name, v.declared, v.default) for v in made.content.variables] == [
        ("name", True, "you"),
        ("place", False, None),
    ]
    assert made.content.variants[0].subject == "Bye %name%"


async def test_what_was_discovered_goes_with_the_text_it_stood_in(world: Configuration) -> None:
    await world.new_template(template(body=content("%a%", "<p>%b%</p>")))
    made = await world.change_template(template(body=content("%a%", "<p>new</p>")), "content.variants")
    assert made.content is not None
    assert made.content.variables == (VariableForm("a", required=True, declared=False),)


async def test_an_answer_sent_back_with_other_texts_requires_nothing_that_is_gone(
    world: Configuration,
) -> None:
    made = await world.new_template(template(body=content("%a%", "<p>%b%</p>")))
    assert made.content is not None
    edited = dataclasses.replace(made.content, variants=(VariantForm("en", "%a%", "<p>new</p>"),))
    changed = await world.change_template(template(body=edited), "content")
    assert changed.content is not None
    assert [variable.name for variable in changed.content.variables] == ["a"]


async def test_an_update_that_names_nothing_makes_no_version(world: Configuration) -> None:
    made = await world.new_template()
    assert await world.change_template(dataclasses.replace(template(), name="ignored")) == made


async def test_an_update_needs_the_version_it_was_made_for(world: Configuration) -> None:
    await world.new_template()
    await world.change_template(dataclasses.replace(template(), name="Two"), "name", expected_version=1)
    stale = world.change_template(dataclasses.replace(template(), name="Late"), "name", expected_version=1)
    refusal = await refusal_of(stale)
    assert (refusal.reason, refusal.code) == (Reason.VERSION_MISMATCH, "ABORTED")
    assert refusal.metadata == {"version": "2", "expected_version": "1"}
    made = await world.store.read(world.templates.get, AUTHOR, None, "welcome")
    assert (made.name, made.version) == ("Two", 2)


async def test_a_faster_change_is_kept_by_an_update_that_expects_no_version(world: Configuration) -> None:
    await world.new_template()
    slow = await world.store.read(
        world.templates.check_update, AUTHOR, None, dataclasses.replace(template(), name="Slow"), ["name"]
    )
    await world.change_template(template(body=content(subject="Fast")), "content.variants")
    made = await world.store.write(world.templates.update, AUTHOR, slow)
    assert made.content is not None
    assert (made.name, made.version, made.content.variants[0].subject) == ("Slow", 3, "Fast")


async def test_what_is_long_is_not_checked_again_where_writes_wait_for_it(world: Configuration) -> None:
    await world.new_template(template(body=content(html="x" * 20_000)))
    form = dataclasses.replace(template(body=content("second")), name="New")
    checked = await world.store.read(world.templates.check_update, AUTHOR, None, form, ["name"])
    await world.change_template(form, "content.validity")
    with pytest.raises(Refusal) as caught:
        await world.store.write(world.templates.update, AUTHOR, checked)
    assert caught.value.reason is Reason.VERSION_MISMATCH
    checked = await world.store.read(world.templates.check_update, AUTHOR, None, form, ["name"])
    assert (await world.store.write(world.templates.update, AUTHOR, checked)).version == 3


async def test_a_faster_change_refuses_an_update_that_expected_the_one_before(world: Configuration) -> None:
    await world.new_template()
    slow = await world.store.read(
        world.templates.check_update, AUTHOR, None, dataclasses.replace(template(), name="Slow"), ["name"], 1
    )
    await world.change_template(dataclasses.replace(template(), name="Fast"), "name")
    refusal = await refusal_of(world.store.write(world.templates.update, AUTHOR, slow))
    assert refusal.reason is Reason.VERSION_MISMATCH


async def test_versions_never_change(world: Configuration) -> None:
    await world.new_template()

    def first() -> dict[str, Any]:
        return dict(TemplateVersion.select().where(TemplateVersion.number == 1).dicts().get())

    before = await world.store.read(first)
    await world.change_template(template(body=content(subject="Two")), "content")
    assert await world.store.read(first) == before


@pytest.mark.parametrize("path", ["invoke_name", "version", "content.variants.html", "nothing", "author"])
async def test_a_mask_names_fields_that_can_be_changed(world: Configuration, path: str) -> None:
    await world.new_template()
    refusal = await refusal_of(world.change_template(template(), "name", path))
    assert [violation.field for violation in refusal.violations] == ["update_mask"]


async def test_a_refused_update_leaves_the_newest_version(world: Configuration) -> None:
    made = await world.new_template()
    bad = template(body=content(html="<a onclick='%x%'>x</a>"))
    refusal = await refusal_of(world.change_template(bad, "content"))
    assert refusal.reason is Reason.TEMPLATE_CONTENT_INVALID
    assert await world.store.read(world.templates.get, AUTHOR, None, "welcome") == made


async def test_a_deleted_template_is_gone_and_its_name_is_free(world: Configuration) -> None:
    made = await world.new_template()
    stale = await refusal_of(world.store.write(world.templates.delete, AUTHOR, None, "welcome", 2))
    assert stale.reason is Reason.VERSION_MISMATCH
    await world.store.write(world.templates.delete, AUTHOR, None, "welcome", 1)
    for unit in (
        world.store.read(world.templates.get, AUTHOR, None, "welcome"),
        world.store.write(world.templates.delete, AUTHOR, None, "welcome"),
        world.change_template(template(), "name"),
    ):
        assert (await refusal_of(unit)).reason is Reason.TEMPLATE_NOT_FOUND
    again = await world.new_template()
    assert (again.version, again.id != made.id) == (1, True)


async def test_mail_accepted_before_a_deletion_keeps_its_version(world: Configuration) -> None:
    await world.new_template()
    known = await world.store.read(world.memory.current)
    facts = await world.store.read(known.template, ACME, "welcome")
    assert facts is not None
    assert facts.approved_version_id is not None
    await world.store.write(world.templates.delete, AUTHOR, None, "welcome")
    version = await world.store.read(known.version, facts.approved_version_id)
    assert version.variants["en"].render({"name": "Ann"}).subject == "Hi Ann"


async def test_a_send_right_after_an_edit_sees_the_new_version(world: Configuration) -> None:
    await world.new_template()
    known = await world.store.read(world.memory.current)
    before = await world.store.read(known.template, ACME, "welcome")
    await world.change_template(template(body=content(subject="New")), "content")
    known = await world.store.read(world.memory.current)
    after = await world.store.read(known.template, ACME, "welcome")
    assert before is not None
    assert after is not None
    assert before.approved_version_id != after.approved_version_id


async def test_sending_renders_defaults_of_every_type(world: Configuration) -> None:
    body = dataclasses.replace(
        content("%a% %b% %c%", "<p>%d%</p>"),
        variables=(
            VariableForm("a", VariableType.INTEGER, default=5.0),
            VariableForm("b", VariableType.BOOLEAN, default=False),
            VariableForm("c", default=2.5),
            VariableForm("d", required=False),
        ),
    )
    await world.new_template(template(body=body))
    known = await world.store.read(world.memory.current)
    facts = await world.store.read(known.template, ACME, "welcome")
    assert facts is not None
    version = await world.store.read(known.version, facts.approved_version_id or 0)
    assert version.variants["en"].render({}).subject == "5 false 2.5"


async def test_e2_the_templates_of_others_are_not_found(world: Configuration) -> None:
    await world.new_template()
    for unit in (
        world.store.read(world.templates.get, STRANGER, None, "welcome", include_platform=True),
        world.store.write(world.templates.delete, STRANGER, None, "welcome"),
        world.change_template(template(), "name", caller=STRANGER),
    ):
        assert (await refusal_of(unit)).reason is Reason.TEMPLATE_NOT_FOUND
    named = world.store.read(world.templates.get, STRANGER, ACME, "welcome")
    assert (await refusal_of(named)).reason is Reason.TENANT_FORBIDDEN


async def test_the_platforms_template_is_shown_where_the_tenant_has_none(world: Configuration) -> None:
    await world.new_template(caller=OPERATOR)
    get = world.templates.get
    assert (await refusal_of(world.store.read(get, AUTHOR, None, "welcome"))).reason is (
        Reason.TEMPLATE_NOT_FOUND
    )
    shared = await world.store.read(get, AUTHOR, None, "welcome", include_platform=True)
    own = await world.new_template()
    shadowed = await world.store.read(get, AUTHOR, None, "welcome", include_platform=True)
    assert (shared.tenant_id, shadowed.id) == (0, own.id)


async def test_the_platforms_templates_are_the_operators_to_change(world: Configuration) -> None:
    await world.new_template(caller=OPERATOR)
    own = Caller(0, 9, "no platform scope", frozenset({Scope.TEMPLATE}))
    for unit in (
        world.new_template(template("other"), own),
        world.change_template(template(), "name", caller=own),
        world.store.write(world.templates.delete, own, None, "welcome"),
        world.new_template(template("other"), tenant_id=0),
    ):
        assert (await refusal_of(unit)).reason is Reason.TENANT_FORBIDDEN


async def test_the_program_brings_templates_without_a_caller(world: Configuration) -> None:
    made = await world.store.write(world.templates.add, 0, template("brought"), "postroom")
    assert (made.tenant_id, made.author, made.approved_version) == (0, "postroom", 1)


@pytest.mark.every_database
async def test_of_equal_templates_made_at_once_one_is_made(world: Configuration) -> None:
    made = await asyncio.gather(*(world.new_template() for _ in range(12)), return_exceptions=True)
    refusals = [outcome.reason for outcome in made if isinstance(outcome, Refusal)]
    assert refusals == [Reason.TEMPLATE_EXISTS] * 11


@pytest.mark.every_database
async def test_e6_templates_made_at_once_stay_within_the_limit(world: Configuration) -> None:
    forms = [template(f"t{number}") for number in range(12)]
    made = await asyncio.gather(*(world.new_template(form) for form in forms), return_exceptions=True)
    refusals = [outcome.reason for outcome in made if isinstance(outcome, Refusal)]
    assert refusals == [Reason.TEMPLATE_LIMIT] * 9
    assert await world.store.read(Template.select().count) == 3


@pytest.mark.every_database
async def test_updates_made_at_once_each_make_a_version(world: Configuration) -> None:
    await world.new_template()
    names = [f"n{number}" for number in range(12)]
    updates = [world.change_template(dataclasses.replace(template(), name=name), "name") for name in names]
    versions = [record.version for record in await asyncio.gather(*updates)]
    assert sorted(versions) == list(range(2, 14))
