"""`postroom send`: what is asked for, and what is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict

from peers.canned_server import CannedServer, Postroom
from postroom.v1.email_service_pb2 import EmailPreview, PreviewCopy, SendEmailRequest, SendEmailResponse


@pytest.fixture(autouse=True)
def _accepts(server: CannedServer) -> None:
    server.answers["SendEmail"] = SendEmailResponse(id=42)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (
            [
                "--to",
                "a@x.test",
                "--to",
                "b@x.test",
                "--cc",
                "c@x.test",
                "--subject",
                "Hi",
                "--text",
                "words",
            ],
            {
                "to": ["a@x.test", "b@x.test"],
                "cc": ["c@x.test"],
                "subject": "Hi",
                "custom": {"text": "words"},
            },
        ),
        (
            [
                "--to",
                "a@x.test",
                "--html",
                "<p>x</p>",
                "--request-id",
                "r1",
                "--urgent",
                "--from",
                "me@x.test",
            ],
            {
                "to": ["a@x.test"],
                "custom": {"html": "<p>x</p>"},
                "requestId": "r1",
                "urgent": True,
                "fromAddress": "me@x.test",
            },
        ),
        (
            ["--to", "a@x.test", "--template", "welcome", "--param", "name=Ada", "--param", "sum=1=1"],
            {
                "to": ["a@x.test"],
                "template": {"invokeName": "welcome", "params": {"name": "Ada", "sum": "1=1"}},
            },
        ),
        (
            [
                "--to",
                "a@x.test",
                "--biz-key",
                "SIGNUP",
                "--params-json",
                '{"n": 1, "l": [true]}',
                "--param",
                "n=2",
            ],
            {"to": ["a@x.test"], "bizKey": "SIGNUP", "template": {"params": {"n": "2", "l": [True]}}},
        ),
    ],
)
def test_options_become_the_request(
    arguments: list[str], wanted: dict[str, object], postroom: Postroom, server: CannedServer
) -> None:
    result = postroom("send", *arguments)
    assert (result.stdout, result.stderr, result.exit_code) == ("42\n", "", 0)
    assert MessageToDict(server.asked("SendEmail")) == wanted
    assert server.metadata[0]["authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ALL", {"type": "AUDIENCE_TYPE_ALL"}),
        ("tenant", {"type": "AUDIENCE_TYPE_TENANT"}),
        ("DEPT:10, 11,", {"type": "AUDIENCE_TYPE_DEPT", "objectIds": ["10", "11"]}),
        ("policy:VIP,7", {"type": "AUDIENCE_TYPE_POLICY", "policyCodes": ["VIP", "7"]}),
        ("TO_POLICY:A:B", {"type": "AUDIENCE_TYPE_TO_POLICY", "policyCodes": ["A:B"]}),
    ],
)
def test_an_audience_is_a_type_and_whom_it_names(
    text: str, wanted: dict[str, object], postroom: Postroom, server: CannedServer
) -> None:
    assert postroom("send", "--audience", text, "--subject", "s", "--text", "x").exit_code == 0
    assert MessageToDict(server.asked("SendEmail").audience) == wanted


def test_bodies_come_from_files_and_standard_input(postroom: Postroom, server: CannedServer) -> None:
    Path("body.html").write_text("<p>你好</p>\n", encoding="utf-8")
    result = postroom(
        *("send", "--to", "a@x.test", "--subject", "s", "--html", "@body.html", "--text", "-"),
        input="gr\xfc\xdfe\n",
    )
    assert result.exit_code == 0
    custom = server.asked("SendEmail").custom
    assert (custom.html, custom.text) == ("<p>你好</p>\n", "gr\xfc\xdfe\n")


def test_files_are_attached_with_their_names_and_types(postroom: Postroom, server: CannedServer) -> None:
    Path("报告.pdf").write_bytes(b"%PDF")
    Path("dump.sql.gz").write_bytes(b"\x1f\x8b")
    postroom(*("send", "--to", "a@x.test", "--text", "x", "--attach", "报告.pdf", "--attach", "dump.sql.gz"))
    attached = server.asked("SendEmail").attachments
    assert [(one.name, one.content, one.content_type) for one in attached] == [
        ("报告.pdf", b"%PDF", "application/pdf"),
        ("dump.sql.gz", b"\x1f\x8b", ""),
    ]


@pytest.mark.parametrize("text", ["2027-01-31T09:00:00+01:00", "2027-01-31T08:00:00Z"])
def test_a_time_to_send_is_a_point_in_time(text: str, postroom: Postroom, server: CannedServer) -> None:
    postroom("send", "--to", "a@x.test", "--text", "x", "--schedule", text)
    assert server.asked("SendEmail").schedule_time.ToDatetime(UTC) == datetime(2027, 1, 31, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ahead"),
    [
        ("+90s", timedelta(seconds=90)),
        ("+10m", timedelta(minutes=10)),
        ("+1.5h", timedelta(hours=1.5)),
        ("+2d", timedelta(days=2)),
    ],
)
def test_a_time_to_send_is_counted_from_now(
    text: str, ahead: timedelta, postroom: Postroom, server: CannedServer
) -> None:
    before = datetime.now(UTC)
    postroom("send", "--to", "a@x.test", "--text", "x", "--schedule", text)
    sent = server.asked("SendEmail").schedule_time.ToDatetime(UTC)
    assert before + ahead <= sent <= datetime.now(UTC) + ahead


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--to", "a@x.test"],
        ["--text", "x"],
        ["--to", "a@x.test", "--audience", "ALL", "--text", "x"],
        ["--audience", "EVERYBODY", "--text", "x"],
        ["--audience", "", "--text", "x"],
        ["--audience", "DEPT:ten", "--text", "x"],
        ["--to", "a@x.test", "--text", "x", "--template", "t"],
        ["--to", "a@x.test", "--text", "x", "--param", "a=b"],
        ["--to", "a@x.test", "--template", "t", "--param", "novalue"],
        ["--to", "a@x.test", "--template", "t", "--params-json", "[1]"],
        ["--to", "a@x.test", "--template", "t", "--params-json", "{"],
        ["--to", "a@x.test", "--text", "@missing"],
        ["--to", "a@x.test", "--text", "x", "--attach", "missing"],
        ["--to", "a@x.test", "--text", "x", "--schedule", "tomorrow"],
        ["--to", "a@x.test", "--text", "x", "--schedule", "+1w"],
    ],
)
def test_wrong_usage_is_refused_before_anything_is_sent(
    arguments: list[str], postroom: Postroom, server: CannedServer
) -> None:
    result = postroom("send", *arguments)
    assert result.exit_code == 2
    assert result.stderr
    assert not server.requests


def test_a_replay_and_suppressed_addresses_are_told(postroom: Postroom, server: CannedServer) -> None:
    server.answers["SendEmail"] = SendEmailResponse(id=7, replayed=True, suppressed_addresses=["b@x.test"])
    result = postroom("send", "--to", "b@x.test", "--text", "x", "--request-id", "r")
    assert result.stdout == "7\n"
    assert "no second email" in result.stderr
    assert "b@x.test is on the suppression list" in result.stderr


def test_a_preview_prints_the_bytes_that_would_leave(postroom: Postroom, server: CannedServer) -> None:
    def preview(request: SendEmailRequest, _: object) -> SendEmailResponse:
        assert request.validate_only
        return SendEmailResponse(
            preview=EmailPreview(copies=[PreviewCopy(message=b"Subject: x\r\n\r\ny\r\n")])
        )

    server.answers["SendEmail"] = preview
    result = postroom("send", "--to", "b@x.test", "--text", "y", "--validate-only")
    assert result.stdout_bytes == b"Subject: x\r\n\r\ny\r\n"
