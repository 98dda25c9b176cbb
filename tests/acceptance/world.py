"""A whole server as assembly puts it together, used through its gRPC face; its mail goes to real peers."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import email.policy
from collections.abc import AsyncIterator, Awaitable, Callable
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any, cast

import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2

from peers.smtp_peer import SmtpPeer
from postroom.v1 import (
    email_pb2,
    email_service_pb2,
    email_service_pb2_grpc,
    event_pb2,
    mail_server_pb2,
    mail_server_service_pb2,
    mail_server_service_pb2_grpc,
    template_pb2,
    template_service_pb2,
    template_service_pb2_grpc,
)
from postroom_server import assembly
from postroom_server.clock import Clock, Millis
from postroom_server.mail import tokens
from postroom_server.mail.caller import Scope
from postroom_server.mail.tenants import TenantForm, Tenants, TenantSettings
from postroom_server.settings import Settings
from postroom_server.store.ids import IdMint

DATA_KEY = "5a" * 32
TENANT = 7
SENDER = "noreply@example.com"
PATIENCE = 20.0
PENDING = email_pb2.EMAIL_STATE_PENDING


class LeapingClock(Clock):
    """The machine's clock, set forward as the test likes: what is due in an hour is due at once."""

    def __init__(self) -> None:
        self.ahead: Millis = 0

    def now(self) -> Millis:
        return super().now() + self.ahead

    def leap(self, milliseconds: Millis) -> None:
        self.ahead += milliseconds


@dataclasses.dataclass(frozen=True)
class Refused:
    code: str
    reason: str
    fields: dict[str, str]  # by path, the reason


class Client:
    """`call("SendEmail", …)` answers as a client sees it; `send` takes the fields of a request."""

    def __init__(self, channel: grpc.aio.Channel, clock: Clock, token: str = "") -> None:
        self.channel = channel
        self.clock = clock
        self.token = token
        self.emails = email_service_pb2_grpc.EmailServiceStub(channel)
        self.servers = mail_server_service_pb2_grpc.MailServerServiceStub(channel)
        self.templates = template_service_pb2_grpc.TemplateServiceStub(channel)

    def metadata(self, token: str = "") -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {token or self.token}"),)

    async def call(self, method: str, request: Any, *, token: str = "") -> Any:
        for stub in (self.emails, self.servers, self.templates):
            if hasattr(stub, method):
                return await getattr(stub, method)(request, metadata=self.metadata(token))
        raise AssertionError(method)

    async def refused(self, method: str, request: Any) -> Refused:
        try:
            answer = await self.call(method, request)
        except grpc.aio.AioRpcError as error:
            return _read(error)
        raise AssertionError(f"was not refused: {answer}")

    async def add_server(self, port: int, **fields: Any) -> int:
        values: dict[str, Any] = {
            "name": f"server-{port}", "host": "127.0.0.1", "port": port,
            "tls_mode": mail_server_pb2.TLS_MODE_OFF, "from_address": SENDER, **fields,
        }  # fmt: skip
        request = mail_server_service_pb2.CreateMailServerRequest(
            mail_server=mail_server_pb2.MailServer(**values)
        )
        return (await self.call("CreateMailServer", request)).mail_server.id

    async def server(self, id_: int) -> mail_server_pb2.MailServer:
        request = mail_server_service_pb2.GetMailServerRequest(id=id_)
        return (await self.call("GetMailServer", request)).mail_server

    async def add_template(self, html: str = "<p>Hello %name%</p>", subject: str = "Hi %name%") -> None:
        content = template_pb2.TemplateContent(
            default_language="en",
            variants=[
                template_pb2.Variant(language="en", subject=subject, html=html),
                template_pb2.Variant(language="zh-CN", subject="您好 %name%", html="<p>%name%，您好 🎉</p>"),
            ],
        )
        template = template_pb2.Template(
            invoke_name="welcome", name="Welcome", kind=template_pb2.TEMPLATE_KIND_TRIGGER, content=content
        )
        await self.call("CreateTemplate", template_service_pb2.CreateTemplateRequest(template=template))

    async def send(self, *, token: str = "", **fields: Any) -> int:
        return (await self.call("SendEmail", mail(**fields), token=token)).id

    async def get(self, id_: int) -> email_pb2.Email:
        return (await self.call("GetEmail", email_service_pb2.GetEmailRequest(id=id_))).email

    async def settled(self, id_: int) -> email_pb2.Email:
        """The email once it is no longer pending."""
        return await self.once(id_, lambda email: email.state != PENDING)

    async def once(self, id_: int, truth: Callable[[email_pb2.Email], bool]) -> email_pb2.Email:
        email = email_pb2.Email()

        async def is_so() -> bool:
            email.CopyFrom(await self.get(id_))
            return truth(email)

        await until(is_so)
        return email

    async def events(self) -> list[event_pb2.Event]:
        request = email_service_pb2.ListEventsRequest(page_size=1000)
        return list((await self.call("ListEvents", request)).events)

    def at(self, after: Millis) -> Timestamp:
        """A time so many milliseconds ahead."""
        stamp = Timestamp()
        stamp.FromMilliseconds(self.clock.now() + after)
        return stamp


class World(Client):
    """A client of a server in this process."""

    def __init__(self, running: assembly.Running, clock: LeapingClock, transport: str) -> None:
        channel: grpc.aio.Channel = running.channel
        if transport == "socket":
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{running.grpc_port}")
        super().__init__(channel, clock)
        self.clock: LeapingClock = clock
        self.running = running
        self.tokens: dict[str, str] = {}

    async def furnish(self) -> None:
        now, mint = self.clock.now(), IdMint(self.clock, node=1023)
        use = Tenants(self.clock, mint, TenantSettings())
        await self.running.store.write(use.create, TENANT, TenantForm(name="acme"))
        scopes = tuple(scope for scope in Scope if scope is not Scope.PLATFORM)
        for name, test in (("all", False), ("test", True)):
            form = tokens.TokenForm(name=name, scopes=scopes, test=test)
            made = await self.running.store.write(tokens.create, TENANT, form, now, mint)
            self.tokens[name] = made.secret
        self.token = self.tokens["all"]


def mail(**fields: Any) -> email_service_pb2.SendEmailRequest:
    values: dict[str, Any] = {"to": ["ann@example.com"], **fields}
    if not values.keys() & {"custom", "template"}:
        values = {"subject": "Hello", "custom": email_service_pb2.CustomBody(text="Hi\n"), **values}
    return email_service_pb2.SendEmailRequest(**values)


async def until(truth: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await truth():  # noqa: ASYNC110 - it is asked of another process, or of a database
            await asyncio.sleep(0.01)


async def until_received(peer: SmtpPeer, count: int) -> list[EmailMessage]:
    async with asyncio.timeout(PATIENCE):
        await peer.until(lambda: len(peer.messages) >= count)
    return [parsed(message) for message in peer.messages]


def parsed(on_the_wire: bytes) -> EmailMessage:
    """A message as its receiver reads it: the end and the doubled dots taken off."""
    return reading(unstuffed(on_the_wire))


def reading(message: bytes) -> EmailMessage:
    return cast(EmailMessage, BytesParser(policy=email.policy.default).parsebytes(message))


def unstuffed(on_the_wire: bytes) -> bytes:
    assert on_the_wire.endswith(b"\r\n.\r\n")
    return (b"\r\n" + on_the_wire[:-3]).replace(b"\r\n.", b"\r\n").removeprefix(b"\r\n")


@contextlib.asynccontextmanager
async def serving(
    database: str, transport: str = "local", *, clock: LeapingClock | None = None, **settings: Any
) -> AsyncIterator[World]:
    """A server over a database; over one that another has left, everything in it is found again."""
    clock = clock or LeapingClock()
    values: dict[str, Any] = {
        "database_url": database, "data_key": DATA_KEY, "grpc_address": "127.0.0.1:0", "http_address": "",
        "metrics_address": "", "poll_ms": 20, "drain_seconds": 5, "helo_name": "postroom.test", **settings,
    }  # fmt: skip
    async with assembly.running(Settings(**values), clock=clock) as running:
        world = World(running, clock, transport)
        yield world
        if transport == "socket":
            await world.channel.close()


def _read(error: grpc.aio.AioRpcError) -> Refused:
    packed = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    reason, fields = "", {}
    for detail in status_pb2.Status.FromString(cast(bytes, packed)).details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad):
            fields = {violation.field: violation.reason for violation in bad.field_violations}
    return Refused(error.code().name, reason, fields)
