"""What a command says when the server says no, or says nothing."""

from __future__ import annotations

import socket
from datetime import timedelta

import grpc
import pytest

from peers.canned_server import CannedServer, Postroom
from postroom_server.refusals import Reason, Refusal, Violation
from postroom_server.rpc.status import RichStatus, of_bug, of_refusal

WAIT = timedelta(seconds=1.5)
TWO = (Violation("to[0]", "is no address"), Violation("subject", "holds a line\nbreak \x1b[31m"))


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (
            Refusal(Reason.INVALID_FIELD, "to[0]: is no address", violations=TWO[:1]),
            "postroom: INVALID_FIELD: to[0]: is no address\n",
        ),
        (
            Refusal(Reason.INVALID_FIELD, "to[0]: is no address (and 1 more)", violations=TWO),
            "postroom: INVALID_FIELD: to[0]: is no address (and 1 more)\n"
            "  to[0]: is no address\n  subject: holds a line break  [31m\n",
        ),
        (
            Refusal(Reason.BACKLOG_FULL, "too many wait", retry_after=WAIT),
            "postroom: BACKLOG_FULL: too many wait; try again in 1.5 s\n",
        ),
        (
            Refusal(Reason.TOKEN_INVALID, "the token is unknown"),
            "postroom: TOKEN_INVALID: the token is unknown\n",
        ),
    ],
)
def test_a_refusal_is_told_with_its_reason_and_every_violation(
    refusal: Refusal, said: str, postroom: Postroom, server: CannedServer
) -> None:
    server.answers["GetEmail"] = of_refusal(refusal)
    result = postroom("email", "show", "1")
    assert (result.stderr, result.stdout, result.exit_code) == (said, "", 1)


def test_a_fault_of_the_server_names_its_correlation_id(postroom: Postroom, server: CannedServer) -> None:
    server.answers["GetEmail"] = of_bug("c0ffee")
    result = postroom("email", "show", "1")
    assert result.stderr == "postroom: INTERNAL: internal error (correlation_id c0ffee)\n"


def test_an_answer_that_is_not_ours_is_told_by_its_code(postroom: Postroom, server: CannedServer) -> None:
    server.answers["GetEmail"] = RichStatus(grpc.StatusCode.UNKNOWN, "odd", ())
    assert postroom("email", "show", "1").stderr == "postroom: UNKNOWN: odd\n"


def test_a_server_that_is_not_there_is_one_line(postroom: Postroom, unused_target: str) -> None:
    result = postroom("email", "show", "1", "--target", unused_target)
    assert result.stderr == (
        f"postroom: nothing listens on {unused_target}; `make run` or `postroom serve` starts a server\n"
    )
    assert result.exit_code == 1


@pytest.fixture
def unused_target() -> str:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{bound.getsockname()[1]}"
