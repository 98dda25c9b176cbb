"""`postroom server add|list|test`."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import MessageToDict

from peers.canned_server import CannedServer, Postroom
from postroom.v1.email_service_pb2 import SendTestEmailResponse
from postroom.v1.mail_server_pb2 import MailServer
from postroom.v1.mail_server_service_pb2 import CreateMailServerResponse, ListMailServersResponse

SERVER = MailServer(
    id=5,
    name="hub",
    host="smtp.x.test",
    port=587,
    tls_mode="TLS_MODE_REQUIRED",
    username="me",
    state="MAIL_SERVER_STATE_ENABLED",
    breaker={"state": "BREAKER_STATE_CLOSED"},
)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (
            ["--host", "smtp.x.test", "--username", "me", "--password", "p", "--allow", "@x.test"],
            {
                "mailServer": {
                    "name": "hub",
                    "host": "smtp.x.test",
                    "tlsMode": "TLS_MODE_REQUIRED",
                    "username": "me",
                    "password": "p",
                    "allowedSenders": ["@x.test"],
                }
            },
        ),
        (
            ["--host", "h", "--port", "2525", "--tls-mode", "off", "--auth", "none", "--platform"],
            {
                "mailServer": {
                    "name": "hub",
                    "host": "h",
                    "port": 2525,
                    "tlsMode": "TLS_MODE_OFF",
                    "authMechanism": "AUTH_MECHANISM_NONE",
                },
                "tenantId": "0",
            },
        ),
    ],
)
def test_options_become_the_request(
    arguments: list[str], wanted: dict[str, object], postroom: Postroom, server: CannedServer
) -> None:
    server.answers["CreateMailServer"] = CreateMailServerResponse(mail_server=SERVER)
    result = postroom("server", "add", "hub", *arguments)
    assert (result.stdout, result.exit_code) == ("5\n", 0)
    assert MessageToDict(server.asked("CreateMailServer")) == wanted


def test_without_a_terminal_nobody_is_asked_for_a_password(postroom: Postroom, server: CannedServer) -> None:
    result = postroom("server", "add", "hub", "--host", "h", "--username", "me", input="s3cret\n")
    assert result.stderr == (
        "postroom: there is no terminal to ask for a password: set POSTROOM_SMTP_PASSWORD\n"
    )
    assert not server.requests


def test_a_password_is_asked_for_and_not_shown(
    postroom: Postroom, server: CannedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom_server.cli.servers.has_terminal", lambda: True)
    server.answers["CreateMailServer"] = CreateMailServerResponse(mail_server=SERVER)
    result = postroom("server", "add", "hub", "--host", "h", "--username", "me", input="s3cret\n")
    assert server.asked("CreateMailServer").mail_server.password == "s3cret"
    assert "s3cret" not in result.output


def test_servers_are_listed(postroom: Postroom, server: CannedServer) -> None:
    server.answers["ListMailServers"] = ListMailServersResponse(mail_servers=[SERVER])
    lines = postroom("server", "list").stdout.splitlines()
    assert lines[1].split() == ["5", "hub", "smtp.x.test:587", "REQUIRED", "me", "ENABLED", "CLOSED"]


@pytest.mark.parametrize(
    ("answer", "stdout", "stderr", "exit_code"),
    [
        (
            SendTestEmailResponse(ok=True, phase="SMTP_PHASE_DOT", code=250, reply="2.0.0 ok", email_id=9),
            "taken: 250 2.0.0 ok (email 9)\n",
            "",
            0,
        ),
        (
            SendTestEmailResponse(
                phase="SMTP_PHASE_AUTH", code=535, enhanced_code="5.7.8", reply="no", email_id=9
            ),
            "",
            "postroom: failed at AUTH: 535 5.7.8 no (email 9)\n",
            1,
        ),
        (
            SendTestEmailResponse(phase="SMTP_PHASE_CONNECT", reply="refused", email_id=9),
            "",
            "postroom: failed at CONNECT: refused (email 9)\n",
            1,
        ),
        (
            SendTestEmailResponse(
                phase="SMTP_PHASE_STARTTLS", reply="TLS: certificate refused: self-signed", email_id=9
            ),
            "",
            "postroom: failed at STARTTLS: TLS: certificate refused: self-signed (email 9); "
            "the server's setting smtp_ca_file (POSTROOM_SMTP_CA_FILE) names authorities of your own\n",
            1,
        ),
    ],
)
def test_a_test_tells_what_the_server_replied(
    answer: SendTestEmailResponse,
    stdout: str,
    stderr: str,
    exit_code: int,
    postroom: Postroom,
    server: CannedServer,
) -> None:
    server.answers["SendTestEmail"] = answer
    result = postroom("server", "test", "5", "--to", "a@x.test", "--timeout", "7")
    assert (result.stdout, result.stderr, result.exit_code) == (stdout, stderr, exit_code)
    request = server.asked("SendTestEmail")
    assert (request.server_id, list(request.to), request.timeout.seconds) == (5, ["a@x.test"], 7)
