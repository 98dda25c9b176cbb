"""Unsubscribe links in mail that leaves: which messages have one, and whose; their bytes do not change."""

from __future__ import annotations

import dataclasses
import email
import email.policy
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Any, cast

import pytest

from accepting import Accepting, draft, templated
from delivery.ledgers import take
from peers.configuration import ACME, content, template
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.unsubscribing import UnsubscribeLinks
from postroom_server.mail.draft import CopyMode
from postroom_server.mail.template_form import TemplateForm
from postroom_server.mail.unsubscribing import Unsubscribing
from postroom_server.message.unsubscribe import UnsubscribeBase
from postroom_server.store.codes import CodeMaker
from postroom_server.store.known import Memory
from postroom_server.store.models import Recipient, RecipientState, Syntax, Template, TemplateKind
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.unsubscribe_tokens import Subscriber, UnsubscribeTokens

pytestmark = pytest.mark.every_database
BASE = "https://mail.example.com"
PAGE = '<p>%name% <a href="%%user_defined_unsubscribe_link%%">leave</a> %%user_defined_unsubscribe_link%%</p>'
ANN, BOB = "ann@example.com", "bob@example.com"
LIST_HEADERS = ["List-Unsubscribe", "List-Unsubscribe-Post"]


class World(Accepting):
    def __init__(self, opened: OpenDatabase) -> None:
        super().__init__(opened)
        self.opened = opened
        self.tokens = UnsubscribeTokens(opened.key)

    def letters(self, base: str = BASE) -> Letters:
        """As a process makes them that has just started."""
        links = UnsubscribeLinks(UnsubscribeBase(base), UnsubscribeTokens(self.opened.key)) if base else None
        return Letters(self.store, Memory(), CodeMaker(self.opened.key), links)

    async def leased(self, made: Any) -> list[Leased]:
        await self.accept(made)
        return await self.store.write(take, now=self.clock.now())

    async def messages(self, made: Any) -> list[EmailMessage]:
        letters = self.letters()
        return [read((await letters.envelope(one)).message) for one in await self.leased(made)]

    def subscriber(self, message: EmailMessage) -> Subscriber | None:
        link = str(message["List-Unsubscribe"])
        assert link.startswith(f"<{BASE}/u/")
        assert link.endswith(">")
        return self.tokens.read(link[1:-1].rpartition("/")[2])


@pytest.fixture
async def world(opened: OpenDatabase) -> World:
    made = World(opened)
    await made.fill()
    await made.add_server()
    await made.new_template(TemplateForm("news", "News", TemplateKind.BATCH, content("News", PAGE)))
    await made.new_template(template("receipt", content("Receipt", PAGE)))
    return made


def read(message: bytes) -> EmailMessage:
    return cast(EmailMessage, email.message_from_bytes(message, policy=email.policy.default))


def news(*to: str, **changes: Any) -> Any:
    return templated("news", to=to or (ANN,), **changes)


def list_headers(message: EmailMessage) -> Sequence[str]:
    return [name for name in message if name.startswith("List-")]


async def test_every_copy_has_its_own_readers_link_in_head_page_and_text(world: World) -> None:
    messages = await world.messages(news(ANN, BOB))
    assert [list_headers(message) for message in messages] == [LIST_HEADERS] * 2
    subscribers = [world.subscriber(message) for message in messages]
    assert [one and (one.tenant_id, one.address) for one in subscribers] == [(ACME, ANN), (ACME, BOB)]
    assert len({one.email_id for one in subscribers if one}) == 1
    for message in messages:
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = str(message["List-Unsubscribe"])[1:-1]
        for kind, times in (("html", 2), ("plain", 2)):
            part = message.get_body((kind,))
            assert part is not None
            assert part.get_content().count(link) == times


@pytest.mark.parametrize(("kind", "shown"), [(TemplateKind.BATCH, True), (TemplateKind.TRIGGER, False)])
async def test_liquid_has_the_same_link_and_may_ask_whether_there_is_one(
    world: World, kind: TemplateKind, shown: bool
) -> None:
    text = "{% if system.unsubscribe_link %} <a href='{{ system.unsubscribe_link }}'>leave</a>{% endif %}"
    body = dataclasses.replace(content("News", f"<p>Hello{text}</p>"), syntax=Syntax.LIQUID)
    await world.new_template(TemplateForm("liquid", "Liquid", kind, body))
    (made,) = await world.rows(Template, Template.invoke_name == "liquid")
    # Units that write do not compile it.
    await world.store.read(world.memory.version, made.approved_version_id)
    (message,) = await world.messages(templated("liquid", params={}))
    page = message.get_body(("html",))
    assert page is not None
    link = str(message.get("List-Unsubscribe", "<>"))[1:-1]
    offered = f" <a href='{link}'>leave</a>" if shown else ""
    assert page.get_content().strip() == f"<p>Hello{offered}</p>"
    assert bool(link) is shown


@pytest.mark.parametrize(
    "made",
    [
        templated("receipt"),
        draft(),
        news(ANN, BOB, copy_mode=CopyMode.SHARED),
        templated("news", to=(), bcc=(ANN,)),
    ],
    ids=["trigger", "custom", "shared", "without To"],
)
async def test_what_has_no_single_reader_or_is_not_sent_to_many_has_no_link(world: World, made: Any) -> None:
    (message,) = await world.messages(made)
    assert list_headers(message) == []
    assert BASE not in message.as_string()


async def test_whoever_gets_a_copy_besides_has_no_link_that_a_program_uses_by_itself(world: World) -> None:
    first, second = await world.messages(news(ANN, BOB, bcc=("archive@example.com",)))
    assert (list_headers(first), list_headers(second)) == (LIST_HEADERS[:1], LIST_HEADERS)
    subscriber = world.subscriber(first)
    assert subscriber is not None
    assert subscriber.address == ANN


async def test_a_shared_mail_to_one_reader_is_theirs(world: World) -> None:
    (message,) = await world.messages(news(ANN, copy_mode=CopyMode.SHARED))
    assert list_headers(message) == LIST_HEADERS


async def test_without_a_base_url_nothing_is_added(world: World) -> None:
    (one,) = await world.leased(news())
    message = read((await world.letters("").envelope(one)).message)
    assert list_headers(message) == []
    page = message.get_body(("html",))
    assert page is not None
    assert page.get_content().strip() == '<p>Ann <a href="">leave</a> </p>'


async def test_every_attempt_of_every_process_has_the_same_bytes(world: World) -> None:
    (one,) = await world.leased(news(ANN, cc=(BOB,)))
    letters = world.letters()
    first = await letters.envelope(one)
    assert letters.is_at_hand(one.email)
    assert letters.write(one) == first == await world.letters().envelope(one)
    # The one who has got it by now does not change what the other gets.
    gone = tuple(
        dataclasses.replace(recipient, is_open=recipient.address == ANN) for recipient in one.recipients
    )
    assert (await letters.envelope(dataclasses.replace(one, recipients=gone))).message == first.message
    again = dataclasses.replace(one, tries=one.tries + 1, lease_token=one.lease_token + 1)
    assert (await letters.envelope(again)).message == first.message


async def test_a_mail_says_what_its_version_was_when_it_was_accepted(world: World) -> None:
    (one,) = await world.leased(news())
    changed = TemplateForm("news", "News", TemplateKind.TRIGGER, content("News", PAGE))
    await world.change_template(changed, "kind")
    assert list_headers(read((await world.letters().envelope(one)).message)) == LIST_HEADERS


async def test_the_longest_address_has_a_link_that_stands_on_one_line(world: World) -> None:
    address = "a" * 64 + "@" + ".".join(["b" * 60, "b" * 60, "b" * 59]) + ".example"
    assert len(address) == 254
    (one,) = await world.leased(news(address))
    base = "https://" + "c" * 392
    message = (await world.letters(base).envelope(one)).message
    assert max(map(len, message.split(b"\r\n"))) <= 998
    link = str(read(message)["List-Unsubscribe"])
    assert world.tokens.read(link[1:-1].rpartition("/")[2]) == Subscriber(ACME, one.email.id, address)


async def test_mail_that_waits_for_a_reader_who_leaves_is_held_back_and_no_other(world: World) -> None:
    (sent,) = await world.leased(news())
    waiting = [
        (await world.accept(made)).id
        for made in (news(ANN.upper(), BOB), templated("receipt"), draft(), templated("receipt", to=(BOB,)))
    ]
    unsubscribing = Unsubscribing(world.clock, world.mint, world.tokens)
    subscriber = world.subscriber(read((await world.letters().envelope(sent)).message))
    assert subscriber is not None
    await world.store.write(unsubscribing.unsubscribe, subscriber)
    left = await world.store.write(take, now=world.clock.now())
    assert sorted((one.email.id, one.recipients[0].address) for one in left) == sorted(
        (id_, address) for id_, address in zip(waiting, (BOB, ANN, ANN, BOB), strict=True)
    )
    held = await world.rows(Recipient, Recipient.state == RecipientState.SUPPRESSED)
    assert [(row.email_id, row.address) for row in held] == [(waiting[0], "ANN@example.com")]
