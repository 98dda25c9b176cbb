"""Unsubscribe links over HTTP: the page that asks, the POST that does it, and what neither ever tells."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import pytest
import structlog

from gateway.wire import Answer, connected, fetch, request_bytes
from postroom.v1 import suppression_pb2
from postroom_server.gateway.unsubscribe_page import CONTENT_SECURITY_POLICY
from postroom_server.remote_gateway import Target, running_gateway
from postroom_server.settings import Settings
from serving import serving
from unsubscribers import BASE, JANE, MASKED, Publisher

FORM = ("Content-Type", "application/x-www-form-urlencoded")
ONE_CLICK = b"List-Unsubscribe=One-Click"
UNSUBSCRIBED = suppression_pb2.SUPPRESSION_REASON_UNSUBSCRIBED
MULTIPART = (
    b'--sep\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--sep--\r\n'
)


class Site:
    """A publisher's gateway, in the server's process or elsewhere."""

    def __init__(self, publisher: Publisher, port: int) -> None:
        self.publisher, self.port = publisher, port

    async def get(self, path: str, method: str = "GET", *headers: tuple[str, str]) -> Answer:
        return await fetch(self.port, method, path, headers)

    async def post(self, path: str, body: bytes = ONE_CLICK, *headers: tuple[str, str]) -> Answer:
        return await fetch(self.port, "POST", path, headers or [FORM], body)


@pytest.fixture(params=["local", "remote"])
async def site(request: pytest.FixtureRequest, database: str) -> AsyncIterator[Site]:
    async with contextlib.AsyncExitStack() as stack:
        here = {"http_address": "127.0.0.1:0"}
        served = await stack.enter_async_context(serving(database, unsubscribe_base_url=BASE, **here))
        port = served.running.http_port
        if request.param == "remote":
            target = Target(f"127.0.0.1:{served.running.grpc_port}")
            port = (await stack.enter_async_context(running_gateway(Settings(**here), target))).port
        yield Site(await Publisher.of(served), port)


class Tags(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def check_page(answer: Answer) -> Tags:
    """What every page must be, whatever it says."""
    headers = answer.headers
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    assert "set-cookie" not in headers
    assert "location" not in headers
    tags = Tags(answer.text)
    names = {name for name, _ in tags.tags}
    assert not names & {"script", "img", "link", "iframe", "a", "object", "base"}
    assert not any(name.startswith("on") or name in ("src", "href") for _, made in tags.tags for name in made)
    assert tags.of("html")[0]["lang"] == headers["content-language"]
    assert tags.of("meta")[1]["content"] == "width=device-width, initial-scale=1"
    assert len(tags.of("h1")) == len(tags.of("main")) == 1
    return tags


async def test_the_page_asks_names_whom_it_is_about_and_changes_nothing(site: Site) -> None:
    path = await site.publisher.link()
    for _ in range(3):
        answer = await site.get(path)
        tags = check_page(answer)
        assert answer.status == 200
        assert MASKED in tags.text
        assert "Acme" in tags.text
        assert JANE not in answer.text
        assert tags.of("form") == [{"method": "post"}]
        assert tags.of("input") == [{"type": "hidden", "name": "List-Unsubscribe", "value": "One-Click"}]
        assert [button["type"] for button in tags.of("button")] == ["submit"]
    assert await site.publisher.listed() == []


async def test_nothing_but_a_post_unsubscribes(site: Site) -> None:
    path = await site.publisher.link()
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND", "TRACE"):
        for query in ("", "?List-Unsubscribe=One-Click", "?_method=POST"):
            answer = await site.get(path + query, method)
            expected = {"GET": 200, "HEAD": 200, "OPTIONS": 204}.get(method, 405)
            assert answer.status == expected, method
            assert answer.headers.get("allow") == (None if expected == 200 else "GET, HEAD, OPTIONS, POST")
    assert await site.publisher.listed() == []


async def test_head_says_what_get_says_without_its_body(site: Site) -> None:
    path = await site.publisher.link()
    head, get = await site.get(path, "HEAD"), await site.get(path)
    differing = {"date", "x-request-id", "content-length", "connection"}
    assert {k: v for k, v in head.headers.items() if k not in differing} == {
        k: v for k, v in get.headers.items() if k not in differing
    }


CLICKS = (
    (ONE_CLICK, "application/x-www-form-urlencoded"),
    (ONE_CLICK, "application/x-www-form-urlencoded; charset=UTF-8"),
    (b"a=b&List-Unsubscribe=One%2DClick", "application/x-www-form-urlencoded"),
    (ONE_CLICK + b"&a=" + b"x" * 4067, "application/x-www-form-urlencoded"),
    (MULTIPART, "multipart/form-data; boundary=sep"),
    (MULTIPART, 'multipart/form-data; boundary="sep"'),
)


async def test_one_click_unsubscribes_at_once(site: Site) -> None:
    for number, (body, content_type) in enumerate(CLICKS, 1):
        path = await site.publisher.link(f"r{number}@example.com")
        answer = await site.post(path, body, ("Content-Type", content_type))
        tags = check_page(answer)
        assert answer.status == 200
        assert "Unsubscribed" in tags.text
        assert tags.of("form") == []
        listed = await site.publisher.listed()
        assert (listed[0], len(listed)) == ((f"r{number}@example.com", UNSUBSCRIBED), number)


async def test_a_post_without_a_type_is_a_form(site: Site) -> None:
    path = await site.publisher.link()
    assert (await fetch(site.port, "POST", path, [], ONE_CLICK)).status == 200
    assert await site.publisher.listed() == [(JANE, UNSUBSCRIBED)]


async def test_the_pages_own_button_does_what_it_says_and_again(site: Site) -> None:
    path = await site.publisher.link()
    field = Tags((await site.get(path)).text).of("input")[0]
    body = f"{field['name']}={field['value']}".encode()
    first, again = await site.post(path, body), await site.post(path, body)
    assert (first.status, first.body) == (again.status, again.body)
    assert (await site.get(path)).body == first.body
    assert await site.publisher.listed() == [(JANE, UNSUBSCRIBED)]


async def test_cookies_and_credentials_of_whoever_posts_mean_nothing(site: Site) -> None:
    path = await site.publisher.link()
    foreign = [
        FORM,
        ("Cookie", "a=b"),
        ("Authorization", "Bearer nonsense"),
        ("Origin", "https://evil.example"),
    ]
    assert (await site.post(path, ONE_CLICK, *foreign)).status == 200
    assert await site.publisher.listed() == [(JANE, UNSUBSCRIBED)]


NO_CLICKS = (
    (b"", "application/x-www-form-urlencoded", 400),
    (b"List-Unsubscribe", "application/x-www-form-urlencoded", 400),
    (b"List-Unsubscribe=one-click", "application/x-www-form-urlencoded", 400),
    (b"x=List-Unsubscribe=One-Click", "application/x-www-form-urlencoded", 400),
    (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
    (b"&".join([b"a=1"] * 16 + [ONE_CLICK]), "application/x-www-form-urlencoded", 400),
    (ONE_CLICK, "text/plain", 400),
    (b'{"List-Unsubscribe": "One-Click"}', "application/json", 400),
    (MULTIPART, "application/x-www-form-urlencoded", 400),
    (MULTIPART[:-10], "multipart/form-data; boundary=sep", 400),
    (MULTIPART, "multipart/form-data; boundary=other", 400),
    (MULTIPART, "multipart/form-data", 400),
    (ONE_CLICK + b"&a=" + b"x" * 4068, "application/x-www-form-urlencoded", 413),
)


async def test_what_does_not_say_one_click_changes_nothing(site: Site) -> None:
    path = await site.publisher.link()
    for body, content_type, status in NO_CLICKS:
        answer = await site.post(path, body, ("Content-Type", content_type))
        check_page(answer)
        assert answer.status == status, body[:100]
    assert await site.publisher.listed() == []
    within = b"&".join([b"a=1"] * 15 + [ONE_CLICK])
    assert (await site.post(path, within)).status == 200


async def test_a_compressed_body_is_not_looked_into(site: Site) -> None:
    path = await site.publisher.link()
    assert (await site.post(path, ONE_CLICK, FORM, ("Content-Encoding", "gzip"))).status == 400


async def test_every_wrong_link_has_one_page_that_tells_nothing(site: Site) -> None:
    path = await site.publisher.link()
    wrong = [
        "/u", "/u/", "/u/x", path[:-1], path[:-4], path + "AAAA", path + "/", path + "/x", "/u/preview",
        path.replace("/u/", "/u/A"), "/u/" + "A" * 2000, "/u/%2e%2e", "/u/%00", "/u/..%2fhealthz",
        "/u/%C3%A9",
    ]  # fmt: skip
    pages = set()
    for method in ("GET", "POST"):
        for target in wrong:
            answer = await (site.get(target) if method == "GET" else site.post(target))
            check_page(answer)
            assert answer.status == 404, target
            pages.add(answer.body)
    assert len(pages) == 1
    assert await site.publisher.listed() == []


async def test_the_page_is_in_the_language_of_the_mail(site: Site) -> None:
    for language, accepted, lang, title in (
        ("en", "", "en", "Unsubscribe?"),
        ("en", "zh-CN", "en", "Unsubscribe?"),
        ("zh-CN", "", "zh-CN", "确认退订？"),
        ("zh-CN", "en-US,en;q=0.9", "zh-CN", "确认退订？"),
    ):
        path = await site.publisher.link(language=language)
        answer = await site.get(path, "GET", *([("Accept-Language", accepted)] * bool(accepted)))
        assert (answer.headers["content-language"], title in answer.text) == (lang, True)


async def test_a_page_about_no_mail_is_in_the_readers_language(site: Site) -> None:
    for accepted, title in (("zh-TW, en;q=0.5", "链接无效"), ("fr", "This link does not work")):
        assert title in (await site.get("/u/x", "GET", ("Accept-Language", accepted))).text


async def test_e8_the_log_has_no_token_of_any_link(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    path = await site.publisher.link()
    token = path.rpartition("/")[2]
    with structlog.testing.capture_logs() as logs:
        for target in (path, path + "AAAA", "/u/short"):
            await site.get(target)
            await site.post(target)
            await site.post(target, b"nothing")
            await site.get(target, "PUT")
    told = str(logs) + str(capsys.readouterr())
    assert token not in told
    assert "short" not in told
    refused = {(line["path"], line["status"]) for line in logs if line["event"] == "http"}
    assert refused >= {("/u/(token)", 404), ("/u/(token)", 400), ("/u/(token)", 405)}


async def test_the_metrics_tell_how_many_have_left(site: Site) -> None:
    path = await site.publisher.link()
    for _ in range(2):
        await site.post(path)
    await site.post(await site.publisher.link("bob@example.com"))
    served = await fetch(site.publisher.served.running.http_port, "GET", "/metrics")
    assert "\npostroom_unsubscribed_total 2.0\n" in served.text
    assert re.search(
        r'postroom_http_requests_total\{face="u",status="200"\} [1-9]', (await site.get("/metrics")).text
    )


async def test_e7_who_tries_links_is_told_to_wait(database: str) -> None:
    async with serving(
        database, unsubscribe_base_url=BASE, http_address="127.0.0.1:0", http_trusted_proxies=("127.0.0.1",)
    ) as served:
        site = Site(await Publisher.of(served), served.running.http_port)
        path = await site.publisher.link()

        async def tried(target: str, address: str) -> Answer:
            return await site.get(target, "GET", ("X-Forwarded-For", address))

        statuses = [(await tried(f"/u/{n:04}", "192.0.2.1")).status for n in range(20)]
        answer = await tried("/u/0000", "192.0.2.1")
        check_page(answer)
        assert (statuses, answer.status) == ([404] * 20, 429)
        assert int(answer.headers["retry-after"]) in range(1, 62)
        assert (await tried("/u/0000", "192.0.2.2")).status == 404
        assert (await tried(path, "192.0.2.1")).status == 200


async def test_a_server_that_is_away_is_waited_for(sqlite_database: str) -> None:
    settings = Settings(http_address="127.0.0.1:0")
    async with running_gateway(settings, Target("127.0.0.1:1")) as listener:
        answer = await fetch(listener.port, "POST", "/u/" + "A" * 92, [FORM], ONE_CLICK)
    check_page(answer)
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")


async def test_f6_a_body_that_never_ends_holds_nobody(site: Site) -> None:
    path = await site.publisher.link()
    async with connected(site.port) as wire:
        wire.send(request_bytes("POST", path, [FORM, ("Content-Length", "26")], ONE_CLICK[:10]))
        wire.end()
        await wire.rest()
    assert await site.publisher.listed() == []
