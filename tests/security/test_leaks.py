"""Row E8: what a process logs, and what its errors say, while mails succeed, fail and break it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from conftest import DATA_KEY
from postroom.v1 import (
    email_service_pb2,
    filter_pb2,
    mail_server_pb2,
    template_pb2,
    template_service_pb2,
)
from postroom_server.catcher import Catcher
from postroom_server.clock import Clock
from postroom_server.mail import tokens
from postroom_server.mail.caller import Scope
from postroom_server.mail.tenants import ensure_platform
from postroom_server.store.ids import IdMint
from postroom_server.store.known import raise_generation
from postroom_server.store.models import Email, MailServer
from postroom_server.store.opening import Address, open_database
from serving import METHODS, Told, answer_of

POSTROOM = Path(sys.executable).with_name("postroom")
PATIENCE = 20
# Everything that must not be told has this in it.
SECRET = "hush"


class Process:
    """`postroom serve` as an operator runs it, with JSON lines of every level."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []
        self._reading = asyncio.ensure_future(self._read())
        self.channel: grpc.aio.Channel | None = None

    async def _read(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.lines.append(line.decode())

    async def until(self, text: str) -> str:
        async with asyncio.timeout(PATIENCE):
            # Another process's lines ring no bell.
            while not (found := [line for line in self.lines if text in line]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return found[0]

    async def connect(self) -> None:
        port = json.loads(await self.until('"listening"'))["port"]
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")

    async def call(self, method: str, secret: str, **fields: Any) -> Told:
        assert self.channel is not None
        return await answer_of(self.channel, METHODS[method], secret, fields)

    async def stop(self) -> None:
        if self.channel is not None:
            await self.channel.close()
        self._process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(self._process.wait(), PATIENCE) == 0
        await self._reading


async def _reject(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A mail server that quotes whom it refuses."""
    writer.write(b"220 hello\r\n")
    while line := await reader.readline():
        address = re.search(rb"<(.*)>", line)
        quoted = address[1] if address else b""
        reply = b"550 5.1.1 <" + quoted + b"> is unknown" if line.startswith(b"RCPT") else b"250 " + quoted
        writer.write(reply + b"\r\n")
    writer.close()


class Deployment:
    def __init__(self, folder: Path, database: str, catcher: Catcher, rejecting_port: int) -> None:
        self.database, self.folder, self.catcher, self.rejecting_port = (
            database,
            folder,
            catcher,
            rejecting_port,
        )
        self.secret = ""

    def prepare(self) -> None:
        opened = open_database(Address(self.database), key_text=DATA_KEY, key_file=None, auto_migrate=False)
        clock = Clock()
        form = tokens.TokenForm(name="operator", scopes=tuple(Scope))

        def make() -> str:
            ensure_platform(clock.now())
            return tokens.create(0, form, clock.now(), IdMint(clock, node=1023)).secret

        self.secret = asyncio.run(opened.store.write(make))
        opened.close()

    async def start(self) -> Process:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")},
            "POSTROOM_DATABASE_URL": self.database,
            "POSTROOM_DATA_KEY": DATA_KEY,
            "POSTROOM_GRPC_ADDRESS": "127.0.0.1:0",
            "POSTROOM_METRICS_ADDRESS": "",
            "POSTROOM_HTTP_ADDRESS": "",
            "POSTROOM_LOG_LEVEL": "debug",
            "POSTROOM_LOG_FORMAT": "json",
            "POSTROOM_POLL_MS": "20",
        }
        process = Process(
            await asyncio.create_subprocess_exec(
                POSTROOM, "serve", cwd=self.folder, env=environment, stderr=asyncio.subprocess.PIPE
            )
        )
        await process.connect()
        return process


@pytest.fixture
async def deployment(tmp_path: Path, database: str) -> AsyncIterator[Deployment]:
    rejecting = await asyncio.start_server(_reject, "127.0.0.1", 0)
    async with Catcher(lambda _: None) as catcher:
        made = Deployment(tmp_path, database, catcher, rejecting.sockets[0].getsockname()[1])
        await asyncio.to_thread(made.prepare)
        yield made
    rejecting.close()
    await rejecting.wait_closed()


def server(name: str, port: int, **fields: Any) -> mail_server_pb2.MailServer:
    return mail_server_pb2.MailServer(
        name=name, host="127.0.0.1", port=port, tls_mode=mail_server_pb2.TLS_MODE_OFF,
        from_address=f"{SECRET}-from@acme.example", **fields,
    )  # fmt: skip


def email(**fields: Any) -> dict[str, Any]:
    return {
        "to": [f"{SECRET}-reader@example.com"],
        "subject": f"{SECRET} subject",
        "custom": email_service_pb2.CustomBody(text=f"{SECRET} text"),
        "labels": {"a": f"{SECRET} label"},
        "headers": {"X-A": f"{SECRET} header"},
        **fields,
    }


async def test_e8_logs_and_errors_keep_what_mails_say_to_themselves(deployment: Deployment) -> None:
    process = await deployment.start()
    secret = deployment.secret
    ok: list[Told] = []
    refused: list[Told] = []
    template = template_pb2.Template(
        invoke_name="greet",
        name="n",
        kind=template_pb2.TEMPLATE_KIND_TRIGGER,
        content=template_pb2.TemplateContent(
            default_language="en",
            variants=[template_pb2.Variant(language="en", subject="%name%", html="<p>%name%</p>")],
        ),
    )

    def params(**values: Any) -> email_service_pb2.TemplateBody:
        body = email_service_pb2.TemplateBody(invoke_name="greet")
        body.params.update(values)
        return body

    # What succeeds.
    catching = server("catching", deployment.catcher.port)
    login = server("login", 1, username=f"{SECRET}-user", password=f"{SECRET}-password")
    login.state = mail_server_pb2.MAIL_SERVER_STATE_DISABLED
    for method, fields in (
        ("MailServerService.CreateMailServer", {"mail_server": catching}),
        ("MailServerService.CreateMailServer", {"mail_server": login}),
        ("TemplateService.CreateTemplate", {"template": template}),
        ("EmailService.SendEmail", email()),
        ("EmailService.SendEmail", email(request_id="r", custom=None, template=params(name=f"{SECRET} p"))),
        ("EmailService.SendEmail", email(validate_only=True)),
        ("EmailService.ListEmails", {}),
    ):
        ok.append(await process.call(method, secret, **fields))
    async with asyncio.timeout(PATIENCE):
        while len(deployment.catcher.mails) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    # What is refused; nothing of it is what the caller sent in that field of that call.
    wanted = filter_pb2.Filter(
        field="id", operator=filter_pb2.FILTER_OPERATOR_EQUAL, values=[f"{SECRET}-reader@example.com"]
    )
    for method, fields in (
        ("EmailService.SendEmail", email(subject=f"{SECRET}\n")),
        ("EmailService.SendEmail", email(request_id="r")),
        ("EmailService.SendEmail", email(custom=None, template=params(name=f"{SECRET}\n"))),
        ("EmailService.SendEmail", email(custom=None, template=params(other=f"{SECRET}"))),
        ("EmailService.SendEmail", email(to=[f"{SECRET} <x"])),
        ("EmailService.ListEmails", {"filters": [wanted]}),
        ("TemplateService.RenderTemplate", {"stored": template_service_pb2.StoredTemplate(invoke_name="no")}),
    ):
        refused.append(await process.call(method, secret, **fields))
    refused.append(await process.call("EmailService.ListEmails", f"pr_{SECRET}"))
    # What a server refuses, quoting the address; a trial over a line that needs a login.
    update = mail_server_pb2.MailServer(
        id=ok[0].message.mail_server.id, host="127.0.0.1", port=deployment.rejecting_port
    )
    ok.append(
        await process.call(
            "MailServerService.UpdateMailServer", secret, mail_server=update, update_mask={"paths": ["port"]}
        )
    )
    failing = await process.call("EmailService.SendEmail", secret, **email())
    ok.append(failing)
    trial = await process.call(
        "EmailService.SendTestEmail",
        secret,
        server_id=ok[1].message.mail_server.id,
        to=[f"{SECRET}-reader@example.com"],
    )
    assert trial.code == "OK"
    assert not trial.message.ok
    async with asyncio.timeout(PATIENCE):
        while (  # noqa: ASYNC110
            await process.call("EmailService.GetEmail", secret, id=failing.message.id)
        ).message.email.counts.open:
            await asyncio.sleep(0.02)
    # What breaks: rows that no release of ours writes.
    await asyncio.to_thread(_break, deployment.database, failing.message.id)
    broken = [
        await process.call("EmailService.GetEmail", secret, id=failing.message.id),
        await process.call("EmailService.SendEmail", secret, **email()),
    ]
    await process.stop()

    assert {told.code for told in ok} == {"OK"}
    assert [told.code for told in refused] == [
        "INVALID_ARGUMENT", "ALREADY_EXISTS", "INVALID_ARGUMENT", "INVALID_ARGUMENT", "INVALID_ARGUMENT",
        "INVALID_ARGUMENT", "NOT_FOUND", "UNAUTHENTICATED",
    ]  # fmt: skip
    for told in refused:
        assert SECRET not in repr(told)
    for told in broken:
        assert (told.code, told.details, told.reason) == ("INTERNAL", "internal error", "INTERNAL")
    correlation_ids = [dict(told.metadata)["correlation_id"] for told in broken]
    text = "".join(process.lines)
    assert SECRET not in text
    assert secret not in text
    assert secret[3:] not in text
    entries = [json.loads(line) for line in process.lines]
    bugs = [entry for entry in entries if entry["event"] == "unexpected"]
    assert [entry["correlation_id"] for entry in bugs] == correlation_ids
    assert all("Traceback" in entry["exception"] for entry in bugs)
    calls = [entry for entry in entries if entry["event"] == "rpc"]
    assert {entry["reason"] for entry in calls} >= {"IDEMPOTENCY_MISMATCH", "TOKEN_INVALID", "INTERNAL"}
    assert all(DATA_KEY not in line for line in process.lines)


def _break(database: str, email_id: int) -> None:
    opened = open_database(
        Address(database), key_text=DATA_KEY, key_file=None, auto_migrate=False, serving=False
    )

    def spoil() -> None:
        Email.update(labels=f"{SECRET} is no JSON").where(Email.id == email_id).execute()
        MailServer.update(allowed_senders=f"{SECRET} is no JSON").execute()
        raise_generation()

    asyncio.run(opened.store.write(spoil))
    opened.close()
