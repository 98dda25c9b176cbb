"""Whole mails: what the receiver, the standard library's parser, reads equals what was sent."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import hashlib
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message import address
from postroom_server.message.compose import (
    Attachment,
    Letter,
    UnsafeContent,
    check_finished,
    compose,
    encode_attachment,
    encode_body,
)
from postroom_server.message.entity import MAX_FILE_NAME_LENGTH
from postroom_server.message.unsafe import check_text

_TRICKS = [
    "您好，世界",
    "😀 👨‍👩‍👧",
    "x" * 998,
    "y" * 5000,
    ".",
    "..",
    ".leading",
    ".\r\n.",
    "\n.\n",
    "\r\n.\r\n",
    "\r.\r",
    "=?utf-8?q?x=0D=0ABcc:_victim@example.com?=",
    "=?utf-8?b?DQpCY2M6IHY=?=",
    "Bcc: victim@example.com",
    "a\r\nBcc: victim@example.com",
    "\r\n\r\n",
    "--=_",
    "From someone",
    "trailing  \n",
    "\t",
    "=",
    "=20",
    "<p>&amp;</p>",
    "\x0c\x1b\x07",
    "\u2028\x85",
    "é",
]
_LINE = st.sampled_from(_TRICKS) | st.text(max_size=40)
_BODY = st.lists(_LINE, max_size=8).map("\n".join)
_HEADER = _LINE.filter(lambda text: check_text(text) is None)
_ADDRESSES = st.sampled_from(
    [
        "a@b.co",
        "Li.Lei+x@example.com",
        "o'neil@sub.example.org",
        "x" * 64 + "@example.com",
        "a@xn--fsqu00a.xn--fiqs8s",
    ]
)
_FILES = st.builds(
    Attachment,
    _HEADER.map(lambda text: text[:MAX_FILE_NAME_LENGTH]),
    st.sampled_from(
        ["", "image/png", "text/plain; charset=utf-8", "application/vnd.ms-excel", "message/rfc822"]
    ),
    st.binary(max_size=300),
    st.sampled_from([None, None, "logo", "a.b@c.example"]),
)
_LETTERS = st.builds(
    Letter,
    message_id=st.sampled_from(["1.2@mail.example.com", "x" * 200 + "@example.com"]),
    date=st.integers(0, 4_000_000_000_000),
    from_address=_ADDRESSES,
    from_name=_HEADER,
    to=st.lists(_ADDRESSES, max_size=4).map(tuple),
    cc=st.lists(_ADDRESSES, max_size=2).map(tuple),
    reply_to=st.lists(_ADDRESSES, max_size=2).map(tuple),
    subject=_HEADER,
    html=st.none() | _BODY,
    text=st.none() | _BODY,
    attachments=st.lists(_FILES, max_size=3).map(tuple),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["X-Note", "X-Other"]),
            _HEADER.filter(lambda v: len(v.strip(" ")) > 0 and len(v) <= 998),
        ),
        max_size=2,
    ).map(tuple),
)


def _letter(**fields: Any) -> Letter:
    given_fields = {
        "message_id": "1@x.example",
        "date": 0,
        "from_address": "a@b.co",
        "to": ("c@d.co",),
        "text": "hi",
    }
    return Letter(**{**given_fields, **fields})


def _read(message: bytes) -> EmailMessage:
    return cast("EmailMessage", email.message_from_bytes(message, policy=email.policy.default))


def _addresses(message: EmailMessage, name: str) -> list[str]:
    return [address.addr_spec for address in message[name].addresses] if name in message else []


def _leaves(message: EmailMessage) -> Iterator[EmailMessage]:
    return (part for part in cast("Iterator[EmailMessage]", message.walk()) if not part.is_multipart())


def _content(part: EmailMessage) -> bytes:
    return cast("bytes", part.get_payload(decode=True))


def _text(part: EmailMessage) -> str:
    return _content(part).decode().replace("\r\n", "\n")


def _normal(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _with_end(text: str, *, alone: bool) -> str:
    return text if not alone or text.endswith("\n") else text + "\n"


@given(_LETTERS)
def test_a2_what_the_receiver_parses_equals_what_was_sent(letter: Letter) -> None:
    composed = compose(letter)

    check_finished(composed.message, letter)
    message = _read(composed.message)
    assert not message.defects
    assert str(message["Subject"]) == letter.subject
    (sender,) = message["From"].addresses
    # Python 3.11 puts spaces between the words of an encoded name; test_header.py reads names exactly.
    assert sender.display_name.replace(" ", "") == letter.from_name.replace(" ", "")
    assert sender.addr_spec == letter.from_address
    assert _addresses(message, "To") == list(letter.to)
    assert _addresses(message, "Cc") == list(letter.cc)
    assert _addresses(message, "Reply-To") == list(letter.reply_to)
    assert message["Message-ID"] == f"<{letter.message_id}>"
    assert [(n, str(v)) for n, v in message.items() if n.startswith("X-")] == list(letter.headers)

    leaves = list(_leaves(message))
    bodies = [body for body in (letter.text, letter.html) if body is not None] or [""]
    alone = len(leaves) == 1
    texts = [part for part in leaves if not part.get_content_disposition()]
    files = [part for part in leaves if part.get_content_disposition()]
    found = [_with_end(_text(part), alone=alone) if alone else _text(part) for part in texts]
    assert found == [_with_end(_normal(body), alone=alone) for body in bodies]
    assert sorted(
        (part["Content-Disposition"].params.get("filename", ""), _content(part)) for part in files
    ) == sorted((attachment.name, attachment.content) for attachment in letter.attachments)
    assert not any(part.defects for part in leaves)


@given(_LETTERS)
def test_a6_the_bytes_are_lines_that_any_server_carries(letter: Letter) -> None:
    composed = compose(letter)

    assert composed.message.endswith(b"\r\n")
    assert composed.message.isascii()
    assert not composed.smtputf8
    assert not composed.eight_bit
    for line in composed.message.split(b"\r\n"):
        assert len(line) <= 998
        assert not {0, 10, 13} & set(line)


@given(_LETTERS)
def test_the_same_letter_is_the_same_bytes_however_it_was_encoded(letter: Letter) -> None:
    body = encode_body(letter.html, letter.text)
    attachments = [encode_attachment(attachment) for attachment in letter.attachments]

    bare = dataclasses.replace(letter, html=None, text=None, attachments=())
    assert compose(bare, body, attachments) == compose(letter)
    check_finished(compose(bare, body, attachments).message, bare)


def _structure(message: EmailMessage) -> Any:
    if not message.is_multipart():
        return message.get_content_type()
    return [
        message.get_content_subtype(),
        *(_structure(cast("EmailMessage", p)) for p in message.iter_parts()),
    ]


_FILE = Attachment("a.pdf", "application/pdf", b"%PDF")
_IMAGE = Attachment("logo.png", "image/png", b"PNG", "logo")


@pytest.mark.parametrize(
    ("fields", "structure"),
    [
        ({"text": "t", "html": None}, "text/plain"),
        ({"text": None, "html": "h"}, "text/html"),
        ({"text": None, "html": None}, "text/plain"),
        ({"text": "t", "html": "h"}, ["alternative", "text/plain", "text/html"]),
        ({"text": "t", "attachments": (_FILE,)}, ["mixed", "text/plain", "application/pdf"]),
        ({"text": None, "html": "h", "attachments": (_IMAGE,)}, ["related", "text/html", "image/png"]),
        ({"text": "t", "attachments": (_IMAGE,)}, ["mixed", "text/plain", "image/png"]),
        (
            {"text": "t", "html": "h", "attachments": (_FILE, _IMAGE)},
            [
                "mixed",
                ["alternative", "text/plain", ["related", "text/html", "image/png"]],
                "application/pdf",
            ],
        ),
    ],
)
def test_parts_are_nested_only_as_deep_as_needed(fields: dict[str, Any], structure: Any) -> None:
    message = _read(compose(_letter(**fields)).message)

    assert _structure(message) == structure
    assert not message.defects


def test_an_inline_image_is_found_by_its_content_id() -> None:
    letter = _letter(html='<img src="cid:logo">', attachments=(_IMAGE,))

    (image,) = [
        part for part in _leaves(_read(compose(letter).message)) if part.get_content_maintype() == "image"
    ]

    assert image["Content-ID"] == "<logo>"
    assert image.get_content_disposition() == "inline"
    assert image.get_filename() == "logo.png"


def test_a5_hidden_recipients_only_are_said_to_be_hidden() -> None:
    message = _read(compose(_letter(to=())).message)

    assert message["To"] == "undisclosed-recipients:;"
    assert message["To"].addresses == ()
    assert "Bcc" not in message


def test_smtputf8_is_asked_for_by_local_parts_alone() -> None:
    domain_only = compose(_letter(to=(address.parse("a@例子.中国"),)))
    local = compose(_letter(to=(address.parse("李雷@例子.中国"), "b@c.co"), subject="您好"))

    assert not domain_only.smtputf8
    assert b"\r\nTo: a@xn--fsqu00a.xn--fiqs8s\r\n" in domain_only.message
    assert local.smtputf8
    assert "\r\nTo: 李雷@xn--fsqu00a.xn--fiqs8s, b@c.co\r\n".encode() in local.message
    names = ("李雷@xn--fsqu00a.xn--fiqs8s", "b@c.co")
    check_finished(local.message, _letter(to=names, subject="您好"))


def test_a_boundary_stands_in_no_part() -> None:
    first = f"=_{hashlib.sha256(b'1@x.example').hexdigest()[:32]}"
    text = f"--{first}a\n--{first}a--\n--{first}m--\nend"
    letter = _letter(text=text, html="<p>h</p>", attachments=(_FILE,))

    message = _read(compose(letter).message)

    assert _text(next(_leaves(message))) == text
    assert _structure(message) == ["mixed", ["alternative", "text/plain", "text/html"], "application/pdf"]


def test_an_attached_message_does_not_become_part_of_this_one() -> None:
    inner = b"Subject: inner\r\nContent-Type: text/plain\r\n\r\nx"
    letter = _letter(attachments=(Attachment("m.eml", "message/rfc822", inner),))

    (_, attached) = _leaves(_read(compose(letter).message))

    assert attached.get_content_type() == "application/octet-stream"
    assert _content(attached) == inner


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"subject": "a\r\nBcc: x@y.example"}, "subject"),
        ({"subject": "\u2028"}, "subject"),
        ({"from_name": "a\nb"}, "from_name"),
        ({"from_name": "\x7f"}, "from_name"),
        ({"from_address": "a@b.co\r\nX: y"}, "from_address"),
        ({"to": ("a@b.co", "c@d.co, e@f.co")}, "to[1]"),
        ({"to": ("=?utf-8?q?=0D=0A?=@b.co",)}, "to[0]"),
        ({"to": ("Li <a@b.co>",)}, "to[0]"),
        ({"to": ('"a> ORCPT=x"@b.co',)}, "to[0]"),
        ({"to": ("a@b.co> NOTIFY=NEVER",)}, "to[0]"),
        ({"to": ("a\x85@b.co",)}, "to[0]"),
        ({"to": ("",)}, "to[0]"),
        ({"cc": ("a@b.co\n",)}, "cc[0]"),
        ({"reply_to": ("a b@b.co",)}, "reply_to[0]"),
        ({"message_id": "1@x.example>\r\nX: y"}, "message_id"),
        ({"message_id": "=?utf-8?q?=0D=0A?=@x.example"}, "message_id"),
        ({"message_id": ""}, "message_id"),
        ({"headers": (("X-A", "b\r\nBcc: c"),)}, "headers[X-A]"),
        ({"headers": (("Bcc", "b@c.co"),)}, "headers[Bcc]"),
        ({"attachments": (_FILE, Attachment("a\r\nb", "", b""))}, "attachments[1].name"),
        ({"attachments": (Attachment("x" * 256, "", b""),)}, "attachments[0].name"),
        ({"attachments": (Attachment("a", "image/png\r\nX: y", b""),)}, "attachments[0].content_type"),
        ({"attachments": (Attachment("a", "png", b""),)}, "attachments[0].content_type"),
        ({"attachments": (Attachment("a", "image/png", b"", "a>\r\nX: y"),)}, "attachments[0].content_id"),
        ({"attachments": (Attachment("a", "image/png", b"", "=?utf-8?q?a?="),)}, "attachments[0].content_id"),
        ({"text": "\ud800"}, "text"),
        ({"html": "\ud800"}, "html"),
    ],
)
def test_a1_what_would_break_out_is_refused_naming_the_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(UnsafeContent) as error:
        compose(_letter(**fields))
    assert error.value.field == field


def test_the_bytes_of_a_letter_never_change() -> None:
    """A digest taken once: other Python versions and later releases must write the same bytes."""
    letter = Letter(
        "42.7@mail.example.com",
        1_700_000_000_000,
        "noreply@example.com",
        "Acme 商店",
        ("li.lei@example.com", "han@example.com"),
        ("boss@example.com",),
        ("help@example.com",),
        "您的订单 #12345 已发货 – Ihre Bestellung",
        '<p>您好 <a href="https://x.example/?a=b">x</a></p>\n' * 40,
        "plain = text\n" * 30 + "é" + "x" * 1200,
        (Attachment("报告.pdf", "application/pdf", bytes(range(256)) * 20), _IMAGE),
        (("List-Unsubscribe", "<https://x.example/u>"), ("X-Note", "größer")),
    )

    assert (
        hashlib.sha256(compose(letter).message).hexdigest()
        == "38404f4a847abab272033f5426a3f9d0ed4a8121c435c9444ff5adfebd820a7c"
    )
