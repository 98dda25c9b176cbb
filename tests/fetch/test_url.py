"""C1, C2: which URLs are refused before anything is asked of the network."""

from __future__ import annotations

import ipaddress
import socket
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.fetch.url import NOT_FROM_THERE, BadUrl, Rules, check_url, read

RULES = Rules()
FULL_WIDTH = str.maketrans("0123456789.", "０１２３４５６７８９．")
CIRCLED = str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")

LITERALS = (
    "127.0.0.1", "127.1", "127.0.1", "0", "0x7f.1", "0x7f000001", "0X7F.0.0.1", "0177.0.0.1",
    "017700000001", "2130706433", "00000000177.1", "127.0.0.1.", "127.1.", "１２７.0.0.1",
    "127。0。0。1", "127．0．0．1",
    "127｡1",
    "①②⑦.⓪.⓪.①", "0x7f．1", "8.8.8.8", "169.254.169.254", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[fe80::1%25lo]",
    "[fe80::1%lo]", "[fe80::1]", "[2001:4860:4860::8888]", "[127.0.0.1]", "[]", "[v1.fe80]",
    "[::1].example.com",
    "%31%32%37.0.0.1", "127%2e1", "256.256.256.256", "1.2.3.4.5", "0x", "0x.0x.0", "1e3", "１", "٣.٣.٣.٣",
)  # fmt: skip
INSIDE = (
    "localhost", "LOCALHOST", "localhost.", "ｌｏｃａｌｈｏｓｔ", "a.localhost", "printer.local",
    "x.internal",
    "metadata.google.internal", "metadata.google.internal.", "metadata", "metadata.goog", "instance-data",
    "db.svc.cluster.local", "router.home.arpa", "nas.lan", "wiki.corp", "x.intranet", "x.home", "x.private",
    "localhost.localdomain", "abc.onion", "x.alt", "intranet", "a", "-a.com", "a-.com", "a..com", ".com",
    "a.com..", "exa mple.com", "*.com", "a\u200bb.\u202ecom", f"{'a' * 64}.com", f"{'a.' * 127}com",
)  # fmt: skip


@pytest.mark.parametrize("host", LITERALS)
def test_c1_every_literal_address_is_refused_in_every_spelling(host: str) -> None:
    assert check_url(f"https://{host}/f", RULES) in (NOT_FROM_THERE, "is not a URL")


@pytest.mark.parametrize("host", INSIDE)
def test_c1_names_that_are_inside_by_definition_or_no_host_names_are_refused(host: str) -> None:
    assert check_url(f"https://{host}/f", RULES) in (NOT_FROM_THERE, "is not a URL")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a URL"),
        ("files.example.com/f", "is not a URL"),
        ("//files.example.com/f", "is not a URL"),
        ("https:files.example.com", "is not a URL"),
        ("https:///etc/passwd", "is not a URL"),
        ("file:///etc/passwd", "must begin with https://"),
        ("ftp://files.example.com/f", "must begin with https://"),
        ("gopher://files.example.com:25/_HELO", "must begin with https://"),
        ("http://files.example.com/f", "must begin with https://"),
        ("https://user@files.example.com/f", "holds a user name or a password"),
        ("https://user:word@files.example.com/f", "holds a user name or a password"),
        ("https://files.example.com@127.0.0.1/f", "holds a user name or a password"),
        ("https://@files.example.com/f", "holds a user name or a password"),
        ("https://files.example.com\\@127.0.0.1/f", "is not a URL"),
        ("https://files.example.com:/f", "is not a URL"),
        ("https://files.example.com:44a/f", "is not a URL"),
        ("https://files.example.com:４４３/f", "is not a URL"),
        ("https://files.example.com:443:443/f", "is not a URL"),
        ("https://files.example.com:80/f", "names a port that files are not fetched from"),
        ("https://files.example.com:0/f", "names a port that files are not fetched from"),
        ("https://files.example.com:25/f", "names a port that files are not fetched from"),
        ("https://files.example.com:65979/f", "names a port that files are not fetched from"),
        ("https://files.example.com/a b", "is not a URL"),
        ("https://files.example.com/f\r\nHost: inside", "is not a URL"),
        ("https://files.example.com/f\0", "is not a URL"),
        (" https://files.example.com/f", "is not a URL"),
        ("https://files.example.com/f\n", "is not a URL"),
        ("https://files.example.com/\ud800", "is not a URL"),
        ("https://files.example.com/" + "a" * 775, "is longer than 800 characters"),
    ],
)
def test_c2_what_is_wrong_with_a_url_is_said(text: str, problem: str) -> None:
    assert check_url(text, RULES) == problem


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("https://files.example.com", "files.example.com", "/"),
        ("HTTPS://Files.Example.COM./f", "files.example.com", "/f"),
        ("https://files.example.com:443/f?a=1&b=%20#part", "files.example.com", "/f?a=1&b=%20"),
        ("https://files.example.com?a=/b", "files.example.com", "/?a=/b"),
        ("https://files.example.com/报告.pdf", "files.example.com", "/%E6%8A%A5%E5%91%8A.pdf"),
        ("https://例え.テスト/", "xn--r8jz45g.xn--zckzah", "/"),
        ("https://xn--r8jz45g.xn--zckzah/", "xn--r8jz45g.xn--zckzah", "/"),
        ("https://my_bucket.s3.example.com/k", "my_bucket.s3.example.com", "/k"),
        ("https://1password.com/@a:b", "1password.com", "/@a:b"),
        ("https://files.example.com/" + "a" * 774, "files.example.com", "/" + "a" * 774),
    ],
)
def test_a_public_https_url_is_read(text: str, host: str, path: str) -> None:
    target = read(text, RULES)
    assert (target.scheme, target.host, target.port, target.path) == ("https", host, 443, path)
    assert target.authority == host
    assert not target.is_own


def test_http_and_more_ports_are_settings() -> None:
    rules = Rules.of(http=True, ports=[8443])
    assert check_url("http://files.example.com/f", rules) is None
    assert check_url("https://files.example.com:8443/f", rules) is None
    assert check_url("https://files.example.com:8444/f", rules) is not None
    assert check_url("http://127.0.0.1:8443/f", rules) == NOT_FROM_THERE
    assert read("https://files.example.com:8443/f", rules).authority == "files.example.com:8443"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("http://minio/f", True),
        ("https://MinIO./f", True),
        ("https://minio:9000/f", False),
        ("http://wiki.corp:8080/f", True),
        ("http://wiki.corp/f", False),
        ("https://10.0.0.7/f", True),
        ("https://10.0.7/f", False),
        ("https://0x0a.0.0.7/f", False),
        ("http://[fd00::7]:8443/f", True),
        ("http://[fd00:0::7]:8443/f", True),
        ("http://[fd00::8]:8443/f", False),
        ("http://a.minio/f", False),
        ("ftp://minio/f", False),
        ("http://user@minio/f", False),
    ],
)
def test_c1_hosts_of_the_deployments_own_are_let_through_by_name_and_port(text: str, fits: bool) -> None:
    rules = Rules.of(hosts=["minio", "wiki.corp:8080", "10.0.0.7", "[fd00::7]:8443"])
    assert (check_url(text, rules) is None) == fits


@pytest.mark.parametrize(
    "text", ["", "http://minio", "minio/", "a b", "minio:", "fd00::7", "10.0.7", "[::1", "*.corp", "a..b"]
)
def test_a_setting_that_names_no_host_is_refused(text: str) -> None:
    with pytest.raises(BadUrl):
        Rules.of(hosts=[text])


NUMBERS = st.integers(0, 2**32 - 1)


def _spelled(number: int, style: str) -> str:
    return {"d": f"{number}", "x": f"0x{number:x}", "X": f"0X{number:X}", "o": f"0{number:o}"}[style]


@st.composite
def ipv4_spellings(draw: st.DrawFn) -> str:
    """An address as inet_aton(3) reads it: one to four numbers, each decimal, octal or hexadecimal."""
    number, count = draw(NUMBERS), draw(st.integers(1, 4))
    bits = 8 * (5 - count)
    parts = [(number >> (32 - 8 * (i + 1))) & 0xFF for i in range(count - 1)] + [number & ((1 << bits) - 1)]
    text = ".".join(_spelled(part, draw(st.sampled_from("dxXo"))) for part in parts)
    return text.translate(draw(st.sampled_from([{}, FULL_WIDTH, CIRCLED]))) + draw(st.sampled_from(["", "."]))


@given(ipv4_spellings())
def test_c1_no_spelling_of_an_ipv4_address_passes(text: str) -> None:
    assert check_url(f"https://{text}/", RULES) == NOT_FROM_THERE


@given(st.ip_addresses(v=6), st.booleans(), st.booleans())
def test_c1_no_spelling_of_an_ipv6_address_passes(
    address: ipaddress.IPv6Address, exploded: bool, upper: bool
) -> None:
    text = address.exploded if exploded else address.compressed
    assert check_url(f"https://[{text.upper() if upper else text}]/", RULES) == NOT_FROM_THERE


@given(st.text(st.sampled_from("0123456789abcdefxX.。:%[]_-１２⑦xn--"), min_size=1, max_size=20))
def test_c1_whatever_the_system_takes_for_an_address_does_not_pass(text: str) -> None:
    try:
        host = read(f"https://{text}/", RULES).host
    except BadUrl:
        return
    for taken in (host, text, unicodedata.normalize("NFKC", text)):
        with pytest.raises((OSError, UnicodeError)):
            socket.inet_aton(taken)
        with pytest.raises((OSError, UnicodeError)):
            socket.getaddrinfo(taken, 443, flags=socket.AI_NUMERICHOST)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_words(text: str) -> None:
    assert check_url(f"https://{text}", RULES) != ""


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=" \\#"), max_size=40))
def test_any_path_becomes_one_that_fits_a_request_line(text: str) -> None:
    target = read(f"https://files.example.com/{text}", RULES)
    assert target.host == "files.example.com"
    assert target.path.isascii()
    assert target.path.isprintable()
    assert " " not in target.path
