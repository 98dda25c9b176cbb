"""Accepting mail to an audience: its rules and rights, and what is stored before anybody is looked up."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from accepting import draft
from audiences import ALL, BILINGUAL, Audiences, audience, templated_to, to_audience
from fakes import NOON
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER, template
from postroom_server.clock import HOUR
from postroom_server.mail.audience import Audience, KeptAudience
from postroom_server.mail.caller import Scope
from postroom_server.mail.draft import CopyMode, Draft, File, TemplateBody
from postroom_server.mail.preview import preview
from postroom_server.mail.template_form import ContentForm, VariantForm
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import (
    Delivery,
    Email,
    Event,
    Expansion,
    Preparation,
    Recipient,
    Syntax,
    TemplateKind,
)
from postroom_server.store.opening import OpenDatabase

LARGEST = (1 << 63) - 1
NOT_ALL = dataclasses.replace(AUTHOR, scopes=AUTHOR.scopes - {Scope.SEND_ALL})
PDF = File("f.pdf", url="https://files.example.com/f.pdf")


@pytest.fixture
async def world(opened: OpenDatabase) -> Audiences:
    made = Audiences(opened)
    await made.fill()
    await made.add_server()
    return made


async def refusal_of(world: Audiences, made: Draft, caller: Any = AUTHOR) -> Refusal:
    before = await world.counts()
    with pytest.raises(Refusal) as caught:
        await world.accept(made, caller)
    assert await world.counts() == before
    return caught.value


async def fields(world: Audiences, asked: Audience, **changes: Any) -> list[str]:
    return [v.field for v in (await refusal_of(world, to_audience(asked, **changes))).violations]


@pytest.mark.parametrize(
    "asked",
    [
        ALL,
        audience("TENANT"),
        audience("TENANT", ACME),
        audience("DEPT", 1),
        audience("GROUP", LARGEST),
        audience("USER", *range(1, 501)),
        audience("POLICY", 1),
        audience("POLICY", codes=["P" * 80]),
        audience("TO_POLICY", *range(1, 501), codes=[f"c{n}" for n in range(500)]),
    ],
    ids=lambda asked: asked.type,
)
async def test_an_audience_may_name_so_much(world: Audiences, asked: Audience) -> None:
    accepted = await world.send(to_audience(asked))
    assert accepted.expands


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        (Audience(None), ["audience.type"]),
        (
            Audience(None, (0,), ("",)),
            ["audience.type", "audience.object_ids[0]", "audience.policy_codes[0]"],
        ),
        (audience("ALL", 1), ["audience.object_ids"]),
        (audience("ALL", codes=["P"]), ["audience.policy_codes"]),
        (audience("DEPT"), ["audience.object_ids"]),
        (audience("GROUP"), ["audience.object_ids"]),
        (audience("USER", codes=["P"]), ["audience.policy_codes", "audience.object_ids"]),
        (audience("POLICY"), ["audience.policy_codes"]),
        (audience("TO_POLICY"), ["audience.policy_codes"]),
        (audience("DEPT", 1, 0, 2, -1), ["audience.object_ids[1]", "audience.object_ids[3]"]),
        (audience("TENANT", -1), ["audience.object_ids[0]"]),
        (audience("DEPT", LARGEST + 1), ["audience.object_ids[0]"]),
        (audience("USER", *range(1, 502)), ["audience.object_ids"]),
        (audience("POLICY", codes=["P"] * 501), ["audience.policy_codes"]),
        (
            audience("POLICY", codes=["P" * 81, "", "a\nb", "ok"]),
            [f"audience.policy_codes[{n}]" for n in range(3)],
        ),
    ],
    ids=str,
)  # fmt: skip
async def test_everything_that_is_wrong_with_an_audience_is_told_at_once(
    world: Audiences, asked: Audience, wrong: list[str]
) -> None:
    assert await fields(world, asked) == wrong


async def test_what_cannot_stand_beside_an_audience_is_refused_by_name(world: Audiences) -> None:
    code = to_audience(has_verification=True, biz_key="SIGNUP")
    assert [v.field for v in (await refusal_of(world, code)).violations] == ["audience"]
    body = TemplateBody("welcome", {}, {"ann@example.com": {"name": "Ann"}})
    both = to_audience(subject="", body=body)
    assert [v.field for v in (await refusal_of(world, both)).violations] == ["template.recipient_params"]


async def test_everybody_needs_a_scope_of_its_own(world: Audiences) -> None:
    # Of one tenant these are the same people.
    for everybody in (ALL, audience("TENANT"), audience("TENANT", ACME)):
        refusal = await refusal_of(world, to_audience(everybody), NOT_ALL)
        assert (refusal.reason, refusal.metadata) == (Reason.SCOPE_MISSING, {"scope": "send.all"})
        assert (await world.send(to_audience(everybody), AUTHOR)).expands
    assert (await world.send(to_audience(audience("DEPT", 1)), NOT_ALL)).expands


async def test_others_get_no_copy_of_what_is_a_members_own(world: Audiences) -> None:
    await world.new_template(template(body=BILINGUAL))
    made = templated_to(cc=("cc@example.com",), bcc=("bcc@example.com",))
    refusal = await refusal_of(world, made)
    assert [(v.field, v.reason) for v in refusal.violations] == [
        ("cc", Reason.INVALID_FIELD), ("bcc", Reason.INVALID_FIELD),
    ]  # fmt: skip
    refusal = await refusal_of(world, dataclasses.replace(made, cc=()))
    assert [v.field for v in refusal.violations] == ["bcc"]


async def test_others_get_a_copy_of_what_all_members_read(world: Audiences) -> None:
    same = ContentForm(variants=(VariantForm("en", "Hi", "<p>%what%</p>"),))
    await world.new_template(template(body=same))
    assert (await world.send(templated_to(cc=("cc@example.com",)))).expands


async def test_what_cannot_be_rendered_is_a_wrong_value_as_without_an_audience(world: Audiences) -> None:
    body = ContentForm(
        variants=(VariantForm("en", "Hi", "<p>{{ 1 | divided_by: n }}</p>"),),
        syntax=Syntax.LIQUID,
        sample_params={"n": 1},
    )
    await world.new_liquid(template(body=body))
    told = []
    for made in (
        templated_to(params={"n": 0}),
        templated_to(params={"n": 0}, to=("a@b.test",), audience=None),
    ):
        refusal = await refusal_of(world, made)
        told.append([(v.field, v.description, v.reason) for v in refusal.violations])
    assert told[0] == told[1]
    assert [reason for _, _, reason in told[0]] == [Reason.TEMPLATE_VARIABLE_INVALID]


async def test_another_tenant_needs_scope_platform(world: Audiences) -> None:
    refusal = await refusal_of(world, to_audience(audience("TENANT", ACME, OTHER)))
    assert (refusal.reason, refusal.metadata) == (Reason.TENANT_FORBIDDEN, {"scope": "platform"})
    # The platform's token names the tenant that sends, too.
    assert (await world.send(to_audience(audience("TENANT", OTHER), tenant_id=ACME), OPERATOR)).expands
    assert (await world.send(to_audience(audience("TENANT", 0, OTHER), tenant_id=ACME), OPERATOR)).expands


async def test_in_a_batch_each_audience_answers_for_itself(world: Audiences) -> None:
    outcomes = await world.accept_many(
        [to_audience(), to_audience(audience("DEPT")), to_audience(audience("DEPT", 1)), draft()], NOT_ALL
    )
    assert [getattr(outcome, "reason", "accepted") for outcome in outcomes] == [
        Reason.SCOPE_MISSING, Reason.INVALID_FIELD, "accepted", "accepted",
    ]  # fmt: skip


async def test_it_is_stored_with_its_audience_and_nobody_yet(world: Audiences) -> None:
    await world.members([1, 2])
    before = await world.counts()
    accepted = await world.send(
        to_audience(
            audience("POLICY", 7, 7, codes=["P", "P"]),
            cc=("cc@example.com",),
            copy_mode=CopyMode.SHARED,
            urgent=True,
        )
    )
    after = await world.counts()
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "email": 1, "content": 1, "expansion": 1, "event": 1,
    }  # fmt: skip
    (email,) = await world.rows(Email)
    assert json.loads(email.audience) == {
        "type": "POLICY", "object_ids": [7], "policy_codes": ["P"], "cc": ["cc@example.com"],
    }  # fmt: skip
    assert KeptAudience.from_json(email.audience).as_json() == email.audience
    assert (email.audience_state, email.audience_found, email.separate) == ("EXPANDING", 0, True)
    assert (email.state, email.recipient_count, email.open_count) == ("PENDING", 0, 0)
    (expansion,) = await world.rows(Expansion)
    assert dict(expansion.__data__) == {
        "email_id": accepted.id, "tenant_id": ACME, "expand_time": NOON, "cursor": 0, "position": 0,
        "extras_placed": False,
    }  # fmt: skip


async def test_a_repeated_request_is_one_audience(world: Audiences) -> None:
    made = to_audience(request_id="once", fingerprint=b"f")
    first, again = await world.send(made), await world.send(made)
    assert (again.id, again.replayed, again.expands) == (first.id, True, False)
    assert len(await world.rows(Expansion)) == 1


async def test_a_scheduled_audience_is_looked_up_when_it_is_due(world: Audiences) -> None:
    await world.send(to_audience(schedule_time=NOON + HOUR))
    (expansion,) = await world.rows(Expansion)
    assert expansion.expand_time == NOON + HOUR


async def test_files_that_are_missing_come_first(world: Audiences) -> None:
    accepted = await world.send(to_audience(files=(PDF,)))
    assert (accepted.fetches, accepted.expands) == (True, True)
    (expansion,), (preparation,) = await world.rows(Expansion), await world.rows(Preparation)
    assert expansion.expand_time == NOON + 48 * HOUR
    assert (preparation.email_id, preparation.fetch_time) == (accepted.id, NOON)


async def test_the_members_variables_are_not_the_callers_to_give(world: Audiences) -> None:
    await world.new_template(template(body=BILINGUAL))
    assert (await world.send(templated_to())).expands
    refusal = await refusal_of(world, templated_to(params={"what": "x", "member.name": "I", "member": {}}))
    assert [(v.field, v.reason) for v in refusal.violations] == [
        ("template.params.member.name", Reason.TEMPLATE_VARIABLE_INVALID),
        ("template.params.member", Reason.TEMPLATE_VARIABLE_INVALID),
    ]


async def test_without_an_audience_they_are_ordinary_ones(world: Audiences) -> None:
    await world.new_template(template(body=BILINGUAL))
    ordinary = templated_to(audience=None, to=("ann@example.com",))
    refusal = await refusal_of(world, ordinary)
    assert [v.field for v in refusal.violations] == ["template.params.member.name"]
    params = {"what": "x", "member.name": "Ann"}
    made = dataclasses.replace(ordinary, body=TemplateBody("welcome", params))
    assert (await world.accept(made)).id


async def test_parameters_are_checked_in_every_language(world: Audiences) -> None:
    body = ContentForm(
        variants=(
            VariantForm("en", "Hi", '<p>%a% <a href="%url%">%member.name%</a></p>'),
            VariantForm("de", "Hallo", "<p>%b% %member.name%</p>"),
            VariantForm("fr", "Salut %c%", "<p>%a%</p>"),
        ),
        default_language="en",
    )
    await world.new_template(template(body=body))
    refusal = await refusal_of(world, templated_to(params={"a": 1}))
    assert [v.field for v in refusal.violations] == [
        "template.params.url", "template.params.b", "template.params.c",
    ]  # fmt: skip
    unsafe = {"a": 1, "b": 2, "c": "one\ntwo", "url": "https://x.test"}
    refusal = await refusal_of(world, templated_to(params=unsafe))
    assert [(v.field, v.reason) for v in refusal.violations] == [("template.params", Reason.UNSAFE_CONTENT)]
    unsafe = {"a": 1, "b": 2, "c": 3, "url": "javascript:x"}
    refusal = await refusal_of(world, templated_to(params=unsafe))
    assert [v.reason for v in refusal.violations] == [Reason.UNSAFE_CONTENT]
    assert (await world.send(templated_to(params=unsafe | {"url": "https://x.test"}))).expands


async def test_a_preview_shows_nobody_of_the_directory(world: Audiences) -> None:
    await world.members([1])
    await world.new_template(template(body=BILINGUAL))
    checked = world.acceptance.check(AUTHOR, templated_to(language="zh", validate_only=True))
    shown = await world.store.read(preview, world.acceptance, world.memory, AUTHOR, checked)
    assert (shown.copies, shown.copy_count, shown.template_language) == ((), 0, "zh-CN")


async def test_it_is_told_as_it_was_given(world: Audiences) -> None:
    asked = audience("POLICY", 7, codes=["P"])
    accepted = await world.send(to_audience(asked, cc=("cc@example.com",), bcc=("bcc@example.com",)))
    record = await world.email(accepted.id)
    assert record.audience is not None
    assert record.audience.audience == asked
    assert (record.to, record.cc, record.bcc) == ((), ("cc@example.com",), ("bcc@example.com",))
    assert (record.audience.found, record.audience.done, record.audience.is_complete) == (0, 0, False)


async def test_given_addresses_have_no_audience(world: Audiences) -> None:
    accepted = await world.accept(draft())
    (email,) = await world.rows(Email)
    assert (email.audience, email.audience_state, email.audience_found) == (None, None, None)
    assert (await world.email(accepted.id)).audience is None
    assert await world.rows(Expansion) == []
    assert len(await world.rows(Delivery)) == len(await world.rows(Recipient)) == 1
    assert [event.progress for event in await world.rows(Event)] == [None]


async def test_a_template_for_many_is_as_good_as_one_for_few(world: Audiences) -> None:
    await world.new_template(dataclasses.replace(template(body=BILINGUAL), kind=TemplateKind.BATCH))
    assert (await world.send(templated_to())).expands
