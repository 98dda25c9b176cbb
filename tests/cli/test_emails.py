"""`postroom email list|show`: what is asked for, and what is shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from peers.canned_server import CannedServer, Postroom
from postroom.v1 import attempt_pb2, audience_pb2, email_pb2, recipient_pb2
from postroom.v1.email_service_pb2 import GetEmailResponse, ListEmailsResponse

NOON = Timestamp(seconds=int(datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()))
EMAIL = email_pb2.Email(
    id=42,
    state="EMAIL_STATE_FAILURE",
    failure_message="1 of 2 recipients not delivered: 1 refused",
    subject="Hi [bold]there[/bold] \x1b[2J:smile:",
    from_address="me@x.test",
    from_name="Me",
    to=["a@x.test"],
    cc=["b@x.test"],
    accept_time=NOON,
    recipients=[
        recipient_pb2.Recipient(
            address="a@x.test",
            role="RECIPIENT_ROLE_TO",
            state="RECIPIENT_STATE_DELIVERED",
            code=250,
            enhanced_code="2.0.0",
            reply="2.0.0 queued as 1",
            tries=1,
        ),
        recipient_pb2.Recipient(
            address="b@x.test",
            role="RECIPIENT_ROLE_CC",
            state="RECIPIENT_STATE_REFUSED",
            code=550,
            enhanced_code="5.1.1",
            reply="who?",
        ),
    ],
    attempts=[
        attempt_pb2.Attempt(
            outcome="ATTEMPT_OUTCOME_DELIVERED",
            phase="SMTP_PHASE_DOT",
            server_name="hub",
            tls_version="TLSv1.3",
            code=250,
            reply="2.0.0 queued as 1",
            start_time=NOON,
        )
    ],
)


def test_the_newest_email_is_shown_without_its_id(postroom: Postroom, server: CannedServer) -> None:
    server.answers["ListEmails"] = ListEmailsResponse(emails=[EMAIL])
    server.answers["GetEmail"] = GetEmailResponse(email=EMAIL)
    assert "me@x.test" in postroom("email", "show", "--last").stdout
    assert server.asked("GetEmail").id == 42


def test_without_any_email_there_is_no_newest(postroom: Postroom, server: CannedServer) -> None:
    server.answers["ListEmails"] = ListEmailsResponse()
    assert postroom("email", "show", "--last").stderr == "postroom: there is no email yet\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ID"], "ID stands for the number that `postroom send` printed"),
        ([], "name one email"),
        (["42", "--last"], "name one email"),
    ],
)
def test_an_email_that_is_not_named_is_wrong_usage(
    arguments: list[str], said: str, postroom: Postroom
) -> None:
    result = postroom("email", "show", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_templates_subject_is_marked_as_such(postroom: Postroom, server: CannedServer) -> None:
    emails = [
        email_pb2.Email(id=42, subject="Welcome, %name%", invoke_name="welcome"),
        email_pb2.Email(id=43, subject="News", invoke_name="welcome"),
        email_pb2.Email(id=44, subject="%name%"),
    ]
    server.answers["ListEmails"] = ListEmailsResponse(emails=emails)
    lines = postroom("email", "list").stdout.splitlines()[1:]
    ends = ["%name% (template welcome)", " News", " %name%"]
    assert [line.rstrip().endswith(end) for line, end in zip(lines, ends, strict=True)] == [True] * 3


def test_an_email_is_shown_with_recipients_attempts_and_replies(
    postroom: Postroom, server: CannedServer
) -> None:
    server.answers["GetEmail"] = GetEmailResponse(email=EMAIL)
    result = postroom("email", "show", "42")
    assert server.asked("GetEmail").id == 42
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    noon = NOON.ToDatetime(UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    for line in (
        "state FAILURE",
        "failure 1 of 2 recipients not delivered: 1 refused",
        "from Me <me@x.test>",
        f"accepted {noon}",
        "a@x.test DELIVERED 250 2.0.0 queued as 1 1",
        "b@x.test (cc) REFUSED 550 5.1.1 who? 0",
        f"{noon} DELIVERED DOT hub TLSv1.3 250 2.0.0 queued as 1",
    ):
        assert line in lines


def test_what_others_wrote_is_neither_markup_nor_escape(postroom: Postroom, server: CannedServer) -> None:
    server.answers["GetEmail"] = GetEmailResponse(email=EMAIL)
    result = postroom("email", "show", "42")
    assert "Hi [bold]there[/bold]  [2J:smile:" in result.stdout
    assert "\x1b" not in result.stdout


def test_an_email_is_json_for_programs(postroom: Postroom, server: CannedServer) -> None:
    server.answers["GetEmail"] = GetEmailResponse(email=EMAIL)
    shown = json.loads(postroom("email", "show", "42", "--json").stdout)
    assert (shown["id"], shown["state"]) == ("42", "EMAIL_STATE_FAILURE")


def test_emails_are_listed_by_filters(postroom: Postroom, server: CannedServer) -> None:
    server.answers["ListEmails"] = ListEmailsResponse(
        emails=[EMAIL], total_size=10_000, total_is_lower_bound=True
    )
    result = postroom("email", "list", "--state", "failure", "--to", "a@x.test", "--limit", "5")
    request = server.asked("ListEmails")
    assert request.page_size == 5
    assert [(one.field, one.operator, list(one.values)) for one in request.filters] == [
        ("state", 1, ["FAILURE"]),
        ("recipient_address", 1, ["a@x.test"]),
    ]
    assert result.stdout.splitlines()[1].split()[:2] == ["42", "FAILURE"]
    assert "a@x.test +1" in result.stdout
    assert result.stderr == "1 of 10000+\n"


def _to_audience(**progress: object) -> email_pb2.Email:
    shown = email_pb2.Email()
    shown.CopyFrom(EMAIL)
    shown.ClearField("to")
    shown.audience.type = audience_pb2.AUDIENCE_TYPE_POLICY
    shown.audience.object_ids.extend([7, 8])
    shown.audience.policy_codes.extend(["VIP", "OLD", "A", "B"])
    shown.audience_progress.CopyFrom(audience_pb2.AudienceProgress(**progress))  # type: ignore[arg-type]
    return shown


def test_an_audience_is_shown_with_its_progress(postroom: Postroom, server: CannedServer) -> None:
    server.answers["GetEmail"] = GetEmailResponse(email=_to_audience(found=500, queued=500, done=20))
    result = postroom("email", "show", "42")
    assert "POLICY 7, 8, VIP, OLD, A and 1 more" in result.stdout
    assert "500 found so far, 20 settled" in result.stdout
    complete = _to_audience(
        found=501, done=501, complete=True, unknown_object_ids=[8], unknown_policy_codes=["OLD"]
    )
    server.answers["GetEmail"] = GetEmailResponse(email=complete)
    assert "501 found, 501 settled, nobody in 8, OLD" in postroom("email", "show", "42").stdout


def test_a_list_names_the_audience_in_the_place_of_addresses(
    postroom: Postroom, server: CannedServer
) -> None:
    server.answers["ListEmails"] = ListEmailsResponse(emails=[_to_audience()], total_size=1)
    assert "POLICY 7, 8, VIP, OLD, A and 1 more +1" in postroom("email", "list").stdout
