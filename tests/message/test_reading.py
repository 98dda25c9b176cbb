"""Our reader of finished headers, beside the standard library's."""

from __future__ import annotations

import email
import email.header
import email.policy
import email.utils
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom_server.message import header, reading
from postroom_server.message.unsafe import check_text

_ODD = st.sampled_from(
    ["您好", "😀", "=?", "?=", '"', "\\", ",", "<a@b.co>", "(c)", "  ", " ", "é", "x" * 70, "."]
)
_TEXT = (st.text(max_size=120) | st.lists(_ODD, max_size=30).map("".join)).filter(
    lambda text: check_text(text) is None
)
_ADDRESSES = st.lists(
    st.sampled_from(["a@b.co", "o'neil+x@sub.example.org", "x" * 64 + "@example.com"]), min_size=1, max_size=9
)


def _value(lines: str) -> str:
    return reading.unfold(lines).removesuffix("\r\n").partition(":")[2].lstrip(" \t")


def _by_the_library(lines: str) -> EmailMessage:
    return email.message_from_bytes(lines.encode("ascii") + b"\r\nbody", policy=email.policy.default)


@given(_TEXT)
@example("=?utf-8?q?x=0D=0ABcc:_v?=")
@example(" outer  spaces ")
@example("word " * 60 + "end")
@example("您好，世界" * 40)
def test_a2_a_subject_reads_as_written_and_as_the_library_reads_it(subject: str) -> None:
    lines = header.text("Subject", subject)

    read = reading.read_text(_value(lines))

    assert read == subject
    assert read == str(_by_the_library(lines)["Subject"])


@given(_TEXT)
@example('Acme, "Inc." \\')
@example("李雷 & 韩梅梅")
@example("a" * 200)
def test_a2_a_mailbox_reads_as_written_and_as_the_library_reads_it(name: str) -> None:
    lines = header.mailbox("From", name, "a@b.co")

    read = reading.read_mailbox(_value(lines))

    assert read == (name, "a@b.co")
    # The older reader: the newer one of Python 3.11 puts spaces between the words of an encoded name.
    phrase, address = email.utils.parseaddr(_value(lines))
    assert read == (str(email.header.make_header(email.header.decode_header(phrase))), address)


@given(_ADDRESSES)
def test_a2_addresses_read_as_written_and_as_the_library_reads_them(addresses: list[str]) -> None:
    lines = header.mailboxes("To", addresses)

    read = reading.read_addresses(_value(lines))

    assert read == tuple(addresses)
    assert read == tuple(address.addr_spec for address in _by_the_library(lines)["To"].addresses)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("plain  text ", "plain  text "),
        ("=?utf-8?q?a_b?=", "a b"),
        ("=?utf-8?q?=e6=82=A8?=", "您"),
        ("=?utf-8?b?5oKo?= \t =?utf-8?q?x?=", "您x"),
        ("a =?utf-8?b?5oKo?= b", "a 您 b"),
        ("=?utf-8?q??=", ""),
        ("a=?utf-8?q?x?=", None),
        ("=?utf-8?q?x?==?utf-8?q?y?=", None),
        ("(=?utf-8?q?x?=)", None),
        ("=?utf-8?q?x y?=", None),
        ("=?utf-8?Q?x?=", None),
        ("=?UTF-8?q?x?=", None),
        ("=?utf-8*en?q?x?=", None),
        ("=?gb18030?b?xPo=?=", None),
        ("=?utf-8?q?=?=", None),
        ("=?utf-8?q?=6?=", None),
        ("=?utf-8?q?=E6=82?=", None),
        ("=?utf-8?q?=E6=82?= =?utf-8?q?=A8?=", None),
        ("=?utf-8?b?5oKo5?=", None),
        ("=?utf-8?b?5o.o?=", None),
        ("=?utf-8?b?5oKoeA?=", None),
        ("=?utf-8?b?eA==eA==?=", None),
        ("=?utf-8?q?x", None),
        ("what=?", None),
    ],
)
def test_text(value: str, text: str | None) -> None:
    assert reading.read_text(value) == text


@pytest.mark.parametrize(
    ("value", "mailbox"),
    [
        ("a@b.co", ("", "a@b.co")),
        ("<a@b.co>", ("", "a@b.co")),
        ("Acme Shop <a@b.co>", ("Acme Shop", "a@b.co")),
        (r'"A\"c\\me, <x@y.co>" <a@b.co>', (r'A"c\me, <x@y.co>', "a@b.co")),
        ("=?utf-8?b?5oKo?= =?utf-8?q?_x?= <a@b.co>", ("您 x", "a@b.co")),
        ("", None),
        ("Acme", None),
        ("a@b.co, c@d.co", None),
        ("Acme <x@y.co> <a@b.co>", None),
        ("x@y.co <a@b.co>", None),
        ("x@y.co, Acme <a@b.co>", None),
        ("Acme. <a@b.co>", None),
        ("Acme (Shop) <a@b.co>", None),
        ("a@b.co (Acme)", None),
        ('"Acme" Shop <a@b.co>', None),
        ('"Ac"me" <a@b.co>', None),
        ('"Acme\\" <a@b.co>', None),
        ('"=?utf-8?q?Acme?=" <a@b.co>', None),
        (r'"=\?utf-8?q?Acme?=" <a@b.co>', None),
        ("=?utf-8?q?Acme?=x <a@b.co>", None),
        ("商店 <a@b.co>", None),
        ("Acme <=?utf-8?q?a?=@b.co>", None),
        ("=?utf-8?q?a?=@b.co", None),
        ("Acme <@x.co:a@b.co>", None),
        ("Acme <a@b.co> x", None),
        ("Acme <a @b.co>", None),
    ],
)
def test_mailbox(value: str, mailbox: tuple[str, str] | None) -> None:
    assert reading.read_mailbox(value) == mailbox


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("undisclosed-recipients:;", ()),
        ("a@b.co", ("a@b.co",)),
        ("a@b.co,c@d.co,  e@f.co", ("a@b.co", "c@d.co", "e@f.co")),
        ("李雷@b.co, c@d.co", ("李雷@b.co", "c@d.co")),
        ("", None),
        ("a@b.co,", None),
        ("a@b.co,, c@d.co", None),
        ("a@b.co c@d.co", None),
        ("a@b.co; c@d.co", None),
        ("A <a@b.co>", None),
        ("a@b.co (c@d.co)", None),
        ("group: a@b.co;", None),
        ("undisclosed-recipients: a@b.co;", None),
        ('"a@b.co, c"@d.co', None),
        ("a@b.co@c.co", None),
        ("a\u2028@b.co", None),
        ("=?utf-8?q?a?=@b.co", None),
    ],
)
def test_addresses(value: str, addresses: tuple[str, ...] | None) -> None:
    assert reading.read_addresses(value) == addresses


def test_only_a_line_end_before_white_space_is_a_fold() -> None:
    assert reading.unfold("A: b\r\n c\r\n\td\r\nE: f") == "A: b c\td\r\nE: f"
