"""Previews: the bytes that would leave, the same for the same request, and nothing stored."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest

from accepting import FROM, Accepting, draft, templated
from fakes import NOON
from peers.configuration import ACME, AUTHOR, OTHER, content, template
from postroom_server.clock import DAY, HOUR
from postroom_server.mail import preview as previews
from postroom_server.mail.draft import CopyMode, CustomBody, Draft, File
from postroom_server.mail.preview import Preview, preview
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.opening import OpenDatabase

FINGERPRINT = bytes(range(32))


@pytest.fixture
async def world(opened: OpenDatabase) -> Accepting:
    made = Accepting(opened)
    await made.fill()
    await made.add_server(subject_prefix="Acme", from_name="Acme Inc.")
    return made


async def shown(world: Accepting, made: Draft) -> Preview:
    before = await world.counts()
    checked = world.acceptance.check(AUTHOR, made)
    try:
        return await world.store.read(preview, world.acceptance, world.memory, AUTHOR, checked)
    finally:
        assert await world.counts() == before


def asked(**changes: Any) -> Draft:
    return draft(**{"validate_only": True, "fingerprint": FINGERPRINT, **changes})


def parsed(message: bytes) -> EmailMessage:
    read = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    return read


async def test_a_preview_is_what_would_leave(world: Accepting) -> None:
    made = asked(
        to=("ann@example.com", "bob@example.com"),
        cc=("cc@example.com",),
        bcc=("bcc@example.com",),
        body=CustomBody(html="<p>Hello 字</p>"),
        reply_to=("back@example.com",),
        headers={"X-A": "1"},
        files=(File("a.txt", content=b"file"),),
    )
    result = await shown(world, made)
    assert (result.copy_count, result.template_language, result.template_version) == (2, "", 0)
    assert [copy.recipients for copy in result.copies] == [
        ("ann@example.com", "cc@example.com", "bcc@example.com"),
        ("bob@example.com",),
    ]
    first, second = (parsed(copy.message) for copy in result.copies)
    assert (first["To"], first["Cc"], first["Bcc"], first["Reply-To"]) == (
        "ann@example.com", "cc@example.com", None, "back@example.com",
    )  # fmt: skip
    assert (first["From"], first["Subject"], first["X-A"]) == (f'"Acme Inc." <{FROM}>', "Acme|Hi", "1")
    assert (second["To"], second["Cc"]) == ("bob@example.com", None)
    html = first.get_body(("html",))
    assert html is not None
    assert html.get_content().strip() == "<p>Hello 字</p>"
    assert [part.get_content() for part in first.iter_attachments()] == ["file"]
    assert all(b"bcc@example.com" not in copy.message for copy in result.copies)


async def test_the_same_request_gives_the_same_bytes(world: Accepting) -> None:
    made = asked(
        to=("a@x.test", "b@x.test"), body=CustomBody(html="<p>x</p>"), files=(File("a", content=b"x"),)
    )
    first = await shown(world, made)
    world.clock.advance(DAY)
    assert await shown(world, made) == first
    identities = {parsed(copy.message)["Message-ID"] for copy in first.copies}
    assert len(identities) == 2
    other = await shown(world, asked(fingerprint=b"\0" * 32))
    assert parsed(other.copies[0].message)["Message-ID"] not in identities


async def test_the_date_is_when_it_is_due_as_far_as_the_request_says(world: Accepting) -> None:
    result = await shown(world, asked(schedule_time=NOON + HOUR))
    assert parsed(result.copies[0].message)["Date"] == "Mon, 01 Jun 2026 13:00:00 +0000"


async def test_a_key_is_ignored(world: Accepting) -> None:
    made = draft(request_id="r-1", fingerprint=FINGERPRINT)
    await world.accept(made)
    result = await shown(world, asked(request_id="r-1"))
    assert len(result.copies) == 1
    assert (await world.accept(made)).replayed


async def test_templates_are_rendered_for_each_recipient(world: Accepting) -> None:
    await world.new_template(template(body=content("Hi %name%", "<p>%name%</p>")))
    await world.change_template(template(body=content("Hello %name%", "<p>%name%</p>")), "content")
    made = templated(
        to=("a@x.test", "b@x.test"), recipient_params={"b@x.test": {"name": "<B>"}}, fingerprint=FINGERPRINT
    )
    result = await shown(world, made)
    assert (result.template_language, result.template_version) == ("en", 2)
    first, second = (parsed(copy.message) for copy in result.copies)
    assert [first["Subject"], second["Subject"]] == ["Acme|Hello Ann", "Acme|Hello <B>"]
    html = second.get_body(("html",))
    assert html is not None
    assert "&lt;B&gt;" in html.get_content()


async def test_e6_no_more_copies_are_shown_than_fit(
    world: Accepting, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tuple(f"u{n}@x.test" for n in range(20))
    whole = await shown(world, asked(to=to))
    assert (len(whole.copies), whole.copy_count) == (20, 20)
    size = sum(len(copy.message) for copy in whole.copies[:3])
    monkeypatch.setattr(previews, "MOST_BYTES", size)
    assert await shown(world, asked(to=to)) == Preview(whole.copies[:3], 20, "", 0)
    monkeypatch.setattr(previews, "MOST_BYTES", 1)
    assert len((await shown(world, asked(to=to))).copies) == 1


async def test_shared_copies_are_one(world: Accepting) -> None:
    result = await shown(world, asked(to=("a@x.test", "b@x.test"), copy_mode=CopyMode.SHARED))
    (copy,) = result.copies
    assert (result.copy_count, parsed(copy.message)["To"]) == (1, "a@x.test, b@x.test")


async def test_a_preview_is_refused_as_the_send_would_be(world: Accepting) -> None:
    for made, reason in (
        (asked(expire_time=NOON), Reason.INVALID_FIELD),
        (templated("unknown"), Reason.TEMPLATE_NOT_FOUND),
        (asked(tenant_id=OTHER), Reason.TENANT_FORBIDDEN),
    ):
        with pytest.raises(Refusal) as caught:
            await shown(world, made)
        assert caught.value.reason is reason
    await world.change_tenant(ACME, state="PAUSED")
    with pytest.raises(Refusal) as caught:
        await shown(world, asked())
    assert caught.value.reason is Reason.TENANT_PAUSED
