"""What `postroom dev` shows of a mail that it caught."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from postroom_server.catcher import CaughtMail
from postroom_server.cli.dev_screen import show_mail


def shown(message: EmailMessage | bytes, capsys: pytest.CaptureFixture[str]) -> str:
    data = message if isinstance(message, bytes) else message.as_bytes()
    show_mail(CaughtMail("bounces@x.test", ("a@x.test", "hidden@x.test"), data))
    return capsys.readouterr().out


@pytest.fixture
def message() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Me <me@x.test>"
    message["To"] = "a@x.test"
    message["Subject"] = "欢迎 👋"
    message.set_content("first line\nsecond 你好\n")
    return message


def test_a_mail_is_shown_decoded(message: EmailMessage, capsys: pytest.CaptureFixture[str]) -> None:
    message.add_alternative("<p>html</p>", subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="报告.pdf")
    screen = shown(message, capsys)
    for part in ("Me <me@x.test>", "欢迎 👋", "second 你好", "报告.pdf", f"{len(message.as_bytes())} bytes"):
        assert part in screen
    assert "bounces@x.test to a@x.test, hidden@x.test" in screen
    assert "<p>" not in screen


def test_a_long_text_is_cut(message: EmailMessage, capsys: pytest.CaptureFixture[str]) -> None:
    message.set_content("\n".join(f"line {number}" for number in range(100)))
    screen = shown(message, capsys)
    assert "line 11" in screen
    assert "…" in screen
    assert "line 12" not in screen


def test_html_is_shown_where_there_is_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert "<b>x</b>" in shown(b"Content-Type: text/html\r\n\r\n<b>x</b>\r\n", capsys)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\r\n\r\n",
        b"Subject: \x1b[2J[red]x\r\n\r\n\x1b[2J\r\n",
        b"Content-Type: text/plain; charset=nonsense\r\n\r\nx\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\nno parts\r\n",
        b"To: \xff\xfe <<\r\nFrom: @@\r\n\r\nx\r\n",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!\r\n",
        b"Content-Type: image/png\r\n\r\n\x89PNG\r\n",
    ],
)
def test_anything_that_arrives_can_be_shown(message: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    screen = shown(message, capsys)
    assert "caught" in screen
    assert "\x1b" not in screen
