"""Header lines, with the standard library's parser as the reader."""

from __future__ import annotations

import datetime
import email
import email.header
import email.policy
import email.utils
from email.headerregistry import Address
from email.message import EmailMessage
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom_server.message import encoded_word, header
from postroom_server.message.unsafe import check_text

_TEXT = st.text(max_size=120).filter(lambda text: check_text(text) is None)
_ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)


def _read(lines: str) -> EmailMessage:
    message = email.message_from_bytes(lines.encode("ascii") + b"\r\nbody", policy=email.policy.default)
    return cast("EmailMessage", message)


def _display_name(lines: str) -> str:
    """By the older reader: the newer one of Python 3.11 puts spaces between the words of an encoded name."""
    name, _ = email.utils.parseaddr(lines.partition(":")[2].replace("\r\n", ""))
    return str(email.header.make_header(email.header.decode_header(name)))


def _assert_tidy(lines: str, columns: int) -> None:
    assert lines.endswith("\r\n")
    for line in lines.removesuffix("\r\n").split("\r\n"):
        assert "\r" not in line
        assert "\n" not in line
        assert line.strip(" ")
        assert len(line) <= columns


@given(_TEXT | _ASCII)
@example("=?utf-8?q?x=0D=0ABcc:_v?=")
@example("=?utf-8?b?DQpCY2M6IHY=?=")
@example("=?")
@example(" outer spaces ")
@example("a  b")
@example("x" * 998)
@example("您" * 200)
@example("é" * 300)
@example("😀" * 50)
@example("a=?b")
@example('Re: [list] it\'s 100% "quoted" (comment) <a@b.co>, c; d:')
def test_a2_a_subject_reads_as_it_was_written(subject: str) -> None:
    lines = header.text("Subject", subject)

    _assert_tidy(lines, 78)
    message = _read(lines)
    assert message.keys() == ["Subject"]
    assert str(message["Subject"]) == subject


def test_a_subject_is_only_encoded_when_it_must_be() -> None:
    assert header.text("Subject", "Your order #1") == "Subject: Your order #1\r\n"
    assert header.text("Subject", "Für Sie da") == "Subject: =?utf-8?q?F=C3=BCr_Sie_da?=\r\n"
    assert header.text("Subject", "您好") == "Subject: =?utf-8?b?5oKo5aW9?=\r\n"
    assert header.text("Subject", "word " * 30 + "end").count("\r\n") == 3
    assert "=?" not in header.text("Subject", "word " * 30 + "end")


@given(_TEXT.filter(bool) | _ASCII.filter(bool))
@example("Acme, Inc.")
@example('Li "the" Lei \\ Co')
@example("=?utf-8?q?x=0D=0ABcc:_v?=")
@example("a@b.co")
@example("李雷（客服）" * 20)
@example("x" * 500)
@example(" x")
def test_a2_a_display_name_reads_as_it_was_written(name: str) -> None:
    lines = header.mailbox("From", name, "noreply@mail.example.com")

    _assert_tidy(lines, 78)
    message = _read(lines)
    assert message.keys() == ["From"]
    (address,) = cast("tuple[Address, ...]", message["From"].addresses)
    assert _display_name(lines) == name
    assert address.display_name.replace(" ", "") == name.replace(" ", "")
    assert address.addr_spec == "noreply@mail.example.com"


@given(_TEXT.filter(bool), st.integers(0, 70))
@example("您" * 200, 9)
@example("😀é" * 50, 9)
def test_every_encoded_word_is_whole_by_itself(text: str, used: int) -> None:
    words = encoded_word.encode(text, used).split("\r\n ")

    assert all(len(word) <= 75 for word in words)
    # Decoding octets of half a character would raise.
    assert "".join(str(email.header.make_header(email.header.decode_header(word))) for word in words) == text


def test_plain_names_stay_readable() -> None:
    assert header.mailbox("From", "Acme Shop", "a@b.co") == "From: Acme Shop <a@b.co>\r\n"
    assert header.mailbox("From", "Acme, Inc.", "a@b.co") == 'From: "Acme, Inc." <a@b.co>\r\n'
    assert header.mailbox("From", "", "a@b.co") == "From: a@b.co\r\n"


@pytest.mark.parametrize("count", [1, 2, 3, 500])
def test_a5_addresses_are_folded_and_none_is_lost(count: int) -> None:
    addresses = [f"recipient.number.{index}@mail{index}.example.com" for index in range(count)]

    lines = header.mailboxes("To", addresses)

    _assert_tidy(lines, 78)
    assert [address.addr_spec for address in _read(lines)["To"].addresses] == addresses


def test_the_longest_address_fits_on_a_line() -> None:
    longest = f"{'x' * 64}@{'.'.join(['y' * 60] * 3)}.com"

    lines = header.mailboxes("Reply-To", ["a@b.co", longest])

    assert [address.addr_spec for address in _read(lines)["Reply-To"].addresses] == ["a@b.co", longest]


@given(st.integers(0, 4_102_444_800_000))
def test_dates_are_read_back(milliseconds: int) -> None:
    found = email.utils.parsedate_to_datetime(header.date(milliseconds))

    assert found == datetime.datetime.fromtimestamp(milliseconds // 1000, datetime.UTC)


def test_a_date_does_not_depend_on_the_locale() -> None:
    assert header.date(1_700_000_000_999) == "Tue, 14 Nov 2023 22:13:20 +0000"


@given(_TEXT.filter(bool) | _ASCII.filter(bool))
@example("report.pdf")
@example("=?utf-8?q?x=0D=0ABcc:_v?=.pdf")
@example("报告 2024.pdf")
@example('a"b\\c.pdf')
@example("100%.pdf")
@example("x" * 255)
@example("报" * 255)
@example("it's.txt")
def test_a2_a_file_name_reads_as_it_was_written(name: str) -> None:
    lines = header.disposition("attachment", name)

    _assert_tidy(lines, 78)
    message = _read(lines)
    assert message.keys() == ["Content-Disposition"]
    assert message.get_content_disposition() == "attachment"
    assert message["Content-Disposition"].params["filename"] == name


def test_a_file_name_with_outer_spaces_is_not_left_to_the_readers_mercy() -> None:
    assert header.disposition("attachment", " a.txt").endswith("filename*=utf-8''%20a.txt\r\n")


@pytest.mark.parametrize(
    "name",
    [
        "X-Order",
        "x-a",
        "List-Unsubscribe",
        "list-unsubscribe-post",
        "List-Id",
        "Precedence",
        "Auto-Submitted",
        "In-Reply-To",
        "References",
        "Importance",
        "X-Priority",
    ],
)
def test_a4_harmless_headers_may_be_set(name: str) -> None:
    assert header.check_header(name, "<https://x.example/u>") is None


@pytest.mark.parametrize(
    "name",
    [
        "Bcc",
        "bcc",
        "To",
        "Cc",
        "From",
        "Sender",
        "Reply-To",
        "Subject",
        "Date",
        "Message-ID",
        "Return-Path",
        "Received",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
        "Content-Disposition",
        "DKIM-Signature",
        "Resent-To",
        "Disposition-Notification-To",
        "",
        "X",
        "X-",
        "X-a:",
        "X-a b",
        "X-a\r\nBcc",
        "X-é",
        "X-" + "a" * 63,
    ],
)
def test_a4_no_other_header_may_be_set(name: str) -> None:
    assert header.check_header(name, "x") is not None


@pytest.mark.parametrize("value", ["a\r\nBcc: x@y.example", "a\n b", "a\0", "\u2028", "", "  ", "x" * 999])
def test_a1_header_values_are_one_printable_line(value: str) -> None:
    assert header.check_header("X-Order", value) is not None


@pytest.mark.parametrize("value", ["<https://x.example/é>", "=?utf-8?q?x?=", "x" * 990])
def test_a2_headers_with_a_grammar_take_plain_ascii_only(value: str) -> None:
    assert header.check_header("List-Unsubscribe", value) is not None


@given(_TEXT | _ASCII)
@example("=?utf-8?q?x=0D=0ABcc:_v?=")
@example("x" * 998)
def test_a2_free_headers_read_as_they_were_written(value: str) -> None:
    if header.check_header("X-Note", value) is None:
        lines = header.custom("X-Note", value)
        _assert_tidy(lines, 78)
        message = _read(lines)
        assert message.keys() == ["X-Note"]
        assert str(message["X-Note"]) == value


@given(_ASCII)
@example("<https://x.example/" + "u" * 940 + ">")
def test_headers_with_a_grammar_are_folded_at_spaces(value: str) -> None:
    if header.check_header("References", value) is None:
        lines = header.custom("References", value)
        _assert_tidy(lines, 998)
        assert lines.replace("\r\n", "") == f"References: {value.strip(' ')}"
