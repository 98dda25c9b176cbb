"""`postroom token create|list|revoke`: credentials, made in the database, so that there is a first one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import click

from postroom_server.cli.database import beside
from postroom_server.cli.display import console, table
from postroom_server.cli.setting_flags import database_flags
from postroom_server.cli.text_input import when
from postroom_server.clock import Clock, Millis
from postroom_server.mail import tenants, tokens
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.tokens import TokenForm, TokenRecord
from postroom_server.setting_sources import Loaded
from postroom_server.store.ids import NODE_BITS, IdMint
from postroom_server.store.models import Token

T = TypeVar("T")

# Who has the database has everything.
OPERATOR = Caller(tenant_id=0, token_id=0, name="operator", scopes=frozenset(Scope))
# Servers number themselves from 0; beside them a command takes the last number.
COMMAND_NODE = (1 << NODE_BITS) - 1

_TENANT = click.option(
    "--tenant", type=click.IntRange(0), default=0, show_default=True, help="Its tenant; 0 is the platform."
)


@click.group()
def token() -> None:
    """Makes and revokes credentials, in the database itself."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may do; may be repeated. Unset: send and read; with --api-user template, and on tenant 0 "
    "platform, which is what changing the platform's own templates takes.",
)
@click.option("--all-scopes", is_flag=True, help="Everything.")
@_TENANT
@click.option("--test", is_flag=True, help="Its emails are accepted and never handed over.")
@click.option("--api-user", default="", help="Makes an apiUser/apiKey pair instead of a bearer token.")
@click.option("--calls-per-minute", type=click.IntRange(0), default=0, help="0: no limit.")
@click.option("--expires", type=when, help="When it ends: RFC 3339, or +90d. Unset: never.")
@database_flags
def create(
    loaded: Loaded,
    *,
    name: str,
    scopes: tuple[str, ...],
    all_scopes: bool,
    tenant: int,
    test: bool,
    api_user: str,
    calls_per_minute: int,
    expires: datetime | None,
) -> None:
    """Makes a token and prints its secret, this once."""
    clock = Clock()
    form = TokenForm(
        name=name,
        scopes=tuple(Scope) if all_scopes else _scopes(scopes, tenant, is_pair=bool(api_user)),
        test=test,
        api_user=api_user,
        calls_per_minute=calls_per_minute,
        expire_time=None if expires is None else int(expires.timestamp() * 1000),
    )

    def make() -> tokens.NewToken:
        tenants.ensure_platform(clock.now())
        return tokens.create(tenant, form, clock.now(), IdMint(clock, node=COMMAND_NODE))

    new = _write(loaded, make)
    click.echo(new.secret)
    click.echo(f"token {new.token.id}; its secret is not stored and cannot be shown again", err=True)


def _scopes(named: tuple[str, ...], tenant: int, *, is_pair: bool) -> tuple[Scope, ...]:
    if named:
        return tuple(Scope(scope) for scope in named)
    if not is_pair:
        return Scope.SEND, Scope.READ
    # A pair is for the template calls of dialect B, which know nothing else.
    return (Scope.TEMPLATE,) if tenant else (Scope.TEMPLATE, Scope.PLATFORM)


@token.command("list")
@_TENANT
@database_flags
def list_(loaded: Loaded, *, tenant: int) -> None:
    """Lists a tenant's tokens, newest first, without their secrets."""

    def newest_first() -> list[TokenRecord]:
        rows = Token.select().where(Token.tenant_id == tenant).order_by(Token.id.desc())
        return [tokens.record_of(row) for row in rows]

    with beside(loaded.settings) as opened:
        records = asyncio.run(opened.store.read(newest_first))
    columns = ("ID", "NAME", "SCOPES", "STATE", "CREATED", "LAST USED")
    console().print(table(columns, [_line(record, Clock().now()) for record in records]))


@token.command()
@click.argument("token_id", metavar="ID", type=click.IntRange(1))
@_TENANT
@database_flags
def revoke(loaded: Loaded, *, token_id: int, tenant: int) -> None:
    """Revokes a token; it is refused everywhere within 5 seconds."""
    record = _write(loaded, lambda: tokens.revoke(OPERATOR, tenant, token_id, Clock().now()))
    click.echo(f"{record.name} is revoked")


def _write(loaded: Loaded, unit: Callable[[], T]) -> T:
    with beside(loaded.settings) as opened:
        return asyncio.run(opened.store.write(unit))


def _line(record: TokenRecord, now: Millis) -> tuple[object, ...]:
    state = "in force"
    if record.revoke_time is not None:
        state = "revoked"
    elif record.expire_time is not None:
        state = "expired" if record.expire_time <= now else f"until {_day(record.expire_time)}"
    kind = " test" if record.test else ""
    if record.api_user:
        kind += f" api user {record.api_user}"
    scopes = "all" if set(record.scopes) == {scope.value for scope in Scope} else " ".join(record.scopes)
    return record.id, record.name, scopes, state + kind, _day(record.create_time), _day(record.last_used_time)


def _day(time: Millis | None) -> str:
    if time is None:
        return "never"
    return datetime.fromtimestamp(time / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
