"""What the pages behind unsubscribe links say, in which language, without a server behind them."""

from __future__ import annotations

from typing import Any, cast

import grpc
import pytest
from starlette.requests import Request

from postroom.v1 import suppression_pb2, suppression_service_pb2
from postroom_server.gateway.application import loggable
from postroom_server.gateway.refused import Refused
from postroom_server.gateway.unsubscribe import UnsubscribePages
from postroom_server.gateway.unsubscribe_page import page
from postroom_server.gateway.unsubscribe_words import CHINESE, ENGLISH, Section, Words, words_for
from unsubscribers import MASKED


class Stubs:
    """Methods that are only handed on."""

    DescribeUnsubscription = Unsubscribe = None


class Backend:
    """In the place of the product: answers, or refuses."""

    suppressions = Stubs()

    def __init__(self, outcome: Any) -> None:
        self._outcome = outcome

    async def call(self, *_: Any, **__: Any) -> Any:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def told(**fields: Any) -> suppression_service_pb2.DescribeUnsubscriptionResponse:
    return suppression_service_pb2.DescribeUnsubscriptionResponse(
        unsubscription=suppression_pb2.Unsubscription(**fields)
    )


async def shown(outcome: Any, accepted: str = "") -> tuple[int, str]:
    pages = UnsubscribePages(cast(Any, Backend(outcome)))
    scope = {
        "type": "http", "method": "GET", "path": "/u/token", "query_string": b"", "client": ("192.0.2.1", 1),
        "headers": [(b"accept-language", accepted.encode())], "request_id": "r",
    }  # fmt: skip
    answer = await pages(Request(scope))
    return answer.status_code, bytes(answer.body).decode()


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, 404),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 503),
        (grpc.StatusCode.UNIMPLEMENTED, 503),
        (grpc.StatusCode.INTERNAL, 500),
    ],
)
async def test_what_the_product_refuses_has_a_page(code: grpc.StatusCode, status: int) -> None:
    answered, text = await shown(Refused(code, "R", "the message inside"))
    assert answered == status
    assert "inside" not in text


async def test_b3_whatever_a_sender_is_called_it_is_text() -> None:
    evil = '<script>alert(1)</script>{address}&"\u202e'
    _, text = await shown(told(masked_address="<b>***@example.com", sender=evil, language="en"))
    assert "<script>" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{address}&amp;&quot;\u202e</bdi>" in text


async def test_a_purged_mails_page_says_this_sender() -> None:
    _, text = await shown(told(masked_address=MASKED), "zh")
    assert "该发件人" in text
    _, text = await shown(told(masked_address=MASKED))
    assert "this sender" in text


@pytest.mark.parametrize(
    ("mail", "accepted", "words"),
    [
        ("", "", ENGLISH),
        ("en-GB", "zh", ENGLISH),
        ("zh-TW", "en", CHINESE),
        ("ZH-cn", "en", CHINESE),
        ("fr", "zh", CHINESE),
        ("fr", "de, zh-CN;q=0.8, en;q=0.9", ENGLISH),
        ("", "de, zh-CN;q=0.9, en;q=0.8", CHINESE),
        ("", "en;q=0, zh;q=0.1", CHINESE),
        ("", "zh;q=x, en", ENGLISH),
        ("", "zh;q=nan", ENGLISH),
        ("", "zh;level=1", CHINESE),
        ("", "en, zh", ENGLISH),
        ("", "zh, en", CHINESE),
        ("", ";;,,;q", ENGLISH),
        ("", "*", ENGLISH),
        ("", "fr," * 10_000 + "zh", ENGLISH),
    ],
)
def test_the_language_is_the_mails_else_the_readers_else_english(
    mail: str, accepted: str, words: Words
) -> None:
    assert words_for(mail, accepted) is words


@pytest.mark.parametrize("words", [ENGLISH, CHINESE])
@pytest.mark.parametrize("name", ["ask", "done", "unknown", "misunderstood", "later"])
def test_every_page_is_whole_in_both_languages(words: Words, name: str) -> None:
    section: Section = getattr(words, name)
    text = page(words, section, address=MASKED, sender="Acme")
    assert "{" not in text.partition("</style>")[2]
    assert bool(section.button) == (name == "ask") == ("<form" in text)


@pytest.mark.parametrize("path", ["/u/abc", "/u/", "/u/a/b", "/u/" + "x" * 92])
def test_e8_no_path_of_a_link_is_logged(path: str) -> None:
    assert loggable(path) == "/u/(token)"
