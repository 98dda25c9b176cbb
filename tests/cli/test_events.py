"""`postroom events tail`: the stream, and its resumption."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from peers.canned_server import CannedServer, Postroom, abort
from postroom.v1 import event_pb2
from postroom.v1.email_service_pb2 import Heartbeat, WatchEventsRequest, WatchEventsResponse
from postroom_server.refusals import Reason, Refusal
from postroom_server.rpc.status import of_refusal


def event(cursor: str, **fields: Any) -> WatchEventsResponse:
    kind = event_pb2.EVENT_KIND_EMAIL_SETTLED
    return WatchEventsResponse(
        event=event_pb2.Event(cursor=cursor, kind=kind, time=Timestamp(seconds=1), **fields)
    )


def test_events_are_lines(postroom: Postroom, server: CannedServer) -> None:
    server.answers["WatchEvents"] = lambda request, context: iter(
        [
            WatchEventsResponse(heartbeat=Heartbeat(cursor="c0")),
            event("c1", email_id=42, email_state="EMAIL_STATE_SUCCESS", out_id="mine", code=250),
            event("c2", email_id=43),
        ]
    )
    result = postroom("events", "tail", "--count", "2")
    first, second = result.stdout.splitlines()
    assert first.split()[2:] == ["EMAIL_SETTLED", "42", "SUCCESS", "250", "out_id=mine"]
    assert second.split()[2:] == ["EMAIL_SETTLED", "43"]
    assert server.asked("WatchEvents") == WatchEventsRequest(from_latest=True, filter=event_pb2.EventFilter())


def test_filters_and_start_are_asked_for(postroom: Postroom, server: CannedServer) -> None:
    server.answers["WatchEvents"] = lambda request, context: iter([event("c1", email_id=7)])
    arguments = ("--email", "7", "--kind", "email_settled", "--kind", "EMAIL_ACCEPTED")
    result = postroom("events", "tail", "--from-start", "--json", "--count", "1", *arguments)
    assert json.loads(result.stdout)["emailId"] == "7"
    request = server.asked("WatchEvents")
    assert not request.from_latest
    assert list(request.filter.kinds) == [
        event_pb2.EVENT_KIND_EMAIL_SETTLED,
        event_pb2.EVENT_KIND_EMAIL_ACCEPTED,
    ]
    assert list(request.filter.email_ids) == [7]


def test_a_broken_stream_is_resumed_where_it_was(
    postroom: Postroom, server: CannedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom_server.cli.events._RECONNECT_SECONDS", 0)

    def watch(request: WatchEventsRequest, context: grpc.ServicerContext) -> Iterator[WatchEventsResponse]:
        if request.cursor:
            yield event("c2", email_id=2)
            return
        yield event("c1", email_id=1)
        abort(context, of_refusal(Refusal(Reason.SHUTTING_DOWN, "the server is shutting down")))

    server.answers["WatchEvents"] = watch
    result = postroom("events", "tail", "--count", "2")
    assert [line.split()[3] for line in result.stdout.splitlines()] == ["1", "2"]
    assert "SHUTTING_DOWN" in result.stderr
    assert [(request.cursor, request.from_latest) for _, request in server.requests] == [
        ("", True),
        ("c1", False),
    ]


def test_a_stream_that_never_began_is_a_failure(postroom: Postroom, server: CannedServer) -> None:
    refusal = Refusal(Reason.CURSOR_EXPIRED, "the cursor is old")
    server.answers["WatchEvents"] = of_refusal(refusal)
    result = postroom("events", "tail", "--cursor", "old")
    assert (result.exit_code, result.stderr) == (
        1,
        "postroom: CURSOR_EXPIRED: the cursor is old\n",
    )
