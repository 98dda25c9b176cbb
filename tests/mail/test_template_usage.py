"""What templates are called with is remembered: once a day, by shape, when it is stored and not before."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from accepting import draft, templated
from guarding import Guarding, saying
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER, STRANGER, template
from postroom_server.clock import DAY, HOUR
from postroom_server.mail.accept import Accepted
from postroom_server.mail.broken_call import Circumstances
from postroom_server.mail.caller import Caller
from postroom_server.mail.draft import CustomBody
from postroom_server.mail.template_calls import store
from postroom_server.mail.template_usage import MOST_LABELS, Noticed, TemplateUsage
from postroom_server.refusals import Refusal
from postroom_server.store.models import TemplateCall, TemplateCaller
from postroom_server.store.opening import OpenDatabase

SECRET = "correct horse"


@pytest.fixture
async def world(opened: OpenDatabase) -> Guarding:
    return await filled(Guarding(opened))


async def filled(world: Guarding) -> Guarding:
    await world.fill()
    await world.add_server()
    await world.add_server(OTHER)
    await world.new_template(template(body=saying("%name% %order%", zh="%name% %order%")))
    return world


@pytest.mark.every_database
async def test_a_call_is_remembered_with_its_caller(world: Guarding) -> None:
    await world.send(name="Ann", order="17", labels={"app": "shop", "team": "a"}, language="zh-CN")
    (call,) = await world.rows(TemplateCall)
    (caller,) = await world.rows(TemplateCaller)
    assert (call.language, call.circumstances, bool(call.partial)) == ("zh-CN", 0, False)
    assert json.loads(call.shape) == {"name": "text", "order": "text/integer"}
    assert call.seen_time == caller.seen_time == world.clock.now()
    assert (caller.template_id, caller.digest) == (call.template_id, call.digest)
    assert (caller.token_id, caller.tenant_id, caller.name) == (AUTHOR.token_id, ACME, "author")
    assert json.loads(caller.labels) == [{"app": "shop", "team": "a"}]


@pytest.mark.every_database
async def test_no_value_is_stored(world: Guarding) -> None:
    await world.send(name=SECRET, order=SECRET)
    for model in (TemplateCall, TemplateCaller):
        for row in await world.rows(model):
            assert SECRET not in str(row.__data__)


async def test_calls_of_one_shape_are_stored_once_a_day(world: Guarding) -> None:
    first = await world.send(name="Ann", order="17")
    again = await world.send(name="Bea", order="18")
    assert (len(first.noticed), len(again.noticed)) == (1, 0)
    # Half past noon is the same day; noon of the next is another.
    world.clock.advance(HOUR // 2)
    assert not (await world.send(name="Ann", order="17")).noticed
    world.clock.advance(DAY)
    assert (await world.send(name="Ann", order="17")).noticed
    assert not (await world.send(name="Ann", order="17")).noticed
    assert await world.stored() == (1, 1)
    (call,) = await world.rows(TemplateCall)
    (caller,) = await world.rows(TemplateCaller)
    assert call.seen_time == caller.seen_time == world.clock.now()


async def test_what_differs_for_a_version_is_stored_by_itself(world: Guarding) -> None:
    await world.send(name="Ann", order="17")
    await world.send(name="Ann", order="A-17")
    await world.send(name="Ann", order="17", language="zh")
    await world.send(name="Ann", order=17.5)
    assert await world.stored() == (4, 4)
    await world.send(name="Ann", order="17", caller=OPERATOR_OF_ACME)
    assert await world.stored() == (4, 5)


OPERATOR_OF_ACME = Caller(ACME, 9, "second", AUTHOR.scopes)


async def test_each_recipients_own_parameters_count(world: Guarding) -> None:
    await world.send(
        draft=templated(
            to=("ann@example.com", "bea@example.com"),
            params={"name": "x"},
            recipient_params={"ann@example.com": {"order": "1"}, "bea@example.com": {"order": "B"}},
        )
    )
    assert await world.shapes() == [
        {"name": "text", "order": "text"},
        {"name": "text", "order": "text/integer"},
    ]


async def test_custom_bodies_refused_calls_and_replays_are_no_usage(world: Guarding) -> None:
    await world.send(draft=draft(body=CustomBody(text="Hello")))
    with pytest.raises(Refusal):
        await world.send(name="Ann")
    assert await world.stored() == (0, 0)
    await world.send(draft=templated(params={"name": "Ann", "order": "1"}, request_id="one"))
    world.clock.advance(DAY)
    replayed = await world.send(draft=templated(params={"name": "Ann", "order": "1"}, request_id="one"))
    assert (replayed.replayed, replayed.noticed) == (True, ())


async def test_a_batch_stores_each_shape_once(world: Guarding) -> None:
    drafts = [templated(params={"name": "Ann", "order": str(i)}) for i in range(20)]
    outcomes: Any = await world.accept_many([*drafts, templated(params={"name": "Ann", "order": "A"})])
    assert [len(outcome.noticed) for outcome in outcomes] == [1, *[0] * 19, 1]
    assert await world.stored() == (2, 2)


@pytest.mark.every_database
async def test_a_unit_that_is_rolled_back_leaves_nothing_remembered(world: Guarding) -> None:
    items = world.acceptance.check_batch(AUTHOR, 1, [templated(params={"name": "Ann", "order": "1"})])

    def fails() -> Any:
        world.acceptance.accept_many(AUTHOR, items)
        raise RuntimeError("the unit fails after it stored")

    with pytest.raises(RuntimeError):
        await world.store.write_then(world._remember, fails)
    assert await world.stored() == (0, 0)
    assert (await world.send(name="Ann", order="1")).noticed
    assert await world.stored() == (1, 1)


@pytest.mark.every_database
async def test_two_processes_store_the_same_call_as_one(opened: OpenDatabase, world: Guarding) -> None:
    second = Guarding(opened, node=1)
    assert (await world.send(name="Ann", order="1", labels={"app": "shop"})).noticed
    assert (await second.send(name="Ann", order="1", labels={"app": "till"})).noticed
    assert await world.stored() == (1, 1)
    (caller,) = await world.rows(TemplateCaller)
    assert json.loads(caller.labels) == [{"app": "shop"}, {"app": "till"}]


@pytest.mark.every_database
async def test_processes_that_store_at_the_same_moment_do_not_fail_each_other(
    opened: OpenDatabase, world: Guarding
) -> None:
    others = [Guarding(opened, node=node) for node in range(1, 5)]

    async def sends(one: Guarding, number: int) -> None:
        orders = ["1", "A", 1.0, 1.5, True]
        drafts = [
            templated(params={"name": "x", "order": order}, labels={"app": f"a{number}"})
            for order in orders[number:] + orders[:number]
        ]
        outcomes = await one.accept_many(drafts)
        assert [type(outcome) for outcome in outcomes] == [Accepted] * 5

    await asyncio.gather(*(sends(one, number) for number, one in enumerate(others)))
    assert await world.stored() == (5, 5)
    for caller in await world.rows(TemplateCaller):
        assert sorted(label["app"] for label in json.loads(caller.labels)) == ["a0", "a1", "a2", "a3"]


async def test_labels_are_a_sample(world: Guarding) -> None:
    for i in range(MOST_LABELS):
        assert (await world.send(name="x", order="1", labels={"run": str(i)})).noticed
    assert not (await world.send(name="x", order="1", labels={"run": "one more"})).noticed
    (caller,) = await world.rows(TemplateCaller)
    assert json.loads(caller.labels) == [{"run": str(i)} for i in range(MOST_LABELS)]
    world.clock.advance(DAY)
    await world.send(name="x", order="1", labels={"run": "tomorrow"})
    (caller,) = await world.rows(TemplateCaller)
    assert len(json.loads(caller.labels)) == MOST_LABELS


async def test_a_token_is_told_by_its_latest_name(world: Guarding) -> None:
    await world.send(name="x", order="1")
    world.clock.advance(DAY)
    renamed = Caller(ACME, AUTHOR.token_id, "renamed", AUTHOR.scopes)
    await world.send(name="x", order="1", caller=renamed)
    assert [row.name for row in await world.rows(TemplateCaller)] == ["renamed"]


async def test_a_platforms_template_remembers_every_tenants_callers(world: Guarding) -> None:
    await world.new_template(template("shared", saying("%name%")), OPERATOR)
    for caller in (AUTHOR, STRANGER):
        await world.send(draft=templated("shared", params={"name": "x"}), caller=caller)
    assert await world.stored() == (1, 2)
    assert {(row.tenant_id, row.name) for row in await world.rows(TemplateCaller)} == {
        (ACME, "author"), (OTHER, "stranger"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "circumstances"),
    [
        ("", Circumstances.CODE),
        ("Hello", Circumstances.CODE | Circumstances.OWN_SUBJECT),
        (
            "It is %verificationCode%",
            Circumstances.CODE | Circumstances.OWN_SUBJECT | Circumstances.CODE_IN_SUBJECT,
        ),
    ],
)
async def test_what_else_a_call_may_be_refused_for(
    world: Guarding, subject: str, circumstances: Circumstances
) -> None:
    await world.new_template(template("code", saying("%verificationCode%")))
    await world.send(
        draft=templated("code", params={}, subject=subject, has_verification=True, biz_key="LOGIN")
    )
    (call,) = await world.rows(TemplateCall)
    assert call.circumstances == circumstances
    assert json.loads(call.shape) == {}


async def test_a_deleted_template_is_forgotten(world: Guarding) -> None:
    await world.send(name="x", order="1")
    await world.store.write(world.templates.delete, AUTHOR, None, "welcome")
    assert await world.stored() == (0, 0)


async def test_a_process_stores_so_much_a_day_and_no_more(opened: OpenDatabase) -> None:
    world = await filled(Guarding(opened, usage=TemplateUsage(most_stored=2)))
    for order in ("1", "A", 1.5):
        await world.send(name="x", order=order)
    assert await world.stored() == (2, 2)
    world.clock.advance(DAY)
    await world.send(name="x", order=1.5)
    assert await world.stored() == (3, 3)


async def test_the_memory_is_bounded_and_what_drops_out_is_stored_again(opened: OpenDatabase) -> None:
    # Two names and what a key takes: one caller's call fits.
    world = await filled(Guarding(opened, usage=TemplateUsage(most_names=12)))
    assert (await world.send(name="x", order="1")).noticed
    assert not (await world.send(name="x", order="1")).noticed
    assert (await world.send(name="x", order="1", language="zh")).noticed
    assert (await world.send(name="x", order="1")).noticed
    assert await world.stored() == (2, 2)


async def test_a_clock_that_goes_back_over_midnight_stores_nothing_twice_for_long(world: Guarding) -> None:
    await world.send(name="x", order="1")
    world.clock.set_back(DAY)
    assert (await world.send(name="x", order="1")).noticed
    world.clock.advance(DAY)
    assert not (await world.send(name="x", order="1")).noticed


@pytest.mark.every_database
async def test_storing_the_same_twice_in_one_unit_is_storing_it_once(world: Guarding) -> None:
    noticed = (await world.send(name="x", order="1")).noticed

    def twice(these: list[Noticed]) -> None:
        store(these)
        store(these)

    await world.store.write(twice, [*noticed, *noticed])
    assert await world.stored() == (1, 1)


async def test_what_a_process_stores_a_day_is_counted_by_token(opened: OpenDatabase) -> None:
    world = await filled(Guarding(opened, usage=TemplateUsage(most_stored=1)))
    await world.send(name="x", order="1")
    assert not (await world.send(name="x", order="A")).noticed
    assert (await world.send(name="x", order="A", caller=OPERATOR_OF_ACME)).noticed
    assert await world.stored() == (2, 2)
