"""Fetching files from real servers, and from those that mean no good (security.md C1 to C3)."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import socket
import time
from collections.abc import Sequence
from typing import Any

import pytest

from fetch.conftest import HOST, MakeFetcher, Names
from fetch.web_peer import endless, ok, saying, status, web_peer
from peers.certificates import Certificates
from postroom_server.fetch import Fetcher, FetchFailed, FetchRefused, Rules, Timeouts, is_denied

REFUSED = "the file cannot be fetched"
FAILED = "the file could not be fetched"


async def refused(fetcher: Fetcher, url: str, **settings: Any) -> str:
    """Why, in the operator's words; the caller's are always the same."""
    with pytest.raises(FetchRefused) as caught:
        await fetcher.fetch(url, **settings)
    assert str(caught.value) == REFUSED
    return caught.value.detail


async def failed(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(FetchFailed) as caught:
        await fetcher.fetch(url)
    assert str(caught.value) == FAILED
    return caught.value.detail


async def test_a_file_comes_with_its_type_and_hash(
    certificates: Certificates, make_fetcher: MakeFetcher
) -> None:
    body = bytes(range(256)) * 40
    async with web_peer(ok(body, "Content-Type: Image/PNG; q=1"), tls=certificates.server) as peer:
        fetched = await make_fetcher(peer.port).fetch(peer.url(path="/a/报告.pdf?sig=a%2Fb#x"))
    assert (fetched.content, fetched.content_type) == (body, "image/png")
    assert fetched.sha256 == hashlib.sha256(body).digest()
    [request] = peer.requests
    assert request.splitlines() == [
        b"GET /a/%E6%8A%A5%E5%91%8A.pdf?sig=a%2Fb HTTP/1.1",
        f"Host: {HOST}:{peer.port}".encode(),
        b"Accept: */*",
        b"Accept-Encoding: identity",
        b"Connection: close",
        b"",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n"),
        saying(b"HTTP/1.0 200 OK\r\n\r\n", b"abc"),
        saying(
            b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
        ),
        ok(b"abc", "Content-Encoding: identity"),
    ],
    ids=["chunked", "until closed", "after hints", "identity"],
)
async def test_the_ways_in_which_servers_frame_a_file_are_read(
    certificates: Certificates, make_fetcher: MakeFetcher, answer: Any
) -> None:
    async with web_peer(answer, tls=certificates.server) as peer:
        assert (await make_fetcher(peer.port).fetch(peer.url())).content == b"abc"


async def test_http_is_spoken_where_the_setting_says_so(make_fetcher: MakeFetcher) -> None:
    async with web_peer(ok(b"plain")) as peer:
        fetcher = make_fetcher(peer.port, rules=Rules(http=True, ports=frozenset({peer.port})))
        assert (await fetcher.fetch(peer.url(scheme="http"))).content == b"plain"
        assert await refused(make_fetcher(peer.port), peer.url(scheme="http")) == "must begin with https://"
    assert len(peer.requests) == 1


async def test_a_file_comes_over_ipv6(certificates: Certificates, make_fetcher: MakeFetcher) -> None:
    async with web_peer(ok(b"six"), tls=certificates.server, host="::1") as peer:
        fetched = await make_fetcher(peer.port, resolve=Names(["::1"])).fetch(peer.url())
    assert fetched.content == b"six"


async def test_the_next_address_is_tried_where_one_does_not_answer(
    certificates: Certificates, make_fetcher: MakeFetcher
) -> None:
    async with web_peer(ok(b"abc"), tls=certificates.server) as peer:
        fetcher = make_fetcher(peer.port, resolve=Names(["::1", "127.0.0.1"]))
        assert (await fetcher.fetch(peer.url())).content == b"abc"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"], ["10.1.2.3"], ["169.254.169.254"], ["100.100.100.200"], ["0.0.0.0"], ["::1"], ["::"],
        ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["2002:7f00:1::"], ["2001:0:7f00:1::"], ["fd00:ec2::254"],
        ["fe80::1%lo"], ["ff02::1"], ["224.0.0.1"], ["255.255.255.255"], ["192.168.1.1", "1.1.1.1"],
        ["1.1.1.1", "127.0.0.1"], [],
    ],
)  # fmt: skip
async def test_c1_a_name_that_resolves_to_the_inside_is_refused_whatever_else_it_resolves_to(
    addresses: Sequence[str],
) -> None:
    detail = await refused(Fetcher(Rules(), resolve=Names(addresses)), "https://files.example.com/f")
    assert detail.startswith("resolves to ")


async def test_c1_nobody_is_asked_for_a_literal_address() -> None:
    names = Names(["1.1.1.1"])
    await refused(Fetcher(Rules(), resolve=names), "https://0x7f.1/f")
    assert names.asked == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_c1_a_host_of_the_deployments_own_may_be_inside_and_without_tls(host: str) -> None:
    async with web_peer(ok(b"own")) as peer:
        rules = Rules.of(hosts=[f"{host}:{peer.port}"])
        fetched = await Fetcher(rules).fetch(peer.url(host, scheme="http"))
        await refused(Fetcher(Rules(http=True, ports=frozenset({peer.port}))), peer.url(host, scheme="http"))
    assert fetched.content == b"own"
    assert len(peer.requests) == 1


async def test_c2_a_name_is_resolved_once_and_connected_to_as_it_was_judged(
    certificates: Certificates, make_fetcher: MakeFetcher
) -> None:
    async with web_peer(ok(b"abc"), tls=certificates.server) as peer:
        names = Names(["127.0.0.1"], ["10.0.0.1"])
        fetcher = make_fetcher(peer.port, resolve=names)
        assert (await fetcher.fetch(peer.url())).content == b"abc"
        assert names.asked == [HOST]
        assert await refused(fetcher, peer.url()) == "resolves to 10.0.0.1"
    assert len(peer.requests) == 1


async def test_c2_a_rebinding_name_never_reaches_what_it_resolves_to_the_second_time(
    certificates: Certificates, make_fetcher: MakeFetcher
) -> None:
    # 127.0.0.2 is judged, nobody listens there; had the name been resolved again, 127.0.0.1 would answer.
    async with web_peer(ok(b"inside"), tls=certificates.server) as peer:
        fetcher = make_fetcher(
            peer.port,
            resolve=Names(["127.0.0.2"], ["127.0.0.1"]),
            is_denied=lambda address: str(address) != "127.0.0.2",
        )
        assert "ConnectError" in await failed(fetcher, peer.url())
    assert peer.requests == []


@pytest.mark.parametrize("line", ["301 Moved", "302 Found", "303 See Other", "307 Again", "308 Moved"])
async def test_c2_a_redirect_is_not_followed(
    certificates: Certificates, make_fetcher: MakeFetcher, line: str
) -> None:
    async with web_peer(ok(b"inside")) as inside:
        where = f"Location: http://127.0.0.1:{inside.port}/f"
        async with web_peer(status(line, where), tls=certificates.server) as peer:
            assert await refused(make_fetcher(peer.port), peer.url()) == f"status {line[:3]}"
    assert inside.requests == []


async def test_c2_proxies_from_the_environment_are_not_asked(
    certificates: Certificates, make_fetcher: MakeFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with web_peer(ok(b"proxied")) as proxy, web_peer(ok(b"abc"), tls=certificates.server) as peer:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await make_fetcher(peer.port).fetch(peer.url())).content == b"abc"
    assert proxy.requests == []


async def test_no_cookie_is_kept(certificates: Certificates, make_fetcher: MakeFetcher) -> None:
    async with web_peer(ok(b"abc", "Set-Cookie: a=b"), tls=certificates.server) as peer:
        fetcher = make_fetcher(peer.port)
        await fetcher.fetch(peer.url())
        await fetcher.fetch(peer.url())
    assert len(peer.requests) == 2
    assert not any(b"cookie" in request.lower() for request in peer.requests)


@pytest.mark.parametrize("which", ["stranger", "other_host"])
async def test_c2_a_certificate_that_does_not_fit_the_name_ends_the_fetch(
    certificates: Certificates, make_fetcher: MakeFetcher, which: str
) -> None:
    async with web_peer(ok(b"abc"), tls=getattr(certificates, which)) as peer:
        assert "CERTIFICATE_VERIFY_FAILED" in await failed(make_fetcher(peer.port), peer.url())
    assert peer.requests == []


async def test_c2_a_server_without_tls_is_not_talked_to(make_fetcher: MakeFetcher) -> None:
    async with web_peer(ok(b"abc")) as peer:
        await failed(make_fetcher(peer.port), peer.url())
    assert peer.requests == []


async def test_c3_a_packed_answer_is_refused_and_never_unpacked(
    certificates: Certificates, make_fetcher: MakeFetcher
) -> None:
    bomb = gzip.compress(bytes(20 << 20))
    for headers in (["Content-Encoding: gzip"], ["Content-Encoding: gzip", "Content-Encoding: identity"]):
        async with web_peer(ok(bomb, *headers), tls=certificates.server) as peer:
            assert await refused(make_fetcher(peer.port), peer.url()) == "the file comes packed"


async def test_c3_a_file_announced_as_too_big_is_not_read(
    certificates: Certificates, make_fetcher: MakeFetcher
) -> None:
    async with web_peer(ok(b"", length=1001), tls=certificates.server) as peer:
        assert (
            await refused(make_fetcher(peer.port, max_bytes=1000), peer.url())
            == "more than 1000 bytes announced"
        )


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n"),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 4096),
    ],
    ids=["chunked", "until closed"],
)
async def test_c3_a_file_without_an_end_is_read_up_to_the_limit(
    certificates: Certificates, make_fetcher: MakeFetcher, head: bytes, part: bytes
) -> None:
    async with web_peer(endless(head, part), tls=certificates.server) as peer:
        fetcher = make_fetcher(peer.port, max_bytes=100_000)
        assert await refused(fetcher, peer.url()) == "more than 100000 bytes"


async def test_c3_a_file_of_just_the_limit_is_taken_and_a_byte_more_is_not(
    certificates: Certificates, make_fetcher: MakeFetcher
) -> None:
    async with web_peer(ok(bytes(10 << 20)), tls=certificates.server) as peer:
        fetcher = make_fetcher(peer.port, timeouts=Timeouts())
        assert len((await fetcher.fetch(peer.url())).content) == 10 << 20
        await refused(fetcher, peer.url(), max_bytes=(10 << 20) - 1)


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1" + b";x" * 4000 + b"\r\na\r\n"),
    ],
    ids=["interim answers", "chunk extensions"],
)
async def test_c3_bytes_around_the_file_are_counted_too(
    certificates: Certificates, make_fetcher: MakeFetcher, head: bytes, part: bytes
) -> None:
    async with web_peer(endless(head, part), tls=certificates.server) as peer:
        assert (
            await refused(make_fetcher(peer.port, max_bytes=1000), peer.url())
            == "too many bytes around the file"
        )


async def test_c3_a_long_header_is_refused(certificates: Certificates, make_fetcher: MakeFetcher) -> None:
    async with web_peer(
        ok(b"abc", *[f"X-{n}: {'x' * 1000}" for n in range(40)]), tls=certificates.server
    ) as peer:
        assert await refused(make_fetcher(peer.port), peer.url()) == "the header is too long"


async def test_c3_a_header_without_an_end_is_cut_off(
    certificates: Certificates, make_fetcher: MakeFetcher
) -> None:
    async with web_peer(
        endless(b"HTTP/1.1 200 OK\r\n", b"X-a: " + b"x" * 1000 + b"\r\n"), tls=certificates.server
    ) as peer:
        assert "RemoteProtocolError" in await failed(make_fetcher(peer.port), peer.url())


async def test_c3_a_server_that_drips_is_left_when_the_time_is_over(
    certificates: Certificates, make_fetcher: MakeFetcher
) -> None:
    drip = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b"x"] * 1000, pause=0.05)
    async with web_peer(drip, tls=certificates.server) as peer:
        begin = time.monotonic()
        fetcher = make_fetcher(peer.port, timeouts=Timeouts(connect=1, read=1, total=0.6))
        assert "TimeoutError" in await failed(fetcher, peer.url())
    assert 0.5 < time.monotonic() - begin < 3


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"])
async def test_c3_a_server_that_falls_silent_is_left(
    certificates: Certificates, make_fetcher: MakeFetcher, before: bytes
) -> None:
    async with web_peer(saying(before, then_wait=True), tls=certificates.server) as peer:
        fetcher = make_fetcher(peer.port, timeouts=Timeouts(connect=1, read=0.2, total=5))
        assert "ReadTimeout" in await failed(fetcher, peer.url())


async def test_c3_a_resolver_that_does_not_answer_is_left() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    fetcher = Fetcher(Rules(), resolve=never, timeouts=Timeouts(total=0.1))
    assert "TimeoutError" in await failed(fetcher, "https://files.example.com/f")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("204 No Content", FetchRefused), ("206 Partial Content", FetchRefused), ("304 Same", FetchRefused),
        ("400 Bad", FetchRefused), ("401 Who", FetchRefused), ("403 No", FetchRefused),
        ("404 Gone", FetchRefused), ("410 Gone", FetchRefused),
        ("408 Slow", FetchFailed), ("425 Early", FetchFailed), ("429 Often", FetchFailed),
        ("500 Oops", FetchFailed), ("502 Bad", FetchFailed), ("503 Busy", FetchFailed),
    ],
)  # fmt: skip
async def test_a_status_says_whether_to_come_back(
    certificates: Certificates, make_fetcher: MakeFetcher, line: str, error: type[Exception]
) -> None:
    async with web_peer(status(line), tls=certificates.server) as peer:
        with pytest.raises(error):
            await make_fetcher(peer.port).fetch(peer.url())


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"220 mail.example.com ESMTP\r\n",
        bytes(range(256)) * 10,
    ],
)
async def test_a_broken_answer_is_a_failure_and_never_half_a_file(
    certificates: Certificates, make_fetcher: MakeFetcher, said: bytes
) -> None:
    async with web_peer(saying(said), tls=certificates.server) as peer:
        await failed(make_fetcher(peer.port), peer.url())


@pytest.mark.parametrize(
    ("number", "error"),
    [(socket.EAI_NONAME, FetchRefused), (socket.EAI_AGAIN, FetchFailed)],
)
async def test_a_name_that_does_not_exist_ends_as_soon_as_one_that_is_inside(
    number: int, error: type[Exception]
) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(number, "as told")

    with pytest.raises(error):
        await Fetcher(Rules(), resolve=resolve).fetch("https://files.example.com/f")


async def test_the_rules_are_asked_again_when_a_url_is_fetched() -> None:
    assert await refused(Fetcher(Rules()), "http://files.example.com/f") == "must begin with https://"


def test_the_real_table_is_used_unless_told_otherwise() -> None:
    assert Fetcher(Rules())._is_denied is is_denied
