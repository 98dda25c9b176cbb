"""What a development database holds from the start: credentials, the catcher as server, a template."""

from __future__ import annotations

import os
import secrets
import urllib.parse
from pathlib import Path

import grpc
import grpc.aio
from google.protobuf.field_mask_pb2 import FieldMask

from postroom.v1 import (
    mail_server_pb2,
    mail_server_service_pb2,
    mail_server_service_pb2_grpc,
    template_pb2,
    template_service_pb2,
    template_service_pb2_grpc,
)
from postroom_server.cli.connection import DEV_PAIR_FILE, DEV_TOKEN_FILE
from postroom_server.cli.tokens import COMMAND_NODE, OPERATOR
from postroom_server.clock import Clock
from postroom_server.mail import tenants, tokens
from postroom_server.mail.caller import Scope
from postroom_server.mail.tokens import TokenForm
from postroom_server.store.ids import IdMint
from postroom_server.store.models import PLATFORM_TENANT, Token
from postroom_server.store.unit import Store

TEMPLATE = "welcome"
BIZ_KEY = "WELCOME"
FROM_ADDRESS = "dev@postroom.local"

_TOKEN_NAME = "dev"  # noqa: S105
_PAIR_NAME = "dev-pair"
_SERVER_NAME = "catcher"


async def furnish(store: Store, channel: grpc.aio.Channel, catcher_port: int) -> None:
    """Makes what is missing. The second time it finds everything in place."""
    metadata = (("authorization", f"Bearer {await _token(store)}"),)
    await _pair(store)
    await _mail_server(mail_server_service_pb2_grpc.MailServerServiceStub(channel), metadata, catcher_port)
    await _template(template_service_pb2_grpc.TemplateServiceStub(channel), metadata)


async def _token(store: Store) -> str:
    """The secret in the token file when this database knows it, else a new one, put there."""
    secret = _kept(DEV_TOKEN_FILE)
    if not await store.read(_is_in_force, secret):
        secret = await store.write(_new_token, TokenForm(name=_TOKEN_NAME, scopes=tuple(Scope)))
        _keep(DEV_TOKEN_FILE, secret)
    return secret


async def _pair(store: Store) -> None:
    """The same for an apiUser/apiKey pair, kept as the two parameters of a form."""
    kept = dict(urllib.parse.parse_qsl(_kept(DEV_PAIR_FILE)))
    if not await store.read(_is_in_force, kept.get("apiKey", "")):
        # A name is never given out twice, not even after its key was lost.
        api_user = f"dev-{secrets.token_hex(3)}"
        form = TokenForm(name=_PAIR_NAME, scopes=tuple(Scope), api_user=api_user)
        api_key = await store.write(_new_token, form)
        _keep(DEV_PAIR_FILE, urllib.parse.urlencode({"apiUser": api_user, "apiKey": api_key}))


def _kept(file: Path) -> str:
    return file.read_text(encoding="ascii").strip() if file.exists() else ""


def _keep(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(text + "\n")


def _is_in_force(secret: str) -> bool:
    is_it = (Token.secret_hash == tokens.hash_of(secret)) & Token.revoke_time.is_null()
    return Token.select().where(is_it).exists()


def _new_token(form: TokenForm) -> str:
    clock = Clock()
    now = clock.now()
    tenants.ensure_platform(now)
    lost = (Token.tenant_id == PLATFORM_TENANT) & (Token.name == form.name) & Token.revoke_time.is_null()
    for row in Token.select().where(lost):
        tokens.revoke(OPERATOR, PLATFORM_TENANT, row.id, now)
    return tokens.create(PLATFORM_TENANT, form, now, IdMint(clock, node=COMMAND_NODE)).secret


async def _mail_server(
    stub: mail_server_service_pb2_grpc.MailServerServiceAsyncStub,
    metadata: tuple[tuple[str, str], ...],
    port: int,
) -> None:
    listed = await stub.ListMailServers(
        mail_server_service_pb2.ListMailServersRequest(page_size=1000), metadata=metadata
    )
    wanted = mail_server_pb2.MailServer(
        name=_SERVER_NAME,
        host="127.0.0.1",
        port=port,
        tls_mode=mail_server_pb2.TLS_MODE_OFF,
        from_address=FROM_ADDRESS,
        from_name="Postroom",
    )
    for server in listed.mail_servers:
        if server.name == _SERVER_NAME:
            wanted.id = server.id
            update = mail_server_service_pb2.UpdateMailServerRequest(
                mail_server=wanted, update_mask=FieldMask(paths=["host", "port", "tls_mode"])
            )
            await stub.UpdateMailServer(update, metadata=metadata)
            return
    create = mail_server_service_pb2.CreateMailServerRequest(mail_server=wanted)
    await stub.CreateMailServer(create, metadata=metadata)


async def _template(
    stub: template_service_pb2_grpc.TemplateServiceAsyncStub, metadata: tuple[tuple[str, str], ...]
) -> None:
    try:
        await stub.GetTemplate(
            template_service_pb2.GetTemplateRequest(invoke_name=TEMPLATE), metadata=metadata
        )
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        create = template_service_pb2.CreateTemplateRequest(template=_sample())
        await stub.CreateTemplate(create, metadata=metadata)
        bind = template_service_pb2.BindRequest(biz_key=BIZ_KEY, invoke_name=TEMPLATE)
        await stub.Bind(bind, metadata=metadata)


def _sample() -> template_pb2.Template:
    return template_pb2.Template(
        invoke_name=TEMPLATE,
        name="Welcome",
        kind=template_pb2.TEMPLATE_KIND_TRIGGER,
        content=template_pb2.TemplateContent(
            default_language="en",
            variants=[
                template_pb2.Variant(
                    language="en",
                    subject="Welcome, %name%",
                    html="<p>Hello <b>%name%</b>,</p><p>your account is ready.</p>",
                ),
                template_pb2.Variant(
                    language="zh-CN",
                    subject="欢迎您，%name%",
                    html="<p>%name%，您好！</p><p>您的账户已开通。</p>",
                ),
            ],
        ),
    )
