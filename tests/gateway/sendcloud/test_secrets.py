"""apiKey, and what templates say, are in no line of any log, whatever happens."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import urllib.parse
from pathlib import Path

import pytest

from conftest import DATA_KEY
from gateway.sendcloud.face import ADDED, Face, request
from gateway.sendcloud.scripted import Scripted
from gateway.wire import connected
from postroom_server.clock import Clock
from postroom_server.mail import tokens
from postroom_server.mail.caller import Scope
from postroom_server.mail.tenants import TenantForm, Tenants
from postroom_server.store.ids import IdMint
from postroom_server.store.opening import Address, open_database
from serving import ACME

POSTROOM = Path(sys.executable).with_name("postroom")
SECRET = "hushhush"
PATIENCE = 20


def key_in(database: str) -> str:
    """The apiKey of the apiUser ann."""
    opened = open_database(Address(database), key_text=DATA_KEY, key_file=None, auto_migrate=False)
    clock, mint = Clock(), IdMint(Clock(), node=1023)
    form = tokens.TokenForm(name="ann", scopes=(Scope.TEMPLATE,), api_user="ann")

    def make() -> str:
        Tenants(clock, mint).create(ACME, TenantForm(name="acme"))
        return tokens.create(ACME, form, clock.now(), mint).secret

    secret = asyncio.run(opened.store.write(make))
    opened.close()
    return secret


@pytest.mark.parametrize("log_format", ["console", "json"])
async def test_nothing_that_is_asked_is_logged_but_its_path(
    sqlite_database: str, tmp_path: Path, log_format: str
) -> None:
    api_key = await asyncio.to_thread(key_in, sqlite_database)
    settings = {
        "DATABASE_URL": sqlite_database, "DATA_KEY": DATA_KEY, "GRPC_ADDRESS": "127.0.0.1:0",
        "HTTP_ADDRESS": "127.0.0.1:0", "METRICS_ADDRESS": "", "LOG_LEVEL": "debug", "LOG_FORMAT": log_format,
    }  # fmt: skip
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    environment = inherited | {f"POSTROOM_{name}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        POSTROOM, "serve", cwd=tmp_path, env=environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    written = b""
    async with asyncio.timeout(PATIENCE):
        while b"listening_http" not in written:
            written += await process.stderr.readline()
    # The last line names the port, as `port=1` or as `"port": 1`.
    await ask_everything(int(re.findall(rb"port\W+(\d+)", written)[-1]), api_key)
    process.send_signal(signal.SIGTERM)
    _, rest = await asyncio.wait_for(process.communicate(), PATIENCE)
    written += rest
    assert process.returncode == 0
    # What happened is there, and what was said is not.
    for told in (b"CreateTemplate", b"TOKEN_INVALID", b"/apiv2/template/nothing"):
        assert told in written
    for untold in (SECRET, api_key, ADDED["html"], ADDED["subject"]):
        assert untold.encode() not in written


async def ask_everything(port: int, api_key: str) -> None:
    right = {"apiUser": "ann", "apiKey": api_key}
    wrong = {"apiUser": "ann", "apiKey": SECRET, "html": SECRET, "name": SECRET}
    for query in (right, wrong, {**right, "html": f"<script>%{SECRET}%</script>", "isSubmitAudit": SECRET}):
        for call in ("list", "get", "add", "update", "delete", "nothing"):
            body = urllib.parse.urlencode({**ADDED, **query}).encode()
            await send(port, request(call, body) + body)
            await send(port, request(f"{call}?{body.decode()}", b""))
            await send(port, request(call, body, "text/plain") + body)
            await send(port, request(call, body).replace(b"POST", b"PATCH", 1) + body)
    body = b'{"apiKey":"%s"' % SECRET.encode()
    await send(port, request("add", body, "application/json") + body)
    await send(port, request(f"list/apiKey={SECRET}&apiUser={api_key}", b""))
    await send(port, b"NONSENSE " + request(f"?apiKey={SECRET}", b""))


async def send(port: int, data: bytes) -> None:
    async with connected(port) as wire:
        wire.send(data)
        await wire.answer()


async def test_no_description_of_a_request_shows_its_secrets() -> None:
    backend = Scripted({"ListTemplates": [ZeroDivisionError()]})
    await backend.ask("list", f"html={SECRET}")
    assert "secret" not in repr(backend.visitors)


async def test_credentials_are_in_no_answer(face: Face) -> None:
    for call in ("list", "get", "add", "update", "delete"):
        answer = await face.call(call, **ADDED)
        assert face.api_key.encode() not in answer.body
        assert face.api_user.encode() not in answer.body
