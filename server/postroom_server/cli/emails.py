"""`postroom email list|show`: what became of emails."""

from __future__ import annotations

import re
from typing import Any

import click

from postroom.v1 import (
    attempt_pb2,
    email_pb2,
    email_service_pb2,
    email_service_pb2_grpc,
    filter_pb2,
    recipient_pb2,
)
from postroom_server.cli.audience import audience_text, progress_text
from postroom_server.cli.connection import Connection, connected
from postroom_server.cli.display import console, facts, json_of, reply, table, time, word
from postroom_server.cli.failure import CommandFailedError

_VARIABLE = re.compile(r"%\w+%|\{\{")
_EQUAL = filter_pb2.FILTER_OPERATOR_EQUAL
_STATES = ("PENDING", "SUCCESS", "FAILURE")


class EmailId(click.IntRange):
    """A number; the word ID, out of instructions, is answered with what it stands for."""

    def __init__(self) -> None:
        super().__init__(1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "ID":
            self.fail("ID stands for the number that `postroom send` printed; or say --last", param, ctx)
        return super().convert(value, param, ctx)


@click.group()
def email() -> None:
    """Tells what became of emails."""


@email.command("list")
@click.option("--state", type=click.Choice(_STATES, case_sensitive=False), help="In this state only.")
@click.option("--to", "recipient", help="To, Cc or Bcc this address only.")
@click.option("--biz-key", help="With this business key only.")
@click.option("--out-id", help="With this id of the caller's own only.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Prints the whole answer as JSON.")
@connected
def list_(
    connection: Connection,
    *,
    state: str | None,
    recipient: str | None,
    biz_key: str | None,
    out_id: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Lists emails, newest first."""
    wanted = {"state": state, "recipient_address": recipient, "biz_key": biz_key, "out_id": out_id}
    answer = connection.stub(email_service_pb2_grpc.EmailServiceStub).ListEmails(
        email_service_pb2.ListEmailsRequest(
            page_size=limit,
            filters=[
                filter_pb2.Filter(field=field, operator=_EQUAL, values=[value])
                for field, value in wanted.items()
                if value is not None
            ],
        )
    )
    if as_json:
        json_of(answer)
        return
    rows = [(one.id, word(email_pb2.EmailState, one.state), *_line(one)) for one in answer.emails]
    console().print(table(("ID", "STATE", "ACCEPTED", "TO", "SUBJECT"), rows))
    more = "+" if answer.total_is_lower_bound else ""
    click.echo(f"{len(rows)} of {answer.total_size}{more}", err=True)


@email.command()
@click.argument("email_id", metavar="[ID]", type=EmailId(), required=False)
@click.option("--last", is_flag=True, help="The newest one.")
@click.option("--json", "as_json", is_flag=True, help="Prints the email as JSON.")
@connected
def show(connection: Connection, *, email_id: int | None, last: bool, as_json: bool) -> None:
    """Shows one email: its recipients, its attempts and what the SMTP server replied."""
    if last == (email_id is not None):
        raise click.UsageError("name one email: the number that `postroom send` printed, or --last")
    stub = connection.stub(email_service_pb2_grpc.EmailServiceStub)
    request = email_service_pb2.GetEmailRequest(id=_newest(stub) if email_id is None else email_id)
    one = stub.GetEmail(request).email
    if as_json:
        json_of(one)
        return
    out = console()
    out.print(facts(_facts(one)))
    out.print()
    out.print(table(("RECIPIENT", "STATE", "REPLY", "TRIES", "NEXT TRY"), map(_recipient, one.recipients)))
    out.print()
    out.print(table(("ATTEMPT", "OUTCOME", "PHASE", "SERVER", "TLS", "REPLY"), map(_attempt, one.attempts)))


def _newest(stub: Any) -> int:
    emails = stub.ListEmails(email_service_pb2.ListEmailsRequest(page_size=1)).emails
    if not emails:
        raise CommandFailedError("there is no email yet")
    return int(emails[0].id)


def _line(one: email_pb2.Email) -> tuple[str, ...]:
    # Of an audience, the table of recipients tells who they are.
    audience = [audience_text(one)] if one.HasField("audience") else []
    addresses = [*audience, *one.to, *one.cc, *one.bcc]
    others = f" +{len(addresses) - 1}" if len(addresses) > 1 else ""
    return time(one, "accept_time"), "".join(addresses[:1]) + others, _subject(one)


def _subject(one: email_pb2.Email) -> str:
    """The subject, marked where it is the template's with variables: mails have them filled in."""
    is_template = bool(one.invoke_name) and _VARIABLE.search(one.subject) is not None
    return f"{one.subject} (template {one.invoke_name})" if is_template else one.subject


def _facts(one: email_pb2.Email) -> list[tuple[str, object]]:
    template = f"{one.invoke_name} version {one.template_version} ({one.template_language})"
    return [
        ("id", one.id),
        ("state", word(email_pb2.EmailState, one.state)),
        ("failure", one.failure_message),
        ("subject", _subject(one)),
        ("from", f"{one.from_name} <{one.from_address}>" if one.from_name else one.from_address),
        ("to", ", ".join(one.to)),
        ("audience", audience_text(one)),
        ("progress", progress_text(one)),
        ("cc", ", ".join(one.cc)),
        ("bcc", ", ".join(one.bcc)),
        ("template", template if one.invoke_name else ""),
        ("business key", one.biz_key),
        ("out id", one.out_id),
        ("accepted", time(one, "accept_time")),
        ("scheduled", time(one, "schedule_time")),
        ("settled", time(one, "settle_time")),
        ("held", one.held_count or ""),
        ("ambiguous", one.ambiguous_count or ""),
        ("labels", ", ".join(f"{key}={value}" for key, value in sorted(one.labels.items()))),
    ]


def _recipient(one: recipient_pb2.Recipient) -> tuple[object, ...]:
    role = word(recipient_pb2.RecipientRole, one.role)
    return (
        one.address if role == "TO" else f"{one.address} ({role.lower()})",
        word(recipient_pb2.RecipientState, one.state),
        reply(one.code, one.enhanced_code, one.reply),
        one.tries,
        time(one, "next_try_time"),
    )


def _attempt(one: attempt_pb2.Attempt) -> tuple[object, ...]:
    return (
        time(one, "start_time"),
        word(attempt_pb2.AttemptOutcome, one.outcome),
        word(attempt_pb2.SmtpPhase, one.phase),
        one.server_name,
        one.tls_version,
        reply(one.code, one.enhanced_code, one.reply),
    )
