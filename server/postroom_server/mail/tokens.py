"""Tokens: making, granting, listing and revoking credentials. The functions are units of work."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import secrets

from postroom_server.clock import Millis
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.tenancy import tenant_of
from postroom_server.mail.tenants import find_tenant
from postroom_server.refusals import Reason, Refusal, refuse_all
from postroom_server.store.ids import IdMint
from postroom_server.store.known import raise_generation
from postroom_server.store.models import Token

SECRET_PREFIX = "pr_"  # noqa: S105 - what scanners for leaked secrets look for
_SECRET_BYTES = 32
_NAME_CHARACTERS = 100
_MAX_CALLS_PER_MINUTE = 2**31 - 1
_API_USER = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TokenForm:
    """What a new token shall be. With `api_user` it is an apiUser/apiKey pair, otherwise a bearer token."""

    name: str
    scopes: tuple[Scope, ...]
    user_id: int = 0
    test: bool = False
    api_user: str = ""
    calls_per_minute: int = 0
    expire_time: Millis | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as it may be shown."""

    id: int
    tenant_id: int
    name: str
    scopes: tuple[Scope, ...]
    user_id: int
    test: bool
    api_user: str
    calls_per_minute: int
    create_time: Millis
    expire_time: Millis | None
    revoke_time: Millis | None
    last_used_time: Millis | None


@dataclasses.dataclass(frozen=True, slots=True)
class NewToken:
    """A token and its secret, told this once."""

    token: TokenRecord
    secret: str = dataclasses.field(repr=False)


def new_secret() -> str:
    """`pr_` and 43 characters: 32 random bytes in URL-safe base64 without padding."""
    return SECRET_PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).rstrip(b"=").decode()


def hash_of(secret: str) -> bytes:
    """What is stored of a secret. It has 256 random bits, so a plain SHA-256 cannot be guessed backwards."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()


def grant(caller: Caller, tenant_id: int | None, form: TokenForm, now: Millis, mint: IdMint) -> NewToken:
    """Makes a token for another. A caller gives no scope it lacks, unless it has scope platform."""
    owner = tenant_of(caller, tenant_id)
    lacking = sorted(set(form.scopes) - caller.scopes)
    if lacking and Scope.PLATFORM not in caller.scopes:
        raise Refusal(
            Reason.SCOPE_MISSING,
            f"your token cannot give what it lacks: {', '.join(lacking)}",
            metadata={"scope": lacking[0]},
        )
    return create(owner, form, now, mint)


def create(tenant_id: int, form: TokenForm, now: Millis, mint: IdMint) -> NewToken:
    """Makes a token, whoever asks. Raises TENANT_NOT_FOUND, TOKEN_EXISTS, and every violation at once."""
    # First of all: the generation's row is locked until the commit, so that what is checked stays true.
    raise_generation()
    _check(form, now)
    find_tenant(tenant_id)
    _refuse_taken(tenant_id, form, now)
    secret = new_secret()
    row = Token.create(
        id=mint.one(),
        tenant_id=tenant_id,
        name=form.name,
        secret_hash=hash_of(secret),
        api_user=form.api_user or None,
        scopes=json.dumps([scope.value for scope in Scope if scope in form.scopes]),
        test=form.test,
        user_id=form.user_id,
        calls_per_minute=form.calls_per_minute,
        create_time=now,
        expire_time=form.expire_time,
        revoke_time=None,
        last_used_time=None,
    )
    return NewToken(record_of(row), secret)


def revoke(caller: Caller, tenant_id: int | None, token_id: int, now: Millis) -> TokenRecord:
    """Ends a token, seen everywhere within a second. A revoked one stays as it is."""
    raise_generation()
    owner = tenant_of(caller, tenant_id)
    row: Token | None = Token.get_or_none((Token.tenant_id == owner) & (Token.id == token_id))
    if row is None:
        raise Refusal(Reason.TOKEN_NOT_FOUND, "there is no such token", metadata={"id": str(token_id)})
    if row.revoke_time is None:
        row.revoke_time = now
        row.save(only=[Token.revoke_time])
    return record_of(row)


def record_of(row: Token) -> TokenRecord:
    return TokenRecord(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        scopes=tuple(Scope(value) for value in json.loads(row.scopes)),
        user_id=row.user_id,
        test=bool(row.test),
        api_user=row.api_user or "",
        calls_per_minute=row.calls_per_minute,
        create_time=row.create_time,
        expire_time=row.expire_time,
        revoke_time=row.revoke_time,
        last_used_time=row.last_used_time,
    )


def _check(form: TokenForm, now: Millis) -> None:
    found = Findings("token.")
    found.line("name", form.name, least=1, most=_NAME_CHARACTERS)
    if not form.scopes:
        found.add("scopes", "name at least one")
    found.number("user_id", form.user_id, least=0, most=2**63 - 1)
    if form.api_user and not _API_USER.fullmatch(form.api_user):
        found.add("api_user", "must be 1 to 64 of A-Z, a-z, 0-9, _, . and -")
    found.number("calls_per_minute", form.calls_per_minute, least=0, most=_MAX_CALLS_PER_MINUTE)
    if form.expire_time is not None and form.expire_time <= now:
        found.add("expire_time", "is not in the future")
    refuse_all(found.violations)


def _refuse_taken(tenant_id: int, form: TokenForm, now: Millis) -> None:
    in_force = Token.revoke_time.is_null() & (Token.expire_time.is_null() | (Token.expire_time > now))
    named = (Token.tenant_id == tenant_id) & (Token.name == form.name)
    if Token.select().where(named & in_force).exists():
        raise Refusal(
            Reason.TOKEN_EXISTS, f"a token named {form.name} is in force", metadata={"name": form.name}
        )
    # Revoked pairs count too: a name that once spoke for somebody never speaks for somebody else.
    if form.api_user and Token.select().where(Token.api_user == form.api_user).exists():
        raise Refusal(
            Reason.TOKEN_EXISTS,
            f"the api_user {form.api_user} is taken",
            metadata={"api_user": form.api_user},
        )
