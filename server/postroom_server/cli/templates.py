"""`postroom template list|show|put`: stored content, a language at a time."""

from __future__ import annotations

from collections.abc import Iterable

import click
import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from postroom.v1 import template_pb2, template_service_pb2, template_service_pb2_grpc
from postroom_server.cli.connection import Connection, connected
from postroom_server.cli.display import console, facts, json_of, one_line, table, time, word
from postroom_server.cli.failure import hinted
from postroom_server.cli.text_input import words
from postroom_server.refusals import Reason

_KINDS = ("TRIGGER", "BATCH")
_SYNTAXES = ("PERCENT", "LIQUID")


@click.group()
def template() -> None:
    """Keeps templates."""


@template.command("list")
@click.option("--own", is_flag=True, help="Without the platform's.")
@click.option("--json", "as_json", is_flag=True, help="Prints the whole answer as JSON.")
@connected
def list_(connection: Connection, *, own: bool, as_json: bool) -> None:
    """Lists templates."""
    request = template_service_pb2.ListTemplatesRequest(include_platform=not own, page_size=1000)
    answer = connection.stub(template_service_pb2_grpc.TemplateServiceStub).ListTemplates(request)
    if as_json:
        json_of(answer)
        return
    columns = ("NAME", "KIND", "VERSION", "REVIEW", "SENT", "TENANT", "TITLE")
    console().print(table(columns, map(_line, answer.templates)))


@template.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Prints the template as JSON.")
@connected
def show(connection: Connection, *, name: str, as_json: bool) -> None:
    """Shows a template's newest version: its variables and its content in every language."""
    request = template_service_pb2.GetTemplateRequest(invoke_name=name, include_platform=True)
    one = connection.stub(template_service_pb2_grpc.TemplateServiceStub).GetTemplate(request).template
    if as_json:
        json_of(one)
        return
    out = console()
    out.print(facts(_facts(one)))
    out.print()
    columns = ("VARIABLE", "TYPE", "REQUIRED", "DECLARED", "RAW")
    out.print(table(columns, map(_variable, one.content.variables)))
    for variant in one.content.variants:
        out.print()
        out.print(facts([("language", variant.language), ("subject", variant.subject)]))
        for part in (variant.text, variant.html):
            if part:
                out.print()
                out.print("\n".join(one_line(line) for line in part.splitlines()))


@template.command()
@click.argument("name")
@click.option("--subject", required=True, help="The subject.")
@click.option("--text", type=words, help="The text part: words, @file, or - for standard input.")
@click.option("--html", type=words, help="The HTML part: words, @file, or - for standard input.")
@click.option("--language", default="", help="The language of this content. Unset: the tenant's default.")
@click.option("--title", help="The name for people. Unset: NAME, or what it is already.")
@click.option("--kind", type=click.Choice(_KINDS, case_sensitive=False), help="Unset: TRIGGER, or as it is.")
@click.option(
    "--syntax", type=click.Choice(_SYNTAXES, case_sensitive=False), help="Unset: PERCENT, or as it is."
)
@click.option("--bind", "biz_key", help="Binds this business key to the template.")
@click.option("--allow-breaking", is_flag=True, help="Goes on although it refuses what callers sent lately.")
@connected
def put(
    connection: Connection,
    *,
    name: str,
    subject: str,
    text: str | None,
    html: str | None,
    language: str,
    title: str | None,
    kind: str | None,
    syntax: str | None,
    biz_key: str | None,
    allow_breaking: bool,
) -> None:
    """Stores content in one language.

    Makes the template, or a new version of it in which the variant of that language is replaced.
    """
    stub = connection.stub(template_service_pb2_grpc.TemplateServiceStub)
    known = _find(stub, name)
    before = known or template_pb2.Template(name=name, kind=template_pb2.TEMPLATE_KIND_TRIGGER)
    language = language or before.content.default_language
    variant = template_pb2.Variant(language=language, subject=subject, html=html or "", text=text or "")
    wanted = template_pb2.Template(
        invoke_name=name,
        name=title or before.name,
        kind=f"TEMPLATE_KIND_{kind.upper()}" if kind else before.kind,
        content=template_pb2.TemplateContent(
            syntax=f"TEMPLATE_SYNTAX_{syntax.upper()}" if syntax else before.content.syntax,
            default_language=before.content.default_language,
            variants=_with(before.content.variants, variant),
            # What was discovered in the old content is discovered anew.
            variables=[variable for variable in before.content.variables if variable.declared],
            sample_params=before.content.sample_params if before.content.HasField("sample_params") else None,
            validity=before.content.validity if before.content.HasField("validity") else None,
        ),
    )
    if known is None:
        stored = stub.CreateTemplate(template_service_pb2.CreateTemplateRequest(template=wanted)).template
    else:
        request = template_service_pb2.UpdateTemplateRequest(
            template=wanted,
            update_mask=FieldMask(paths=["name", "kind", "content"]),
            expected_version=known.version,
            allow_breaking=allow_breaking,
        )
        with hinted(Reason.TEMPLATE_BREAKING_CHANGE, "--allow-breaking publishes it all the same"):
            stored = stub.UpdateTemplate(request).template
    if biz_key is not None:
        stub.Bind(template_service_pb2.BindRequest(biz_key=biz_key, invoke_name=name))
    click.echo(f"{name} version {stored.version} {word(template_pb2.ReviewState, stored.review_state)}")


def _find(stub: template_service_pb2_grpc.TemplateServiceStub, name: str) -> template_pb2.Template | None:
    try:
        return stub.GetTemplate(template_service_pb2.GetTemplateRequest(invoke_name=name)).template
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return None
        raise


def _with(variants: Iterable[template_pb2.Variant], new: template_pb2.Variant) -> list[template_pb2.Variant]:
    """The variants with the new one in the place of that in the same language, else at the end."""
    kept = list(variants)
    for place, variant in enumerate(kept):
        if variant.language.lower() == new.language.lower():
            kept[place] = new
            return kept
    return [*kept, new]


def _line(one: template_pb2.Template) -> tuple[object, ...]:
    return (
        one.invoke_name,
        word(template_pb2.TemplateKind, one.kind),
        one.version,
        word(template_pb2.ReviewState, one.review_state),
        one.approved_version or "none",
        one.tenant_id or "platform",
        one.name,
    )


def _facts(one: template_pb2.Template) -> list[tuple[str, object]]:
    return [
        ("name", one.invoke_name),
        ("title", one.name),
        ("tenant", one.tenant_id or "platform"),
        ("kind", word(template_pb2.TemplateKind, one.kind)),
        ("version", one.version),
        ("review", word(template_pb2.ReviewState, one.review_state)),
        ("sent", one.approved_version or "none"),
        ("syntax", word(template_pb2.TemplateSyntax, one.content.syntax)),
        ("default language", one.content.default_language),
        ("author", one.author),
        ("made", time(one, "update_time")),
    ]


def _variable(one: template_pb2.Variable) -> tuple[object, ...]:
    return (
        one.name,
        word(template_pb2.VariableType, one.type),
        "literal" if one.literal else "yes" if one.required else "no",
        "yes" if one.declared else "no",
        "yes" if one.raw else "no",
    )
