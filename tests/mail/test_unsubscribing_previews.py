"""The unsubscribe link before anything is sent: shown in previews, and given room when mail is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from accepting import Accepting, templated
from peers.configuration import AUTHOR, content, template
from postroom_server.mail.accept import Acceptance
from postroom_server.mail.draft import CopyMode, CustomBody, Draft
from postroom_server.mail.limits import Limits
from postroom_server.mail.preview import preview
from postroom_server.mail.rendering import Rendering, StoredSource
from postroom_server.mail.template_form import ContentForm, TemplateForm, VariantForm
from postroom_server.message.unsubscribe import UnsubscribeBase
from postroom_server.refusals import Reason
from postroom_server.store.models import TemplateKind
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.unsubscribe_tokens import MOST_CHARACTERS, UnsubscribeTokens

BASE = UnsubscribeBase("https://mail.example.com")
SAMPLE = "https://mail.example.com/u/preview"
BODY = content("News", '<p>Hi <a href="%%user_defined_unsubscribe_link%%">leave</a></p>')
ANN, BOB = "ann@example.com", "bob@example.com"
NEVER = b"List-Unsubscribe"


def batch(invoke_name: str = "news", body: ContentForm = BODY) -> TemplateForm:
    return TemplateForm(invoke_name, "News", TemplateKind.BATCH, body)


class World(Accepting):
    def __init__(self, opened: OpenDatabase, base: UnsubscribeBase | None = BASE) -> None:
        super().__init__(opened)
        self.tokens = UnsubscribeTokens(opened.key)
        self.acceptance = Acceptance(
            self.clock, self.mint, self.memory, self.admission, Limits(), default_language="en",
            code_key_id=opened.key.key_id, unsubscribe=base,
        )  # fmt: skip
        self.rendering = Rendering(self.memory, Limits(), None, base)

    async def shown(self, made: Draft) -> list[bytes]:
        checked = self.acceptance.check(AUTHOR, made)
        shown = await self.store.read(preview, self.acceptance, self.memory, AUTHOR, checked)
        return [copy.message for copy in shown.copies]

    async def rendered(self, source: Any) -> str:
        shown = await self.store.read(self.rendering.render, AUTHOR, None, source, {}, "")
        return shown.rendered.html or ""


async def filled(world: World) -> World:
    await world.fill()
    await world.add_server()
    await world.new_template(batch())
    await world.new_template(template("receipt", BODY))
    return world


@pytest.fixture
async def world(opened: OpenDatabase) -> World:
    return await filled(World(opened))


async def test_a_preview_shows_where_a_link_will_stand_and_not_one_that_works(world: World) -> None:
    made = templated("news", params={}, to=(ANN, BOB), cc=("cc@example.com",), validate_only=True)
    first, second = await world.shown(made)
    assert f"\r\nList-Unsubscribe: <{SAMPLE}>\r\n".encode() in first
    assert b"List-Unsubscribe-Post" not in first  # somebody else gets it, too
    assert second.count(b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n") == 1
    assert f'href="{SAMPLE}"'.encode() in second
    assert [first, second] == await world.shown(made)
    assert world.tokens.read(SAMPLE.rpartition("/")[2]) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"invoke_name": "receipt", "params": {}},
        {"params": {}, "body": CustomBody(text="Hi"), "subject": "s"},
        {"params": {}, "to": (ANN, BOB), "copy_mode": CopyMode.SHARED},
        {"params": {}, "to": (), "bcc": (ANN,)},
    ],
    ids=["trigger", "custom", "shared", "without To"],
)
async def test_what_has_no_single_reader_or_is_not_sent_to_many_has_no_link(
    world: World, changes: dict[str, Any]
) -> None:
    (message,) = await world.shown(templated(**{"invoke_name": "news", **changes}))
    assert NEVER not in message
    assert SAMPLE.encode() not in message


async def test_without_a_base_url_there_is_no_link(opened: OpenDatabase) -> None:
    world = await filled(World(opened, None))
    (message,) = await world.shown(templated("news", params={}))
    assert NEVER not in message
    assert b'<p>Hi <a href="">leave</a></p>' in message
    assert await world.rendered(StoredSource("news")) == '<p>Hi <a href="">leave</a></p>'


async def test_a_callers_parameter_does_not_take_its_place(world: World) -> None:
    params = {"user_defined_unsubscribe_link": "https://evil.example"}
    checked = world.acceptance.check(AUTHOR, templated("news", params=params))
    shown = await world.store.read(preview, world.acceptance, world.memory, AUTHOR, checked)
    assert b"evil.example" not in shown.copies[0].message
    assert f'href="{SAMPLE}"'.encode() in shown.copies[0].message


async def test_authors_see_the_link_where_it_would_be_sent(world: World) -> None:
    linked = f'<p>Hi <a href="{SAMPLE}">leave</a></p>'
    assert await world.rendered(StoredSource("news")) == linked
    assert await world.rendered(StoredSource("receipt")) == '<p>Hi <a href="">leave</a></p>'
    assert await world.rendered(BODY) == linked


@pytest.mark.parametrize(("length", "fits"), [(100, True), (101, False)])
async def test_a_mail_without_room_for_a_link_is_refused_before_it_is_stored(
    opened: OpenDatabase, length: int, fits: bool
) -> None:
    longest = MOST_CHARACTERS + len("https:///u/")
    world = await filled(World(opened, UnsubscribeBase("https://" + "a" * (998 - 100 - longest))))
    subject = "s" * length + "%%user_defined_unsubscribe_link%%"
    await world.new_template(batch("long", ContentForm(variants=(VariantForm("en", subject, "<p>x</p>"),))))
    (outcome,) = await world.accept_many([templated("long", params={})])
    refused = [violation.reason for violation in getattr(outcome, "violations", ())]
    assert refused == [Reason.UNSAFE_CONTENT] * (not fits)
