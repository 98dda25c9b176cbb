"""The offer to unsubscribe: which headers a message gets, and what the stdlib's parser reads out of them."""

from __future__ import annotations

import dataclasses
import email
import email.policy
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any, cast

import pytest

from postroom_server.message.mailing import SYSTEM_VALUES, Copy, Mailing, system_values, write
from postroom_server.message.template import Rendered
from postroom_server.message.unsafe import UnsafeContent
from postroom_server.message.unsubscribe import SAMPLE_TOKEN, Offer, UnsubscribeBase
from postroom_server.settings import Settings
from postroom_server.store.unsubscribe_tokens import MOST_CHARACTERS

BASE = UnsubscribeBase("https://mail.example.com")
ANN, BOB = "ann@example.com", "bob@example.com"
LINK = "https://mail.example.com/u/TOKEN"
BOTH = (("List-Unsubscribe", f"<{LINK}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
MAILING = Mailing(
    subject="News", subject_prefix=None, from_address="news@example.com", from_name="", reply_to=(),
    headers=(), html=None, text=None, params={}, recipient_params={},
)  # fmt: skip
COPY = Copy("m@example.com", 0, (ANN,), (), unsubscribe=Offer(LINK, one_click=True))


class Page:
    """A template of one place, and what it was given for it."""

    def render(self, params: Mapping[str, object], system: Mapping[str, str]) -> Rendered:
        del params
        return Rendered("News", None, f"Leave: {system['user_defined_unsubscribe_link']}.")


def written(mailing: Mailing = MAILING, **changes: Any) -> bytes:
    copy = dataclasses.replace(COPY, **changes)
    return bytes(write(mailing, copy, template=cast(Any, Page())).message)


def read(message: bytes) -> EmailMessage:
    return cast(EmailMessage, email.message_from_bytes(message, policy=email.policy.default))


def test_the_headers_are_those_of_the_rfcs() -> None:
    assert Offer(LINK, one_click=True).headers(()) == BOTH
    assert Offer(LINK, one_click=False).headers(()) == BOTH[:1]


@pytest.mark.parametrize(
    ("given", "added"),
    [
        (["X-A", "List-Id"], BOTH),
        (["List-Unsubscribe"], ()),
        (["list-unsubscribe"], ()),
        (["LIST-UNSUBSCRIBE", "List-Unsubscribe-Post"], ()),
        (["list-unsubscribe-post"], BOTH[:1]),
    ],
)
def test_no_header_comes_twice_and_a_callers_own_way_stands(given: list[str], added: object) -> None:
    assert Offer(LINK, one_click=True).headers(given) == added


@pytest.mark.parametrize(
    ("to", "goes_to_others", "offer"),
    [
        ([ANN], False, Offer("https://mail.example.com/u/of-ann@example.com", one_click=True)),
        ([ANN], True, Offer("https://mail.example.com/u/of-ann@example.com", one_click=False)),
        ([], False, None),
        ([], True, None),
        ([ANN, BOB], False, None),
    ],
)
def test_a_link_is_of_the_one_reader_and_others_get_none_that_a_program_uses_by_itself(
    to: list[str], goes_to_others: bool, offer: Offer | None
) -> None:
    assert BASE.offer(to, lambda address: f"of-{address}", goes_to_others=goes_to_others) == offer


def test_a_message_says_it_in_its_head_and_in_its_text() -> None:
    message = read(written())
    assert message["List-Unsubscribe"] == f"<{LINK}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message.get_content().strip() == f"Leave: {LINK}."
    assert written() == written()


def test_without_an_offer_there_is_no_header_and_an_empty_place() -> None:
    message = read(written(unsubscribe=None))
    assert [name for name in message if name.startswith("List-")] == []
    assert message.get_content().strip() == "Leave: ."


def test_a_callers_own_headers_stay() -> None:
    own = (("List-Unsubscribe", "<mailto:leave@example.com>"), ("X-A", "1"))
    message = read(written(dataclasses.replace(MAILING, headers=own)))
    assert message.get_all("List-Unsubscribe") == ["<mailto:leave@example.com>"]
    assert message.get_all("List-Unsubscribe-Post") is None
    assert message.get_content().strip() == f"Leave: {LINK}."


def test_a_custom_body_has_the_headers_only_where_somebody_offers() -> None:
    mailing = dataclasses.replace(MAILING, text="%%user_defined_unsubscribe_link%%")
    plain = write(mailing, dataclasses.replace(COPY, unsubscribe=None), template=None).message
    assert b"List-Unsubscribe" not in plain
    assert b"%%user_defined_unsubscribe_link%%" in plain


def test_the_longest_link_stays_whole_on_one_line_that_is_not_too_long() -> None:
    base = "https://" + "a" * 392
    assert Settings(unsubscribe_base_url=base).unsubscribe_base_url == base
    link = UnsubscribeBase(base).link("t" * MOST_CHARACTERS)
    message = written(unsubscribe=Offer(link, one_click=True))
    assert f"\r\nList-Unsubscribe: <{link}>\r\n".encode() in message
    assert max(map(len, message.split(b"\r\n"))) <= 998
    # The same value, however the lines are read.
    for policy in (email.policy.default, email.policy.compat32, email.policy.SMTP):
        parsed = email.message_from_bytes(message, policy=policy)
        assert str(parsed["List-Unsubscribe"]) == f"<{link}>"


@pytest.mark.parametrize("bad", ["a\r\nBcc: x@example.com", "a\nb", "=?utf-8?q?x?=", "é", "a\0"])
def test_a1_a_link_that_would_break_out_of_its_header_is_not_written(bad: str) -> None:
    with pytest.raises(UnsafeContent):
        written(unsubscribe=Offer(f"https://{bad}/u/t", one_click=True))


def test_the_sample_of_previews_is_a_link_like_any_other() -> None:
    assert BASE.sample == f"https://mail.example.com/u/{SAMPLE_TOKEN}"
    assert system_values() == SYSTEM_VALUES == {"user_defined_unsubscribe_link": ""}
