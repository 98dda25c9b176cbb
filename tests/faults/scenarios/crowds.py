"""Too many at once: connections that want nothing, and a hundred thousand mails that may wait."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import time
from pathlib import Path

from acceptance.world import Client
from faults.balance import balance
from faults.ledger import Ledger, traffic, wait_for
from faults.outcome import Outcome
from faults.processes import processes, watched
from faults.sink import Sink
from postroom.v1 import email_service_pb2, template_pb2, template_service_pb2

GARBAGE = (b"", b"GET / HTTP/1.0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 4096, b"\xff" * 9)
# What a mail takes at the server, over the replies that one waits for in turn.
MAIL_SECONDS, REPLIES = 0.02, 4
BATCH = 1000


async def flood(folder: Path, database: str, *, connections: int) -> Outcome:
    """Opens connections to the gRPC port, under traffic, that say nothing or nonsense and stay open."""
    async with watched(folder, database) as ([process], _, ledger), contextlib.AsyncExitStack() as stack:
        host, _, port = process.address.rpartition(":")
        loop, opened = asyncio.get_running_loop(), 0
        async with traffic(ledger, pause=0.01):
            await ledger.until_handed(20)
            for number in range(connections):
                line = stack.enter_context(socket.socket())
                line.setblocking(False)
                with contextlib.suppress(OSError):
                    async with asyncio.timeout(2):
                        await loop.sock_connect(line, (host, int(port)))
                        await loop.sock_sendall(line, GARBAGE[number % len(GARBAGE)])
                        opened += 1
            await ledger.until_handed(ledger.handed + 100)
            # Somebody who was not there before is let in, too.
            client = Client(process.channel, process.client.clock, process.client.token)
            await client.get(ledger.accepted["s0-0"].id)
        found = await balance(ledger)
        assert process.is_running
    assert opened >= 0.9 * connections
    return Outcome("a flood of connections at the gRPC port", f"{opened} connections", found)


async def calls(folder: Path, database: str, *, count: int) -> Outcome:
    """Sends so many mails at once, each in a call of its own; who is refused comes again."""
    async with watched(folder, database) as ([process], _, ledger):
        began = time.monotonic()
        await asyncio.gather(*(ledger.send(f"at-once-{n}") for n in range(count)))
        seconds = time.monotonic() - began
        found = await balance(ledger)
        assert process.is_running
    notes = f"all answered within {seconds:.1f} s; {ledger.said}"
    return Outcome("a flood of calls", f"{count} calls at once", found, notes)


async def urgent(folder: Path, database: str, *, backlog: int, mails: int, within_seconds: float) -> Outcome:
    """Sends urgent mail, some ten a second, while bulk mail waits for a server that takes its time."""
    settings = {"POSTROOM_LIMIT_URGENT_PER_MINUTE": "6000", "POSTROOM_LIMIT_PENDING_PER_TENANT": "10000000"}
    async with Sink() as sink, processes(folder, database, [sink], **settings) as [process]:
        sink.pause = MAIL_SECONDS / REPLIES
        ledger = Ledger([process.client], [sink])
        await process.client.call("CreateTemplate", _bulk_template())
        for first in range(0, backlog, BATCH):
            names = [f"bulk-{n}" for n in range(first, min(first + BATCH, backlog))]
            await ledger.send_batch(names, template=_bulk)
        before = backlog - ledger.handed
        sent: dict[str, float] = {}
        for number in range(mails):
            subject = f"urgent-{number}"
            sent[subject] = time.monotonic()
            await ledger.send(subject, urgent=True)
            await asyncio.sleep(0.1)
        await wait_for(lambda: all(sink.copies[subject] for subject in sent))
        arrived = {one.subject: one.time for one in sink.handed if one.subject in sent}
        after = backlog - (ledger.handed - mails)
        sink.pause = 0.0
        found = await balance(ledger)
    waits = sorted(1000 * (arrived[subject] - begun) for subject, begun in sent.items())
    p99 = waits[min(len(waits) - 1, round(0.99 * len(waits)))]
    notes = (
        f"from the call to the dot: median {statistics.median(waits):.0f} ms, p99 {p99:.0f} ms, longest"
        f" {waits[-1]:.0f} ms; bulk mails pending meanwhile: {before} to {after}"
    )
    broken = () if p99 < 1000 * within_seconds else (f"p99 {p99:.0f} ms, not under {within_seconds} s",)
    dose = f"{mails} urgent mails, {backlog} bulk mails"
    return Outcome("urgent mail before a bulk backlog", dose, found, notes, broken)


def _bulk(subject: str) -> email_service_pb2.TemplateBody:
    body = email_service_pb2.TemplateBody(invoke_name="bulk")
    body.params["name"] = subject
    return body


def _bulk_template() -> template_service_pb2.CreateTemplateRequest:
    variant = template_pb2.Variant(language="en", subject="%name%", html="<p>Hello %name%</p>")
    content = template_pb2.TemplateContent(default_language="en", variants=[variant])
    kind = template_pb2.TEMPLATE_KIND_BATCH
    template = template_pb2.Template(invoke_name="bulk", name="Bulk", kind=kind, content=content)
    return template_service_pb2.CreateTemplateRequest(template=template)
