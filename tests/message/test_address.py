"""Addresses: what is one, its one spelling, and the library as the oracle of our own rule."""

from __future__ import annotations

import pytest
from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES
from hypothesis import example, given
from hypothesis import strategies as st

from postroom_server.message.address import InvalidAddress, domain, key, needs_smtputf8, parse

_SPECIAL_USE = (".local", ".localhost", ".invalid", ".onion", ".arpa", ".test")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a@b.co", "a@b.co"),
        ("Li.Lei+tag@Example.COM", "Li.Lei+tag@example.com"),
        ("INFO@example.com", "INFO@example.com"),
        ("o'neil_{x}|~!#$%&*/=^`?@example.com", "o'neil_{x}|~!#$%&*/=^`?@example.com"),
        ("user%host@relay.example", "user%host@relay.example"),
        ("dev@api.test", "dev@api.test"),
        ("root@localhost.localdomain", "root@localhost.localdomain"),
        ("printer@Office.Local", "printer@office.local"),
        ("nobody@x.invalid", "nobody@x.invalid"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
        ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("a@例子.中国", "a@xn--fsqu00a.xn--fiqs8s"),
        ("李雷@example.com", "李雷@example.com"),
        ("李雷@api.test", "李雷@api.test"),
        ("李雷@office.local", "李雷@office.local"),
        ("李雷@例子.中国", "李雷@xn--fsqu00a.xn--fiqs8s"),
        ("e\u0301a@example.com", "éa@example.com"),
        ("x" * 64 + "@example.com", "x" * 64 + "@example.com"),
    ],
)
def test_an_address_gets_its_one_spelling(text: str, address: str) -> None:
    assert parse(text) == address
    assert parse(address) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "a",
        "a@",
        "@b.co",
        "a@b",
        "a@localhost",
        "a@b.c0",
        "a@-b.co",
        "a@b-.co",
        "a@b..co",
        ".a@b.co",
        "a.@b.co",
        "a..b@b.co",
        "a@b.co.",
        "a@ab--c.example",
        "a@xn--zzzzzz-.example",
        "x" * 65 + "@example.com",
        "李" * 22 + "@example.com",
        "a@" + "b" * 64 + ".com",
        "a@" + ".".join(["b" * 60] * 5) + ".com",
        "a＠example.com",
        "a\u2028@example.com",
        "a\ud800@example.com",
        "a@exam\ud800ple.com",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        '"a> ORCPT=x"@example.com',
        "a@x.example> NOTIFY=NEVER",
        "a@x.example NOTIFY=NEVER",
        "a@x.example\r\nRCPT TO:<b@x.example>",
        "a@x.example\n",
        "\na@x.example",
        "a@x.example\0",
        "a@x.example ",
        " a@x.example",
        "<a@x.example>",
        "Li Lei <a@x.example>",
        "a@x.example (comment)",
        "(comment)a@x.example",
        "a@x.example, b@x.example",
        "a@x.example;b@x.example",
        "a@x.example,b@x.example",
        "group: a@x.example;",
        '"quoted"@x.example',
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "@relay.example:a@x.example",
        "a@b@x.example",
        "a\\@x.example",
        "a\t@x.example",
    ],
)
def test_a7_tricks_around_an_address_are_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse(text)


def test_a2_an_address_that_readers_would_decode_is_refused() -> None:
    with pytest.raises(InvalidAddress, match="encoded"):
        parse("=?utf-8?q?x=0D=0ABcc:_v?=@example.com")


_ATOM = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=8)
_LABEL = st.text("abcXYZ019-", min_size=1, max_size=8)
_NEARLY = st.builds(
    "{}@{}".format,
    st.lists(_ATOM, min_size=1, max_size=3).map(".".join),
    st.lists(_LABEL, min_size=1, max_size=4).map(".".join),
)


@given(_NEARLY | st.text('ab.@-x<>" ,;1é李', max_size=12) | st.emails())
@example("abuse@Example.com")
@example("a@x.local")
def test_a7_whatever_is_accepted_the_library_accepts_in_the_same_form(text: str) -> None:
    try:
        address = parse(text)
    except InvalidAddress:
        return
    # Documented exceptions: domains that are not for the public internet, and the case of RFC 2142 mailboxes.
    local, _, host = address.rpartition("@")
    public = f"{host}.example.com" if f".{host}".endswith(_SPECIAL_USE) else host
    found = validate_email(f"{local}@{public}", check_deliverability=False)
    assert found.ascii_domain == public
    assert (
        found.local_part.lower() if local.lower() in CASE_INSENSITIVE_MAILBOX_NAMES else found.local_part
    ) == (local.lower() if local.lower() in CASE_INSENSITIVE_MAILBOX_NAMES else local)


@given(_NEARLY)
def test_what_the_library_accepts_is_accepted(text: str) -> None:
    try:
        validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError:
        return
    if "=?" not in text:
        assert parse(text)


@given(st.emails())
def test_parsing_twice_changes_nothing(text: str) -> None:
    try:
        address = parse(text)
    except InvalidAddress:
        return
    assert parse(address) == address


def test_only_the_local_part_asks_for_smtputf8() -> None:
    assert not needs_smtputf8(parse("a@例子.中国"))
    assert needs_smtputf8(parse("李雷@example.com"))


def test_addresses_compare_without_case() -> None:
    assert key(parse("Li.Lei@Example.com")) == key(parse("li.lei@example.COM"))
    assert key(parse("ÉA@example.com")) == key(parse("e\u0301a@example.com"))


@pytest.mark.parametrize(
    ("one", "other"), [("ſam@example.com", "sam@example.com"), ("straße@x.co", "strasse@x.co")]
)
def test_d5_mailboxes_that_only_look_alike_stay_apart(one: str, other: str) -> None:
    assert key(parse(one)) != key(parse(other))


def test_the_domain_is_what_policies_compare() -> None:
    assert domain(parse("a@BÜCHER.example")) == "xn--bcher-kva.example"
