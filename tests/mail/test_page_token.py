"""Page tokens work for the query they were written for, and for no other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import NOON
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.recipients import Recipients
from postroom_server.mail.records import Records
from postroom_server.refusals import Reason, Refusal

READER = Caller(1, 1, "reader", frozenset({Scope.READ}))
INSIDER = Caller(1, 1, "insider", frozenset({Scope.READ, Scope.READ_CONTENT}))
TOKENS = PageTokens(b"k" * 32)
RECORDS = Records(TOKENS)
RECIPIENTS = Recipients(TOKENS)


QUERY = ["ListEmails", [1], [["id", "EQUAL", "5"]], "id desc"]


def read_back(token: str, tokens: PageTokens = TOKENS, query: Any = QUERY) -> Any:
    return tokens.read(query, token)


@given(st.lists(st.none() | st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=4))
def test_a_token_tells_the_position_it_was_written_for(position: list[int | None]) -> None:
    assert read_back(PageTokens(b"k" * 32).write(QUERY, tuple(position))) == tuple(position)


@given(at=st.integers(0, 200), character=st.sampled_from("ABCDabcd0189-_=+/ é"))
def test_a_token_with_any_character_changed_is_refused(at: int, character: str) -> None:
    token = TOKENS.write(QUERY, (NOON, 77))
    at %= len(token)
    changed = token[:at] + character + token[at + 1 :]
    if changed != token:
        with pytest.raises(Refusal) as caught:
            read_back(changed)
        assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


@pytest.mark.parametrize("token", ["x", "====", "é", "A" * 5000, " ", "AQ"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_back(token)
    assert caught.value.reason is Reason.INVALID_PAGE_TOKEN
    assert [v.field for v in caught.value.violations] == ["page_token"]


@pytest.mark.parametrize(
    "query",
    [
        ["ListRecipients", [1], [["id", "EQUAL", "5"]], "id desc"],
        ["ListEmails", [2], [["id", "EQUAL", "5"]], "id desc"],
        ["ListEmails", [1], [["id", "EQUAL", "6"]], "id desc"],
        ["ListEmails", [1], [], "id desc"],
        ["ListEmails", [1], [["id", "EQUAL", "5"]], "id"],
    ],
)
def test_a_token_of_another_query_is_refused(query: Any) -> None:
    with pytest.raises(Refusal):
        read_back(TOKENS.write(QUERY, (1,)), query=query)


def test_a_token_of_another_deployment_is_refused() -> None:
    with pytest.raises(Refusal):
        read_back(PageTokens(b"x" * 32).write(QUERY, (1,)))
