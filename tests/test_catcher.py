"""The development catcher, talked to by our own client, by an independent one, and by hand."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from email.message import EmailMessage

import aiosmtplib
import pytest

from postroom_server.catcher import Catcher, CaughtMail
from postroom_server.smtp import Connection, Endpoint, Envelope, TlsMode

DOTS = b"Subject: dots\r\n\r\n.\r\n..two\r\n.one\r\nlast\r\n"


@pytest.fixture
async def catcher() -> AsyncIterator[Catcher]:
    async with Catcher(lambda mail: None) as catcher:
        yield catcher


async def test_a_mail_of_our_own_client_is_kept_to_the_byte(catcher: Catcher) -> None:
    connection = Connection(Endpoint("127.0.0.1", catcher.port, tls=TlsMode.OFF))
    await connection.send(Envelope("me@a.test", ("you@b.test", "they@c.test"), DOTS))
    await connection.send(Envelope("", ("next@b.test",), b"Subject: next\r\n\r\nhi\r\n"))
    await connection.close()
    assert list(catcher.mails) == [
        CaughtMail("me@a.test", ("you@b.test", "they@c.test"), DOTS),
        CaughtMail("", ("next@b.test",), b"Subject: next\r\n\r\nhi\r\n"),
    ]
    assert [mail.message for mail in catcher.mails] == [DOTS, b"Subject: next\r\n\r\nhi\r\n"]


async def test_a_mail_of_another_client_arrives_and_is_reported(unused_port: int) -> None:
    reported: list[CaughtMail] = []
    mail = EmailMessage()
    mail["Subject"] = "你好 👋"
    mail.set_content("gr\xfc\xdfe\n.\n")
    async with Catcher(reported.append, port=unused_port) as catcher:
        assert catcher.port == unused_port
        await aiosmtplib.send(
            mail,
            sender="\xe9@a.test",
            recipients=["\xfc@b.test"],
            hostname="127.0.0.1",
            port=catcher.port,
            start_tls=False,
            mail_options=["SMTPUTF8"],
        )
    assert [(caught.sender, caught.recipients) for caught in reported] == [("\xe9@a.test", ("\xfc@b.test",))]


async def test_commands_sent_ahead_are_answered_in_order(catcher: Catcher) -> None:
    answers = await say(
        catcher,
        b"EHLO me\r\nMAIL FROM:<a@b.test> SIZE=3\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"
        b"Subject: x\r\n\r\n.\r\nRSET\r\nQUIT\r\n",
    )
    assert [answer[:3] for answer in answers if answer[3:4] == " "] == [
        *("220", "250", "250", "250", "354", "250", "250", "221")
    ]


@pytest.mark.parametrize(
    ("commands", "code"),
    [
        (b"RCPT TO:<c@d.test>\r\n", "503"),
        (b"DATA\r\n", "503"),
        (b"MAIL FROM:<a@b.test>\r\nMAIL FROM:<a@b.test>\r\n", "503"),
        (b"MAIL FROM:a@b.test\r\n", "503"),
        (b"MAIL FROM:<a@b.test>\r\nDATA\r\n", "503"),
        (b"VRFY c@d.test\r\n", "502"),
    ],
)
async def test_commands_out_of_turn_are_refused(catcher: Catcher, commands: bytes, code: str) -> None:
    answers = await say(catcher, b"EHLO me\r\n" + commands + b"QUIT\r\n")
    assert answers[-2][:3] == code
    assert not catcher.mails


async def test_a_mail_beyond_the_size_is_refused_and_the_next_one_taken() -> None:
    start = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"
    async with Catcher(lambda mail: None, max_bytes=20) as catcher:
        answers = await say(
            catcher, b"EHLO me\r\n" + start + b"x" * 30 + b"\r\n.\r\n" + start + b"small\r\n.\r\nQUIT\r\n"
        )
    assert [answer[:3] for answer in answers[-6:]] == ["552", "250", "250", "354", "250", "221"]
    assert [mail.message for mail in catcher.mails] == [b"small\r\n"]


async def test_a_taken_port_is_told(catcher: Catcher) -> None:
    with pytest.raises(OSError, match="address already in use"):
        await Catcher(lambda mail: None, port=catcher.port).__aenter__()


async def test_only_loopback_reaches_it(catcher: Catcher) -> None:
    assert catcher._server is not None
    assert {socket.getsockname()[0] for socket in catcher._server.sockets} == {"127.0.0.1"}


async def say(catcher: Catcher, commands: bytes) -> list[str]:
    """Writes everything at once and returns the lines of all answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", catcher.port)
    writer.write(commands)
    answers = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answers.decode().splitlines()


@pytest.fixture
async def unused_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port


@pytest.mark.parametrize("turns", range(8))
async def test_whoever_connects_while_it_closes_is_let_go(turns: int) -> None:
    """In the second turn Python's loop lost the connection, unclosed: the warning fails this test."""
    with socket.socket() as late:
        async with Catcher(lambda _: None) as closing:
            late.connect(("127.0.0.1", closing.port))
            for _ in range(turns):
                await asyncio.sleep(0)
        for _ in range(8):
            await asyncio.sleep(0)
        gc.collect()
