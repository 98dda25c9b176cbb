"""A version that would refuse what callers sent lately is not published unless its author insists."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import pytest
import structlog.testing

from accepting import templated
from guarding import Guarding, saying
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER, STRANGER, template
from postroom_server.clock import DAY, HOUR
from postroom_server.mail import template_breaks
from postroom_server.mail.broken_call import Kind
from postroom_server.mail.caller import Caller
from postroom_server.mail.compiled_content import compile_content
from postroom_server.mail.draft import TemplateBody
from postroom_server.mail.template_breaks import Sendable, breaks
from postroom_server.mail.template_calls import MOST_SHAPES
from postroom_server.mail.template_form import ContentForm, VariableForm
from postroom_server.mail.template_guard import tell_breaks
from postroom_server.mail.template_usage import MOST_STORED, MOST_UNKNOWN
from postroom_server.message.variable_types import VariableType
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Syntax
from postroom_server.store.opening import OpenDatabase

SHOP = Caller(ACME, 21, "shop", AUTHOR.scopes)
TILL = Caller(ACME, 22, "till", AUTHOR.scopes)


@pytest.fixture
async def world(opened: OpenDatabase) -> Guarding:
    return await filled(Guarding(opened))


async def filled(world: Guarding) -> Guarding:
    await world.fill()
    await world.add_server()
    await world.add_server(OTHER)
    return world


async def started(world: Guarding, body: ContentForm | None = None) -> None:
    await world.new_template(template(body=body or saying("%name%")))


async def refusal_of(call: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await call
    assert caught.value.reason is Reason.TEMPLATE_BREAKING_CHANGE
    return caught.value


def told(refusal: Refusal, *kinds: Kind) -> dict[str, str]:
    return {kind.value: refusal.metadata[kind] for kind in kinds or Kind if kind in refusal.metadata}


async def version_sent(world: Guarding, tenant_id: int = ACME) -> int:
    return (await world.store.read(world.templates.get, AUTHOR, tenant_id, "welcome")).approved_version


@pytest.mark.every_database
async def test_a_new_required_variable_is_named_with_those_who_lack_it(world: Guarding) -> None:
    await started(world)
    await world.send(name="Ann", caller=SHOP, labels={"app": "web", "team": "a"})
    await world.send(name="Ann", caller=TILL)
    before = await world.counts()
    refusal = await refusal_of(world.publish(saying("%name% %order%")))
    assert await world.counts() == before
    assert await version_sent(world) == 1
    assert refusal.metadata == {
        "invoke_name": "welcome", "version": "2", "days": "30", "variables": "order", "missing": "order",
        "tokens": "shop, till", "labels": "app=web, team=a",
    }  # fmt: skip
    assert [(one.field, one.description, one.reason) for one in refusal.violations] == [
        (
            "template.params.order",
            "has no value; sent by shop (app=web, team=a), till",
            Reason.TEMPLATE_BREAKING_CHANGE,
        )
    ]
    assert refusal.message == (
        "version 2 of welcome would break what callers sent in the last 30 days: order has no value "
        "(allow_breaking publishes it all the same)"
    )


async def test_what_has_a_default_or_is_optional_breaks_nobody(world: Guarding) -> None:
    await started(world)
    await world.send(name="Ann")
    variables = (VariableForm("order", default="none"), VariableForm("city", required=False))
    await world.publish(saying("%name% %order% %city%", *variables))
    assert await version_sent(world) == 2


async def test_only_calls_that_lack_it_are_broken(world: Guarding) -> None:
    await started(world, saying("%name% %order%", VariableForm("order", required=False)))
    await world.send(name="Ann", order="1", caller=SHOP)
    await world.publish(saying("%name% %order%"))
    await world.publish(saying("%name% %order%", VariableForm("order", required=False)))
    await world.send(name="Ann", caller=TILL)
    refusal = await refusal_of(world.publish(saying("%name% %order%")))
    assert refusal.metadata["tokens"] == "till"


async def test_null_is_no_value(world: Guarding) -> None:
    await started(world, saying("%name%", VariableForm("name", required=False)))
    await world.send(name=None)
    assert told(await refusal_of(world.publish(saying("%name%")))) == {"missing": "name"}


@pytest.mark.parametrize(
    ("type_", "fits", "does_not"),
    [
        (VariableType.INTEGER, "17", "17.5"),
        (VariableType.INTEGER, 17.0, 17.5),
        (VariableType.NUMBER, "17.5", "many"),
        (VariableType.BOOLEAN, "true", "yes"),
        (VariableType.BOOLEAN, True, 1.0),
        (VariableType.TIMESTAMP, "2026-06-01T12:00:00Z", "2026-06-01"),
        (VariableType.STRING, "x", ["x"]),
    ],
)
async def test_a_new_type_breaks_values_that_are_not_of_it(
    world: Guarding, type_: VariableType, fits: Any, does_not: Any
) -> None:
    await started(world, saying("%it%"))
    await world.send(it=fits)
    wanted = saying("%it%", VariableForm("it", type=type_))
    await world.publish(wanted)
    await world.publish(saying("%it%"))
    await world.send(it=does_not, labels={"app": "web"})
    refusal = await refusal_of(world.publish(wanted))
    assert told(refusal) == {"type": "it"}
    assert refusal.violations[0].description == f"is not of type {type_}; sent by author (app=web)"


async def test_a_variable_that_is_gone_makes_its_parameter_unknown(world: Guarding) -> None:
    await started(world, saying("%name% %order%"))
    await world.send(name="Ann", order="1")
    refusal = await refusal_of(world.publish(saying("%name%")))
    assert told(refusal) == {"unknown": "order"}
    # Declared it is known, though the text no longer says it.
    await world.publish(saying("%name%", VariableForm("order", required=False, type=VariableType.STRING)))


async def test_callers_whose_unknown_parameters_are_passed_over_lose_nothing(world: Guarding) -> None:
    await started(world, saying("%name% %order%"))
    body = TemplateBody("welcome", {"name": "Ann", "order": "1"}, ignores_unknown=True)
    await world.send(draft=templated(body=body))
    await world.publish(saying("%name%"))
    assert told(await refusal_of(world.publish(saying("%name% %city%")))) == {"missing": "city"}


@pytest.mark.parametrize("asked", ["zh-CN", "zh-TW", "zh"])
async def test_a_language_that_is_gone_breaks_those_who_asked_for_it(world: Guarding, asked: str) -> None:
    await started(world, saying("%name%", zh_CN="%name%"))
    await world.send(name="Ann", language=asked)
    refusal = await refusal_of(world.publish(saying("%name%")))
    assert (told(refusal), refusal.violations[0].field) == ({"language": asked}, "language")
    assert "variables" not in refusal.metadata


@pytest.mark.parametrize("asked", ["en", "en-GB", "fr"])
async def test_who_asked_for_another_language_loses_nothing(world: Guarding, asked: str) -> None:
    await started(world, saying("%name%", zh_CN="%name%"))
    await world.send(name="Ann", language=asked)
    await world.publish(saying("%name%"))
    assert await version_sent(world) == 2


async def test_a_neighbouring_language_will_do(world: Guarding) -> None:
    await started(world, saying("%name%", zh_CN="%name%"))
    await world.send(name="Ann", language="zh-CN")
    await world.publish(saying("%name%", zh_TW="%name%"))


async def test_the_language_that_a_tenant_asks_for_by_default_counts(world: Guarding) -> None:
    await world.change_tenant(default_language="zh")
    await started(world, saying("%name%", zh="%name%"))
    await world.send(name="Ann")
    assert told(await refusal_of(world.publish(saying("%name%")))) == {"language": "zh"}


async def test_a_code_that_would_not_be_shown_any_more_breaks_those_who_send_codes(world: Guarding) -> None:
    await world.new_template(template("welcome", saying("%verificationCode%")))
    await world.send(draft=templated(params={}, has_verification=True, biz_key="LOGIN"))
    refusal = await refusal_of(world.publish(saying("Hello")))
    assert told(refusal) == {"code": "verificationCode"}
    assert refusal.violations[0].field == "verification"


def listing(item: str, *variables: VariableForm) -> ContentForm:
    text = f"{{% for item in order.items %}}{item}{{% endfor %}}"
    return dataclasses.replace(saying(text, *variables), syntax=Syntax.LIQUID)


async def test_values_within_lists_and_objects_are_told_by_their_paths(world: Guarding) -> None:
    await started(world, listing("{{ item.name }} {{ item.price }}"))
    await world.send(order={"items": [{"name": "tea", "price": "2.50"}, {"name": "milk", "price": "cheap"}]})
    await world.publish(listing("{{ item.price }}: {{ item.name }}"))
    number = VariableForm("order.items[].price", type=VariableType.NUMBER)
    weight = VariableForm("order.items[].weight", required=True)
    refusal = await refusal_of(world.publish(listing("{{ item.price }} {{ item.weight }}", number, weight)))
    assert told(refusal) == {
        "missing": "order.items[].weight", "type": "order.items[].price", "unknown": "order.items[].name",
    }  # fmt: skip
    assert {one.field for one in refusal.violations} == {
        "template.params.order.items[].weight",
        "template.params.order.items[].price",
        "template.params.order.items[].name",
    }


def with_order(text: str) -> ContentForm:
    order = VariableForm("order", type=VariableType.OBJECT)
    return dataclasses.replace(saying(text, order), syntax=Syntax.LIQUID)


@pytest.mark.parametrize(("names", "broken"), [(255, {"missing": "order.other"}), (256, {})])
async def test_what_was_too_large_to_be_kept_breaks_nobody(
    world: Guarding, names: int, broken: dict[str, str]
) -> None:
    """One name is the object's own: of 256 in it there is no room for the last."""
    await started(world, with_order("Hello"))
    await world.send(order={f"n{i}": "x" for i in range(names)})
    calls = await world.calls()
    current = Sendable(compile_content(with_order("Hello")), "en")
    candidate = Sendable(compile_content(with_order("{{ order.other }}")), "en")
    found = breaks(current, candidate, calls)
    assert {one.kind.value: one.name for one in found if one.kind is Kind.MISSING} == broken


async def test_everything_that_breaks_is_told_at_once(world: Guarding) -> None:
    await started(world, saying("%name% %order%", zh="%name% %order%"))
    await world.send(name="Ann", order="A", language="zh")
    number = VariableForm("order", type=VariableType.NUMBER)
    refusal = await refusal_of(world.publish(saying("%city% %order%", number)))
    assert told(refusal) == {"missing": "city", "type": "order", "unknown": "name", "language": "zh"}
    assert refusal.metadata["variables"] == "city, order, name"
    assert [one.field for one in refusal.violations] == [
        "language", "template.params.city", "template.params.order", "template.params.name",
    ]  # fmt: skip


async def test_who_insists_publishes_and_it_is_logged(world: Guarding) -> None:
    await started(world)
    await world.send(name="Ann", caller=SHOP, labels={"app": "web"})
    published = await world.publish(saying("%name% %order%"), allow_breaking=True)
    assert (published.approved_version, await version_sent(world)) == (2, 2)
    with structlog.testing.capture_logs() as lines:
        tell_breaks(published, correlation_id="c-1")
    assert lines == [
        {
            "event": "template_broke_callers", "log_level": "warning", "tenant": ACME, "template": "welcome",
            "version": 2, "variables": ["order"], "missing": ["order"], "tokens": ["shop"],
            "labels": ["app=web"], "correlation_id": "c-1",
        }
    ]  # fmt: skip


async def test_who_insists_where_nothing_breaks_is_not_logged(world: Guarding) -> None:
    await started(world)
    await world.send(name="Ann")
    published = await world.publish(saying("Dear %name%"), allow_breaking=True)
    with structlog.testing.capture_logs() as lines:
        tell_breaks(published, correlation_id="c-1")
    assert lines == []


async def test_what_was_broken_with_leave_does_not_stand_in_the_way_again(world: Guarding) -> None:
    await started(world)
    await world.send(name="Ann", caller=SHOP)
    await world.publish(saying("%name% %order%"), allow_breaking=True)
    await world.publish(saying("Dear %name%, %order%"))
    # Once the caller has followed, they are minded again.
    await world.send(name="Ann", order="1", caller=SHOP)
    refusal = await refusal_of(world.publish(saying("%name% %order% %city%")))
    assert told(refusal) == {"missing": "city"}


async def test_a_template_that_nobody_uses_is_changed_freely(world: Guarding) -> None:
    await started(world, saying("%name%", zh="%name%"))
    await world.publish(saying("%order%"))
    assert await version_sent(world) == 2


async def test_another_tenants_calls_of_a_template_of_that_name_do_not_count(world: Guarding) -> None:
    await started(world)
    await world.new_template(template(body=saying("%name%")), STRANGER)
    await world.send(name="Ann", caller=STRANGER)
    await world.publish(saying("%order%"))


async def test_a_platforms_template_minds_its_tenants(world: Guarding) -> None:
    await world.new_template(template(body=saying("%name%")), OPERATOR)
    await world.send(name="Ann", caller=STRANGER)
    refusal = await refusal_of(world.publish(saying("%order%"), caller=OPERATOR))
    assert refusal.metadata["tokens"] == "stranger"


async def test_a_template_made_anew_minds_nobody(world: Guarding) -> None:
    await started(world)
    await world.send(name="Ann")
    await world.store.write(world.templates.delete, AUTHOR, None, "welcome")
    await started(world, saying("%order%"))
    await world.publish(saying("%city%"))


async def test_calls_are_minded_to_the_end_of_the_last_day(world: Guarding) -> None:
    """Sent at noon, or later that day: nobody wrote down the hour."""
    await started(world)
    await world.send(name="Ann")
    world.clock.advance(30 * DAY + 12 * HOUR - 1)
    await refusal_of(world.publish(saying("%order%")))
    world.clock.advance(1)
    await world.publish(saying("%order%"))


async def test_the_days_are_a_setting_and_none_switches_the_guard_off(opened: OpenDatabase) -> None:
    world = await filled(Guarding(opened, days=1))
    await started(world)
    await world.send(name="Ann")
    assert (await refusal_of(world.publish(saying("%order%")))).metadata["days"] == "1"
    world = Guarding(opened, days=0, node=1)
    await world.publish(saying("%order%"))


async def test_what_is_not_submitted_is_not_guarded_but_its_submission_is(world: Guarding) -> None:
    await started(world)
    await world.send(name="Ann")
    await world.publish(saying("%order%"), submit=False)
    submit = functools.partial(world.reviews.submit, AUTHOR, None, "welcome")
    refusal = await refusal_of(world.compiled(submit))
    assert refusal.metadata["version"] == "2"
    assert await version_sent(world) == 1
    record = await world.compiled(functools.partial(submit, allow_breaking=True))
    assert (record.approved_version, len(record.breaks)) == (2, 2)


async def test_a_version_that_waits_for_review_is_guarded_when_it_is_approved(world: Guarding) -> None:
    await started(world)
    await world.send(name="Ann")
    await world.review_by_hand()
    await world.publish(saying("%order%"))
    approve = functools.partial(world.reviews.approve, OPERATOR, ACME, "welcome")
    await refusal_of(world.compiled(approve))
    assert await version_sent(world) == 1
    record = await world.compiled(functools.partial(approve, allow_breaking=True))
    assert record.approved_version == 2


async def test_an_older_version_that_is_approved_late_breaks_nobody(world: Guarding) -> None:
    await started(world)
    await world.review_by_hand()
    await world.publish(saying("%order%"), submit=False)
    await world.publish(saying("%name%!"))
    reviews = world.reviews
    await world.compiled(functools.partial(reviews.approve, OPERATOR, ACME, "welcome", 3))
    await world.send(name="Ann")
    await world.compiled(functools.partial(reviews.submit, AUTHOR, None, "welcome", 2))
    await world.compiled(functools.partial(reviews.approve, OPERATOR, ACME, "welcome", 2))
    assert await version_sent(world) == 3


async def test_restoring_is_guarded(world: Guarding) -> None:
    await started(world)
    await world.publish(saying("%name% %order%"))
    await world.send(name="Ann", order="1")
    restore = functools.partial(world.versions.restore, AUTHOR, None, "welcome", 1)
    refusal = await refusal_of(world.compiled(restore))
    assert (told(refusal), refusal.metadata["version"]) == ({"unknown": "order"}, "3")
    record = await world.compiled(functools.partial(restore, allow_breaking=True))
    assert (record.approved_version, len(record.breaks)) == (3, 1)


async def test_restoring_without_submitting_is_not_guarded(world: Guarding) -> None:
    await started(world)
    await world.publish(saying("%name% %order%"))
    await world.send(name="Ann", order="1")
    await world.compiled(functools.partial(world.versions.restore, AUTHOR, None, "welcome", 1, submit=False))
    assert await version_sent(world) == 2


async def test_what_was_merged_with_somebody_elses_change_is_guarded_too(world: Guarding) -> None:
    """The update was checked before another came first; what is published is both."""
    await started(world)
    await world.send(name="Ann")
    form = template(body=saying("%name%", VariableForm("name", type=VariableType.INTEGER)))
    checked = await world.store.read(world.templates.check_update, AUTHOR, None, form, ["content.variables"])
    await world.publish(saying("%name%, hello"))
    update = functools.partial(world.templates.update, AUTHOR, checked)
    assert told(await refusal_of(world.compiled(update))) == {"type": "name"}


async def test_a_change_of_the_name_alone_breaks_nobody(world: Guarding) -> None:
    await started(world)
    await world.send(name="Ann")
    await world.change_template(template(), "name")
    assert await version_sent(world) == 2


async def test_long_templates_are_guarded(opened: OpenDatabase, world: Guarding) -> None:
    """More than a unit that writes may compile: it is run again once that is done beside it."""
    long = "x" * 5000
    await started(world, saying(f"%name% {long}"))
    await world.publish(saying(f"%name% %order% {long}"), submit=False)
    await world.send(name="Ann")
    fresh = Guarding(opened, node=1)
    await refusal_of(fresh.publish(saying(f"%order% {long}"), submit=True))
    fresh = Guarding(opened, node=2)
    await refusal_of(fresh.compiled(functools.partial(fresh.reviews.submit, AUTHOR, None, "welcome", 2)))


async def test_what_is_told_is_bounded(world: Guarding) -> None:
    """Sixty broken variables, forty callers, labels of the longest: an answer that clients can take."""
    names = [f"variable_{i}_{'x' * 40}" for i in range(60)]
    await started(world, saying(" ".join(f"%{name}%" for name in names)))
    for number in range(40):
        caller = Caller(ACME, 100 + number, f"token {number} {'t' * 200}", AUTHOR.scopes)
        labels = {f"label{i}": "值" * 256 for i in range(16)}
        await world.send(caller=caller, labels=labels, **dict.fromkeys(names, "x"))
    refusal = await refusal_of(world.publish(saying("Nothing")))
    assert len(refusal.violations) == 60
    assert max(len(one.description) for one in refusal.violations) <= 400
    assert max(len(value.encode()) for value in refusal.metadata.values()) <= 304
    assert refusal.metadata["unknown"].endswith(", …")
    assert len(refusal.message) < 1500


async def test_a_noisy_caller_pushes_nobody_out(world: Guarding) -> None:
    """More shapes than are compared, each of names that no variable has: the quiet call is still minded."""
    optional = saying("%name% %order%", VariableForm("order", required=False))
    await started(world, optional)
    await world.send(name="Ann", caller=SHOP)
    world.clock.advance(DAY)
    for i in range(MOST_SHAPES + 10):
        body = TemplateBody("welcome", {"name": "x", "order": "1", f"noise{i}": "1"}, ignores_unknown=True)
        await world.send(draft=templated(body=body), caller=TILL)
    assert len(await world.calls()) == 1 + MOST_UNKNOWN
    refusal = await refusal_of(world.publish(saying("%name% %order%")))
    assert refusal.metadata["tokens"] == "shop"


async def test_a_callers_own_noise_does_not_hide_its_other_calls(world: Guarding) -> None:
    await started(world, listing("{{ item.name }}"))
    await world.send(order={"items": []}, caller=TILL)
    for i in range(MOST_STORED + 1):
        items = [{"name": "tea", f"noise{i}": "1", f"deep{i}": {f"noise{i}": ["x"]}}]
        params = {"order": {"items": items}, f"noise{i}": {f"x{i}": 1}}
        body = TemplateBody("welcome", params, ignores_unknown=True)
        await world.send(draft=templated(body=body), caller=TILL)
    assert len(await world.calls()) <= 1 + MOST_UNKNOWN + 1
    number = VariableForm("order.items[].name", type=VariableType.INTEGER)
    refusal = await refusal_of(world.publish(listing("{{ item.name }}", number)))
    assert told(refusal) == {"type": "order.items[].name"}


async def test_some_names_that_no_variable_has_are_remembered(world: Guarding) -> None:
    """Who sends a parameter early and has it passed over is ready for the version that wants it."""
    await started(world)
    early = TemplateBody("welcome", {"name": "Ann", "order": "A"}, ignores_unknown=True)
    await world.send(draft=templated(body=early))
    number = VariableForm("order", type=VariableType.NUMBER)
    assert told(await refusal_of(world.publish(saying("%name% %order%", number)))) == {"type": "order"}
    await world.publish(saying("%name% %order%"))
    assert await version_sent(world) == 2


def liquid(text: str, *variables: VariableForm) -> ContentForm:
    return dataclasses.replace(saying(text, *variables), syntax=Syntax.LIQUID)


EVER_FAILING = "{{ name }}{% assign many = 20000 %}{% for i in (1..many) %}x{% endfor %}"


async def test_a_version_that_can_never_be_rendered_breaks_every_caller(world: Guarding) -> None:
    await started(world, liquid("{{ name }}"))
    await world.send(name="Ann", labels={"app": "web"})
    refusal = await refusal_of(world.publish(liquid(EVER_FAILING)))
    assert (told(refusal), refusal.violations[0].field) == ({"rendering": "en"}, "template")
    assert refusal.violations[0].description == (
        "cannot be rendered: text: in line 1 makes a range of more than 10000 numbers; "
        "sent by author (app=web)"
    )
    assert "variables" not in refusal.metadata
    assert (await world.publish(liquid(EVER_FAILING), allow_breaking=True)).breaks


async def test_a_value_that_only_rendering_misses_is_told_by_its_name(world: Guarding) -> None:
    await started(world, liquid("{{ name }}"))
    await world.send(name="Ann")
    split = liquid('{% assign all = name | split: "" %}{% for one in all %}{{ one.price }}{% endfor %}')
    assert told(await refusal_of(world.publish(split))) == {"missing": "one.price"}


@pytest.mark.parametrize(
    "text",
    [
        # The first needs a comma in the name, the second three items: nobody knows whether there are.
        '{% assign all = name | split: "," %}{{ all[1] }}{{ list[0] }}',
        "{{ name }}{% assign third = list[2] %}{{ third }}",
        "{{ list[0] }}{{ name }}{% for i in (1..9000) %}{% assign b = name | upcase %}{% endfor %}",
    ],
)
async def test_what_only_some_values_break_is_not_foreseen(world: Guarding, text: str) -> None:
    await started(world, liquid("{{ name }} {{ list[0] }}"))
    await world.send(name="Ann", list=["tea"])
    await world.publish(liquid(text))
    assert await version_sent(world) == 2


async def test_what_cannot_be_rendered_already_is_not_held_against_the_next(world: Guarding) -> None:
    await started(world, liquid("{{ name }}"))
    await world.send(name="Ann")
    await world.publish(liquid(EVER_FAILING), allow_breaking=True)
    await world.publish(liquid(f"Dear {EVER_FAILING}"))
    assert await version_sent(world) == 3


async def test_trials_take_so_many_steps_and_no_more(
    world: Guarding, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(world, liquid("{{ name }}"))
    await world.send(name="Ann")
    calls = await world.calls()
    current, bad = (Sendable(compile_content(liquid(text)), "en") for text in ("{{ name }}", EVER_FAILING))
    assert breaks(current, bad, calls)
    monkeypatch.setattr(template_breaks, "STEPS", 0)
    assert not breaks(current, bad, calls)
