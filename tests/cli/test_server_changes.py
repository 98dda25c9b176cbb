"""`postroom server update|enable|disable|remove`."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from peers.canned_server import CannedServer, Postroom
from postroom.v1.mail_server_pb2 import MailServer
from postroom.v1.mail_server_service_pb2 import DeleteMailServerResponse, UpdateMailServerResponse

CHANGED = MailServer(id=5, name="hub", host="smtp.x.test", port=587, state="MAIL_SERVER_STATE_DISABLED")


@pytest.mark.parametrize(
    ("arguments", "wanted", "mask"),
    [
        (["update", "5", "--host", "h", "--port", "0"], {"host": "h"}, "host,port"),
        (
            ["update", "5", "--tls-mode", "implicit", "--auth", "login"],
            {"tlsMode": "TLS_MODE_IMPLICIT", "authMechanism": "AUTH_MECHANISM_LOGIN"},
            "authMechanism,tlsMode",
        ),
        (
            ["update", "5", "--username", "me", "--password", "p"],
            {"username": "me", "password": "p", "authMechanism": "AUTH_MECHANISM_AUTO"},
            "authMechanism,password,username",
        ),
        (
            ["update", "5", "--username", "", "--password", ""],
            {"authMechanism": "AUTH_MECHANISM_NONE"},
            "authMechanism,password,username",
        ),
        (["update", "5", "--allow", "@x.test"], {"allowedSenders": ["@x.test"]}, "allowedSenders"),
        (["update", "5", "--allow-all"], {}, "allowedSenders"),
        (["update", "5", "--ask-password"], {"password": "from outside"}, "password"),
        (["enable", "5"], {"state": "MAIL_SERVER_STATE_ENABLED"}, "state"),
        (["disable", "5"], {"state": "MAIL_SERVER_STATE_DISABLED"}, "state"),
    ],
)
def test_what_is_named_is_changed_and_nothing_else(
    arguments: list[str], wanted: dict[str, Any], mask: str, postroom: Postroom, canned: CannedServer
) -> None:
    canned.answers["UpdateMailServer"] = UpdateMailServerResponse(mail_server=CHANGED)
    result = postroom("server", *arguments, env={"POSTROOM_SMTP_PASSWORD": "from outside"})
    assert (result.stdout, result.stderr) == ("server 5 is hub, smtp.x.test:587, DISABLED\n", "")
    asked = MessageToDict(canned.asked("UpdateMailServer"))
    assert asked == {"mailServer": {"id": "5", **wanted}, "updateMask": mask}


def test_a_platform_server_is_changed_as_such(postroom: Postroom, canned: CannedServer) -> None:
    canned.answers["UpdateMailServer"] = UpdateMailServerResponse(mail_server=CHANGED)
    postroom("server", "enable", "5", "--platform")
    assert canned.asked("UpdateMailServer").HasField("tenant_id")


def test_no_change_is_wrong_usage(postroom: Postroom, canned: CannedServer) -> None:
    assert postroom("server", "update", "5").exit_code == 2
    assert not canned.requests


def test_a_server_is_removed(postroom: Postroom, canned: CannedServer) -> None:
    canned.answers["DeleteMailServer"] = DeleteMailServerResponse()
    assert postroom("server", "remove", "5").stdout == "server 5 is removed\n"
    assert canned.asked("DeleteMailServer").id == 5


@pytest.fixture
def canned(server: CannedServer) -> CannedServer:
    return server
