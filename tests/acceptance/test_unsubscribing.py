"""A reader leaves a mailing list as mail programs do it: by the header of a received mail, over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import http.client
import urllib.parse
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.smtp import Envelope

from acceptance.world import LeapingClock
from postroom.v1 import email_pb2, recipient_pb2
from postroom_server.clock import HOUR
from postroom_server.remote_gateway import Target, running_gateway
from postroom_server.settings import Settings
from serving import Served, serving
from smtp.test_oracle import Inbox, aiosmtpd
from unsubscribers import JANE, MASKED, Publisher

pytestmark = pytest.mark.every_database


class Reader:
    """What arrives in a mailbox, and the header that its owner's mail program acts on."""

    def __init__(self, inbox: Inbox, served: Served) -> None:
        self._inbox, self._served = inbox, served
        self._read = 0

    async def next(self) -> EmailMessage:
        await self._served.until(lambda: len(self._inbox.received) > self._read)
        received: Envelope = self._inbox.received[self._read]
        self._read += 1
        content = cast(bytes, received.original_content)
        return cast(EmailMessage, email.message_from_bytes(content, policy=email.policy.default))


@contextlib.asynccontextmanager
async def everything(
    database: str, folder: Path, inbox: Inbox | None = None, **options: Any
) -> AsyncIterator[tuple[Publisher, Reader, str]]:
    """A server, a gateway in front of it whose address its links have, and another's SMTP server."""
    inbox, socket = inbox or Inbox(), f"unix:{folder}/grpc"
    async with contextlib.AsyncExitStack() as stack:
        gateway = running_gateway(Settings(http_address="127.0.0.1:0"), Target(socket))
        base = f"http://127.0.0.1:{(await stack.enter_async_context(gateway)).port}"
        port = await stack.enter_async_context(aiosmtpd(inbox))
        served = await stack.enter_async_context(
            serving(database, grpc_address=socket, unsubscribe_base_url=base, **options)
        )
        yield await Publisher.of(served, port=port), Reader(inbox, served), base


def link_of(message: EmailMessage) -> str:
    """As RFC 8058 §4 has receivers do it: both headers once each, one https or http URI in brackets."""
    (post,) = message.get_all("List-Unsubscribe-Post", [])
    (link,) = message.get_all("List-Unsubscribe", [])
    assert str(post) == "List-Unsubscribe=One-Click"
    return str(link).removeprefix("<").removesuffix(">")


def ask(link: str, form: str = "") -> tuple[int, bool, str]:
    """Status, whether a cookie was set, and text; a form is posted. Follows no redirect."""
    place = urllib.parse.urlsplit(link)
    line = http.client.HTTPConnection(place.netloc, timeout=10)
    try:
        headers = {"Content-Type": "multipart/form-data; boundary=b"} if form else {}
        line.request("POST" if form else "GET", place.path, form or None, headers)
        answer = line.getresponse()
        return answer.status, "Set-Cookie" in answer.headers, answer.read().decode()
    finally:
        line.close()


# multipart/form-data, as RFC 8058 §3.1 would have it
ONE_CLICK = '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'


async def test_one_click_ends_the_mailings_and_leaves_the_receipts(database: str, tmp_path: Path) -> None:
    async with everything(database, tmp_path) as (publisher, reader, base):
        await publisher.send("news")
        news = await reader.next()
        link = link_of(news)
        assert link.startswith(f"{base}/u/")
        body = cast(Any, news.get_body(("plain",)))
        assert link in body.get_content()

        status, _, page = await asyncio.to_thread(ask, link)
        assert (status, MASKED in page, JANE in page) == (200, True, False)
        assert (await publisher.send("news")).suppressed_addresses == []
        assert link_of(await reader.next()) != link

        status, sets_cookie, _ = await asyncio.to_thread(ask, link, ONE_CLICK)
        assert (status, sets_cookie) == (200, False)

        stopped = await publisher.send("news")
        assert list(stopped.suppressed_addresses) == [JANE]
        await publisher.send("receipt")
        assert (await reader.next())["Subject"] == "receipt"
        told = await publisher.call("EmailService.GetEmail", id=stopped.id, view=email_pb2.EMAIL_VIEW_DETAIL)
        assert told.email.state == email_pb2.EMAIL_STATE_FAILURE
        assert [one.state for one in told.email.recipients] == [recipient_pb2.RECIPIENT_STATE_SUPPRESSED]

        await publisher.call("SuppressionService.RemoveSuppressions", addresses=[JANE])
        await publisher.send("news")
        assert (await reader.next())["Subject"] == "news"


class Hesitant(Inbox):
    """Puts the first mail off."""

    def __init__(self) -> None:
        super().__init__()
        self.tries: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, received: Envelope) -> str:  # noqa: N802
        self.tries.append(cast(bytes, received.original_content))
        if len(self.tries) == 1:
            return "451 4.3.0 come again"
        return await super().handle_DATA(server, session, received)


async def test_a_mail_that_was_put_off_comes_with_the_same_bytes(
    database: str, tmp_path: Path, clock: LeapingClock
) -> None:
    inbox = Hesitant()
    async with everything(database, tmp_path, inbox, clock=clock) as (publisher, reader, _):
        await publisher.send("news")
        await publisher.served.until(lambda: len(inbox.tries) == 1)
        clock.leap(HOUR)
        await reader.next()
        assert len(inbox.tries) == 2
        assert inbox.tries[0] == inbox.tries[1]
        assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in inbox.tries[0]
