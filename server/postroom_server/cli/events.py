"""`postroom events tail`: the history as it happens."""

from __future__ import annotations

import time

import click
import grpc

from postroom.v1 import (
    attempt_pb2,
    email_pb2,
    email_service_pb2,
    email_service_pb2_grpc,
    event_pb2,
    recipient_pb2,
)
from postroom_server.cli import display
from postroom_server.cli.connection import Connection, connected
from postroom_server.cli.failure import of_call

_RECONNECT_SECONDS = 1.0
_GOES_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_KINDS = tuple(display.word(event_pb2.EventKind, value) for value in event_pb2.EventKind.values() if value)


@click.group()
def events() -> None:
    """Follows what happens to emails."""


@events.command()
@click.option("--from-start", is_flag=True, help="Begins with the oldest event that is kept.")
@click.option("--cursor", default="", help="Goes on after this position.")
@click.option("--email", "email_ids", multiple=True, type=click.IntRange(1), help="About this email only.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(_KINDS, case_sensitive=False),
    help="Of this kind only.",
)
@click.option("--count", type=click.IntRange(1), help="Stops after so many events.")
@click.option("--json", "as_json", is_flag=True, help="Prints each event as a line of JSON.")
@connected
def tail(
    connection: Connection,
    *,
    from_start: bool,
    cursor: str,
    email_ids: tuple[int, ...],
    kinds: tuple[str, ...],
    count: int | None,
    as_json: bool,
) -> None:
    """Prints events as they happen, until interrupted.

    When the server goes away it waits for its return and resumes where it was.
    """
    if from_start and cursor:
        raise click.UsageError("--from-start cannot stand beside --cursor")
    request = email_service_pb2.WatchEventsRequest(
        cursor=cursor,
        from_latest=not from_start and not cursor,
        filter=event_pb2.EventFilter(
            kinds=[f"EVENT_KIND_{kind.upper()}" for kind in kinds], email_ids=email_ids
        ),
    )
    stub = connection.stub(email_service_pb2_grpc.EmailServiceStub)
    printed = 0
    while True:
        try:
            for message in stub.WatchEvents(request):
                request.from_latest = False
                request.cursor = message.event.cursor or message.heartbeat.cursor
                if message.HasField("event"):
                    _print(message.event, as_json)
                    printed += 1
                    if printed == count:
                        return
        except grpc.RpcError as error:
            # Before the first answer there is nothing to resume: the caller should know at once.
            if error.code() not in _GOES_AWAY or not request.cursor:
                raise
            click.echo(f"postroom: {of_call(error)}; trying again", err=True)
            time.sleep(_RECONNECT_SECONDS)


def _print(event: event_pb2.Event, as_json: bool) -> None:
    if as_json:
        click.echo(display.json_line_of(event))
        return
    code = " ".join(part for part in (str(event.code or ""), event.enhanced_code) if part)
    words = (
        display.time(event, "time"),
        f"{display.word(event_pb2.EventKind, event.kind):<18}",
        str(event.email_id or ""),
        display.word(email_pb2.EmailState, event.email_state),
        display.word(recipient_pb2.RecipientState, event.recipient_state),
        display.word(attempt_pb2.AttemptOutcome, event.attempt_outcome),
        display.word(attempt_pb2.SmtpPhase, event.phase),
        code,
        "ambiguous" if event.ambiguous else "",
        f"out_id={event.out_id}" if event.out_id else "",
    )
    click.echo(display.one_line("  ".join(part for part in words if part)))
