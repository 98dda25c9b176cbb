"""Letters written ahead of their turn: which may be, and that their bytes are the same."""

from __future__ import annotations

import asyncio
import dataclasses
import types
from typing import Any

import pytest

from delivery.values import MAILING, email, leased
from postroom_server.delivery.letters import Letters, why_unwritable
from postroom_server.message.liquid.template import LiquidTemplate
from postroom_server.message.percent_template import PercentTemplate
from postroom_server.message.template import Content, InvalidValue, MissingVariables
from postroom_server.message.unsafe import UnsafeContent
from postroom_server.store.known import Memory


class Shelf(Memory):
    """A memory that holds template version 7, a slow one as version 9, and asks nobody."""

    def kept_version(self, version_id: int) -> Any:
        slow = LiquidTemplate(Content("Hi", "<p>{% for i in (1..600) %}{{ i }}{% endfor %}</p>"))
        slow.check({})
        templates = {7: PercentTemplate(Content("Hi", "<p>Hello <b>you</b></p>")), 9: slow}
        if version_id not in templates:
            return None
        return types.SimpleNamespace(variants={"": templates[version_id]}, default_language="")


def letters() -> Letters:
    return Letters(None, Shelf(), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "is_at_hand"),
    [
        ({}, True),
        ({"template_version_id": 7}, True),
        ({"template_version_id": 8}, False),
        ({"template_version_id": 9}, False),
        ({"template_version_id": 7, "member": "m" * 65_000}, True),
        ({"template_version_id": 7, "member": "m" * 65_536}, False),
        ({"has_files": True}, False),
        ({"has_files": True, "template_version_id": 7}, False),
        ({"mailing": dataclasses.replace(MAILING, html="h" * 32_768, text="t" * 32_768)}, True),
        ({"mailing": dataclasses.replace(MAILING, html="h" * 32_768, text="t" * 32_769)}, False),
    ],
)
def test_what_may_be_written_at_once(changes: dict[str, Any], is_at_hand: bool) -> None:
    assert letters().is_at_hand(email(**changes)) is is_at_hand


def test_an_email_that_is_not_at_hand_is_our_mistake_and_not_a_mail_without_its_template() -> None:
    with pytest.raises(ValueError, match="not at hand"):
        letters().write(leased(email=email(template_version_id=8)))


@pytest.mark.parametrize(
    ("member", "error", "why"),
    [
        ("{}", UnsafeContent("html", "leads to a script"), "html: leads to a script"),
        ("{}", MissingVariables(["member.name"]), "no value for member.name"),
        ("{}", InvalidValue("member.n", "is no\nnumber"), "member.n is no number"),
        ("{}", UnsafeContent("html", "x" * 600), ("html: " + "x" * 600)[:512]),
        ("{}", ValueError("a mistake of ours"), ""),
        ("{}", OSError("a disk"), ""),
        (None, UnsafeContent("html", "leads to a script"), ""),
    ],
)
def test_only_what_a_member_brings_is_told_to_its_recipient(
    member: str | None, error: Exception, why: str
) -> None:
    assert why_unwritable(leased(email=email(member=member)), error) == why


@pytest.mark.parametrize("version", [None, 7, 9])
async def test_a_letter_has_the_same_bytes_whenever_it_is_written(version: int | None) -> None:
    one = leased(2, email=email(template_version_id=version))
    there = letters()
    written = [there.write(one), await there.envelope(one), letters().write(one)]
    assert written[0] == written[1] == written[2]
    assert b"r1@example.com" in written[0].message


async def test_a_long_letter_has_the_same_bytes_and_is_written_beside_the_loop() -> None:
    one = leased(2, email=email(mailing=dataclasses.replace(MAILING, text="long lines of text\n" * 10_000)))
    writing = asyncio.create_task(letters().envelope(one))
    turns = 0
    while not writing.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 2
    assert await writing == letters().write(one)
