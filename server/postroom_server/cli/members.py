"""`postroom member list|delete`: who is in the directory. `member import` is in member_import.py."""

from __future__ import annotations

from collections.abc import Sequence

import click

from postroom.v1 import directory_service_pb2, directory_service_pb2_grpc, filter_pb2, member_pb2
from postroom_server.cli.connection import Connection, connected
from postroom_server.cli.display import console, json_of, table, time
from postroom_server.cli.member_import import import_

_MOST_AT_ONCE = 1000


@click.group()
def member() -> None:
    """Keeps the members whom audiences name. Takes a token with the scope directory."""


member.add_command(import_)


@member.command("list")
@click.option("--user-id", "user_ids", multiple=True, type=int, help="This user. May be repeated.")
@click.option("--address", "addresses", multiple=True, help="With this address. May be repeated.")
@click.option("--dept", "depts", multiple=True, type=int, help="In this department. May be repeated.")
@click.option("--group", "groups", multiple=True, type=int, help="In this group. May be repeated.")
@click.option("--policy", "policies", multiple=True, help="Who holds this policy. May be repeated.")
@click.option(
    "--to-policy",
    "to_policies",
    multiple=True,
    help="Who holds this policy of the operator's. May be repeated.",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Prints the whole answer as JSON.")
@connected
def list_(
    connection: Connection,
    *,
    user_ids: tuple[int, ...],
    addresses: tuple[str, ...],
    depts: tuple[int, ...],
    groups: tuple[int, ...],
    policies: tuple[str, ...],
    to_policies: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """Lists members by user id. Options narrow; one that is repeated widens itself."""
    wanted: dict[str, Sequence[object]] = {
        "user_id": user_ids,
        "address": addresses,
        "dept_id": depts,
        "group_id": groups,
        "policy_code": policies,
        "to_policy_code": to_policies,
    }
    answer = connection.stub(directory_service_pb2_grpc.DirectoryServiceStub).ListMembers(
        directory_service_pb2.ListMembersRequest(
            page_size=limit,
            filters=[_filter(field, values) for field, values in wanted.items() if values],
        )
    )
    if as_json:
        json_of(answer)
        return
    columns = ("USER", "ADDRESS", "LANGUAGE", "ENABLED", "DEPTS", "GROUPS", "POLICIES", "CHANGED")
    console().print(table(columns, map(_line, answer.members)))
    more = "+" if answer.total_is_lower_bound else ""
    click.echo(f"{len(answer.members)} of {answer.total_size}{more}", err=True)


@member.command()
@click.argument("user_ids", metavar="USER_ID...", nargs=-1, required=True, type=int)
@connected
def delete(connection: Connection, *, user_ids: tuple[int, ...]) -> None:
    """Deletes up to 1000 members. Mail that is queued for them already is sent."""
    if len(user_ids) > _MOST_AT_ONCE:
        raise click.UsageError(f"{len(user_ids)} user ids; at most {_MOST_AT_ONCE} at once")
    stub = connection.stub(directory_service_pb2_grpc.DirectoryServiceStub)
    answer = stub.BatchDeleteMembers(directory_service_pb2.BatchDeleteMembersRequest(user_ids=user_ids))
    click.echo(f"{answer.deleted_count} of {len(set(user_ids))} deleted")


def _filter(field: str, values: Sequence[object]) -> filter_pb2.Filter:
    # One value is asked for as such: an index may be in the order of what is equal.
    operator = filter_pb2.FILTER_OPERATOR_EQUAL if len(values) == 1 else filter_pb2.FILTER_OPERATOR_IN
    return filter_pb2.Filter(field=field, operator=operator, values=map(str, values))


def _line(one: member_pb2.Member) -> tuple[object, ...]:
    return (
        one.user_id,
        one.address,
        one.language,
        "yes" if one.enabled else "no",
        " ".join(map(str, one.dept_ids)),
        " ".join(map(str, one.group_ids)),
        " ".join([*one.policy_codes, *one.to_policy_codes]),
        time(one, "update_time"),
    )
