"""`postroom send`: one email."""

from __future__ import annotations

import mimetypes
from datetime import datetime
from pathlib import Path

import click

from postroom.v1 import email_service_pb2, email_service_pb2_grpc
from postroom.v1.attachment_pb2 import Attachment
from postroom.v1.audience_pb2 import Audience
from postroom_server.cli.audience import AudienceParam
from postroom_server.cli.connection import Connection, connected
from postroom_server.cli.display import json_of, one_line
from postroom_server.cli.failure import CommandFailedError
from postroom_server.cli.text_input import params_of, when, words


@click.command()
@click.option("--to", multiple=True, help="A To address. May be repeated.")
@click.option("--audience", type=AudienceParam(), help="ALL, DEPT:10,11, POLICY:VIP … in the place of --to.")
@click.option("--cc", multiple=True, help="A Cc address. May be repeated.")
@click.option("--bcc", multiple=True, help="A Bcc address. May be repeated.")
@click.option("--from", "from_address", default="", help="The From address. Unset: the tenant's or server's.")
@click.option("--subject", default="", help="The subject. With --template it replaces the template's.")
@click.option("--text", type=words, help="The text part: words, @file, or - for standard input.")
@click.option("--html", type=words, help="The HTML part: words, @file, or - for standard input.")
@click.option("--template", help="The name of a stored template.")
@click.option("--biz-key", default="", help="The business key; names the template unless --template does.")
@click.option("--language", default="", help="The wanted language, such as zh-CN.")
@click.option("--param", "pairs", multiple=True, metavar="NAME=VALUE", help="A template parameter.")
@click.option("--params-json", type=words, help="Template parameters as a JSON object.")
@click.option(
    "--attach",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file to send along. May be repeated.",
)
@click.option("--request-id", default="", help="A key under which repeating makes no second email.")
@click.option("--schedule", type=when, help="When to send: RFC 3339, or +10m, +2h, +1d.")
@click.option("--urgent", is_flag=True, help="Asks to go ahead of the queue.")
@click.option("--validate-only", is_flag=True, help="Prints the bytes that would leave; sends nothing.")
@click.option("--json", "as_json", is_flag=True, help="Prints the whole answer as JSON.")
@connected
def send(
    connection: Connection,
    *,
    to: tuple[str, ...],
    audience: Audience | None,
    cc: tuple[str, ...],
    bcc: tuple[str, ...],
    from_address: str,
    subject: str,
    text: str | None,
    html: str | None,
    template: str | None,
    biz_key: str,
    language: str,
    pairs: tuple[str, ...],
    params_json: str | None,
    attach: tuple[Path, ...],
    request_id: str,
    schedule: datetime | None,
    urgent: bool,
    validate_only: bool,
    as_json: bool,
) -> None:
    """Sends one email and prints its id."""
    if bool(to) == (audience is not None):
        raise click.UsageError("say to whom: either --to or --audience")
    request = email_service_pb2.SendEmailRequest(
        request_id=request_id,
        biz_key=biz_key,
        language=language,
        subject=subject,
        from_address=from_address,
        to=to,
        audience=audience,
        cc=cc,
        bcc=bcc,
        attachments=[_attachment(path) for path in attach],
        urgent=urgent,
        validate_only=validate_only,
    )
    custom = text is not None or html is not None
    if custom and template is not None:
        raise click.UsageError("--template cannot stand beside --text or --html")
    if custom:
        if pairs or params_json is not None:
            raise click.UsageError("--param and --params-json are for templates")
        request.custom.text, request.custom.html = text or "", html or ""
    elif template is not None or biz_key:
        request.template.invoke_name = template or ""
        request.template.params.CopyFrom(params_of(pairs, params_json))
    else:
        raise click.UsageError("say something: --text, --html, --template or --biz-key")
    if schedule is not None:
        request.schedule_time.FromDatetime(schedule)
    answer = connection.stub(email_service_pb2_grpc.EmailServiceStub).SendEmail(request)
    if as_json:
        json_of(answer)
    elif validate_only:
        for copy in answer.preview.copies:
            click.echo(copy.message, nl=False)
    else:
        _tell(answer)


def _tell(answer: email_service_pb2.SendEmailResponse) -> None:
    # The id alone goes to stdout, so that `id=$(postroom send …)` works.
    click.echo(answer.id)
    if answer.replayed:
        click.echo("accepted before under this request id; no second email is made", err=True)
    for address in answer.suppressed_addresses:
        click.echo(f"{one_line(address)} is on the suppression list and gets no mail", err=True)


def _attachment(path: Path) -> Attachment:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CommandFailedError(f"cannot read {path}: {error.strerror}") from None
    kind, encoding = mimetypes.guess_type(path.name)
    return Attachment(name=path.name, content=content, content_type=kind if kind and not encoding else "")
