"""`postroom tenant create|list`: who shares a deployment without seeing one another."""

from __future__ import annotations

import click

from postroom.v1 import tenant_pb2, tenant_service_pb2, tenant_service_pb2_grpc
from postroom_server.cli.connection import Connection, connected
from postroom_server.cli.display import console, json_of, table, time, word


@click.group()
def tenant() -> None:
    """Keeps tenants. Takes a token with the scope platform."""


@tenant.command()
@click.argument("name")
@click.option(
    "--id", "tenant_id", type=click.IntRange(0), default=0, help="Its id. Unset: the next free one."
)
@click.option(
    "--domain", "domains", multiple=True, help="A domain its From addresses may have. May be repeated."
)
@click.option("--from", "from_address", default="", help="The From address of mail that names none.")
@click.option("--from-name", default="", help="The display name that goes with it.")
@click.option("--language", default="", help="The language of mail that asks for none.")
@connected
def create(
    connection: Connection,
    *,
    name: str,
    tenant_id: int,
    domains: tuple[str, ...],
    from_address: str,
    from_name: str,
    language: str,
) -> None:
    """Creates a tenant and prints its id."""
    request = tenant_service_pb2.CreateTenantRequest(
        tenant=tenant_pb2.Tenant(
            id=tenant_id,
            name=name,
            sender_domains=domains,
            from_address=from_address,
            from_name=from_name,
            default_language=language,
        )
    )
    stub = connection.stub(tenant_service_pb2_grpc.TenantServiceStub)
    click.echo(stub.CreateTenant(request).tenant.id)


@tenant.command("list")
@click.option("--json", "as_json", is_flag=True, help="Prints the whole answer as JSON.")
@connected
def list_(connection: Connection, *, as_json: bool) -> None:
    """Lists tenants; 0 is the platform itself."""
    stub = connection.stub(tenant_service_pb2_grpc.TenantServiceStub)
    answer = stub.ListTenants(tenant_service_pb2.ListTenantsRequest(page_size=1000))
    if as_json:
        json_of(answer)
        return
    columns = ("ID", "NAME", "STATE", "REVIEW", "FROM", "CREATED")
    console().print(table(columns, map(_line, answer.tenants)))


def _line(one: tenant_pb2.Tenant) -> tuple[object, ...]:
    return (
        one.id,
        one.name,
        word(tenant_pb2.TenantState, one.state),
        word(tenant_pb2.ReviewMode, one.review_mode),
        one.from_address,
        time(one, "create_time"),
    )
