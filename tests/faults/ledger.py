"""The ledger: every mail that was accepted, as its sender was told, kept outside of the system under test."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc.aio
from google.rpc import error_details_pb2, status_pb2

from acceptance.world import Client, mail
from faults.sink import Sink
from postroom.v1 import email_pb2, email_service_pb2

PATIENCE = 60.0
# A call that meets a socket in the moment of its closing is CANCELLED, by gRPC's core itself.
AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED)
LARGE = "All work and no play makes a long mail. " * 2500  # more than one piece of a body
BATCH = 20
NEVER_TWICE = email_pb2.GUARANTEE_AT_MOST_ONCE

# One call of a sender, who has a name and counts.
Send = Callable[[str, int], Awaitable[None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Promise:
    """An email that was answered OK."""

    id: int
    never_twice: bool
    time: float  # monotonic


@dataclasses.dataclass
class Ledger:
    """Sends as a careful client does: again, with the same request_id, until it is answered."""

    clients: Sequence[Client]
    sinks: Sequence[Sink]
    accepted: dict[str, Promise] = dataclasses.field(default_factory=dict)
    refusals: list[grpc.aio.AioRpcError] = dataclasses.field(default_factory=list)
    _turn: itertools.count[int] = dataclasses.field(default_factory=itertools.count)

    @property
    def handed(self) -> int:
        """How many messages the sinks were given."""
        return sum(len(sink.handed) for sink in self.sinks)

    async def send(self, subject: str, **fields: Any) -> None:
        request = _request(subject, **fields)
        answer = await self._insist("SendEmail", request)
        self._keep(request, answer.id)

    async def send_batch(self, subjects: Sequence[str], **fields: Any) -> None:
        """Until each item is accepted: a server that falls silent in the middle refuses some."""
        left = [_request(subject, **fields) for subject in subjects]
        while left:
            batch = email_service_pb2.BatchSendEmailsRequest(items=left)
            answer = await self._insist("BatchSendEmails", batch)
            told = list(zip(left, answer.results, strict=True))
            for request, result in told:
                if result.HasField("accepted"):
                    self._keep(request, result.accepted.id)
            left = [request for request, result in told if not result.HasField("accepted")]

    async def send_mixed(self, name: str, number: int) -> None:
        """One call of the traffic: mostly single mails, some of them large, some never to be repeated."""
        subject = f"{name}-{number}"
        if number % 11 == 10:
            await self.send_batch([f"{subject}-{place}" for place in range(BATCH)])
        elif number % 7 == 6:
            await self.send_never_twice(name, number)
        else:
            # Of two parts, some of them: there is a boundary that must stay the same.
            html = "<p>Hi</p>" if number % 2 else ""
            await self.send(subject, text=LARGE if number % 13 == 12 else "Hi", html=html)

    async def send_never_twice(self, name: str, number: int) -> None:
        await self.send(f"{name}-{number}", html="<p>Hi</p>", guarantee=NEVER_TWICE)

    async def until_handed(self, count: int, seconds: float = PATIENCE) -> None:
        """Waits until the sinks were given so many messages."""
        await wait_for(lambda: self.handed >= count, seconds)

    async def _insist(self, method: str, request: Any) -> Any:
        async with asyncio.timeout(PATIENCE):
            while True:
                client = self.clients[next(self._turn) % len(self.clients)]
                try:
                    return await client.call(method, request)
                except grpc.aio.AioRpcError as error:
                    if error.code() not in AGAIN:
                        raise
                    self.refusals.append(error)
                    await asyncio.sleep(0.02)

    def _keep(self, request: Any, email_id: int) -> None:
        never_twice = request.guarantee == NEVER_TWICE
        self.accepted[request.request_id] = Promise(email_id, never_twice, time.monotonic())

    @property
    def said(self) -> str:
        """With which codes calls were refused."""
        reasons = collections.Counter(error.code().name for error in self.refusals)
        return "refused meanwhile: " + (
            ", ".join(f"{n} {code}" for code, n in sorted(reasons.items())) or "none"
        )


def _request(
    subject: str,
    *,
    text: str = "Hi",
    html: str = "",
    template: Callable[[str], email_service_pb2.TemplateBody] | None = None,
    **fields: Any,
) -> email_service_pb2.SendEmailRequest:
    """A mail with this subject, which is its request_id, too; `template` makes its body, if it has one."""
    if template is not None:
        body: dict[str, Any] = {"template": template(subject)}
    else:
        body = {"subject": subject, "custom": email_service_pb2.CustomBody(text=text, html=html)}
    return mail(request_id=subject, to=[f"{subject}@example.com"], **body, **fields)


@contextlib.asynccontextmanager
async def traffic(
    ledger: Ledger, senders: int = 6, *, pause: float = 0.0, send: Send | None = None
) -> AsyncIterator[None]:
    """Mail from several senders for as long as the context lasts; each of them is answered before it ends."""
    told_to_stop = asyncio.Event()
    async with asyncio.TaskGroup() as sending:
        for number in range(senders):
            sending.create_task(_send_until(told_to_stop, send or ledger.send_mixed, f"s{number}", pause))
        try:
            yield
        finally:
            told_to_stop.set()


async def _send_until(told: asyncio.Event, send: Send, name: str, pause: float) -> None:
    for number in itertools.count():
        await send(name, number)
        if told.is_set():
            return
        await asyncio.sleep(pause)


async def wait_for(truth: Callable[[], bool], seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not truth():  # noqa: ASYNC110 - it is true of another process
            await asyncio.sleep(0.01)


def retry_after(error: grpc.aio.AioRpcError) -> float | None:
    """What RetryInfo says, in seconds; None without one."""
    packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if packed is None:
        return None
    retry = error_details_pb2.RetryInfo()
    for detail in status_pb2.Status.FromString(packed).details:
        if detail.Unpack(retry):
            return retry.retry_delay.ToTimedelta().total_seconds()
    return None
