"""What lists, counts, leases and deletes cost when there are very many emails: 10 thousand to 5 million.

A database of each size and a server for each, side by side, so that sizes take turns as contenders do.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio
from bench import filled, lease
from bench.figures import Chapter, Figure, spaced
from bench.grpc_load import OPTIONS
from bench.lease import Clockwork
from bench.postgresql import cluster
from bench.run import Run
from bench.served import Postroom, postroom

from postroom.v1 import email_service_pb2, email_service_pb2_grpc, filter_pb2
from postroom_server.clock import Clock
from postroom_server.delivery.lease import Turns
from postroom_server.delivery.settler import AT_ONCE
from postroom_server.store.ids import IdMint
from postroom_server.store.opening import Address, open_database

SIZES = (10_000, 100_000, 1_000_000, 5_000_000)
QUICK_SIZES = (10_000, 100_000)
NARROW = 10_000
FIRST_PAGE = "first page of ten, newest first"
NARROWED = f"narrowed to {NARROW} by biz_key, with the exact total"
_ALL = "first page, with the exact total of all"
_DELETE = "delete 200, here and there"
_LEASE = f"lease and settle, each of {AT_ONCE}"
_START, _RESIDENT = "start-up", "resident, all this asked"
_UNIT = {_LEASE: "µs", _START: "s", _RESIDENT: "MiB"}
_Call = Callable[[], Awaitable[Any]]


def sqlite(run: Run) -> Chapter:
    return _scale(run, "SQLite", [""] * len(_sizes(run)))


def on_postgresql(run: Run) -> Chapter:
    with cluster() as found:
        if found is None:
            return Chapter(f"{TITLE}, PostgreSQL", "", absent=["PostgreSQL cannot be had"])
        return _scale(run, f"PostgreSQL {found.version}", [found.new_database() for _ in _sizes(run)])


TITLE = "Very many emails"


def column(size: int) -> str:
    return spaced(size)


def _sizes(run: Run) -> tuple[int, ...]:
    return QUICK_SIZES if run.quick else SIZES


def _scale(run: Run, database: str, urls: list[str]) -> Chapter:
    taken: dict[tuple[str, int], list[float]] = {}
    filling: dict[int, float] = {}
    rounds = run.either(20, 5)
    with contextlib.ExitStack() as stack:
        servers: dict[int, Postroom] = {}
        for size, url in zip(_sizes(run), urls, strict=True):
            server = servers[size] = stack.enter_context(postroom("warning", database_url=url))
            server.relay_to(9, 1)  # nobody listens there, and nothing is due
            began = time.perf_counter()
            narrow = min(size, NARROW)
            filled.fill(server, run.loader, rows=size, narrow=narrow, first=run.numbers(2))
            filling[size] = time.perf_counter() - began
        asyncio.run(_ask(servers, rounds, taken))
        for size, server in servers.items():
            taken[_RESIDENT, size] = [server.resident]
        for _ in range(run.either(3, 1)):
            for size, server in servers.items():
                server.end()
                server.start()
                taken.setdefault((_START, size), []).append(server.start_seconds)
        for server in servers.values():
            count = AT_ONCE * (rounds // 4 + 1)
            run.loader.ask(
                do="batches", target=server.target, token=server.token, mails=count,
                first=run.numbers(count), per_call=AT_ONCE, in_flight=1, later=True,
            )  # fmt: skip
            server.end()
        for size, server in servers.items():
            taken[_LEASE, size] = _leased(server, rounds // 4)
    chapter = Chapter(
        f"{TITLE}, {database.partition(' ')[0]}",
        f"{database}, with tables of these sizes, each with a server of its own; sizes take turns. "
        "Milliseconds of one gRPC call after the other, seen from a client on the same machine; a total "
        "is counted in each call. Deleted are emails drawn at random. Leasing and settling are the engine's "
        "own units, in batches, in microseconds of processor time a mail, one size after the other. Filling "
        f"the largest took {filling[_sizes(run)[-1]]:.0f} seconds.",
    )
    for (name, size), values in sorted(
        taken.items(), key=lambda item: (_ORDER.index(item[0][0]), item[0][1])
    ):
        smallest = taken[name, _sizes(run)[0]] if size != _sizes(run)[0] else None
        chapter.figures.append(
            Figure(
                f"{name}, {column(size)} emails", _UNIT.get(name, "ms"), values, smallest,
                row=f"{name} ({_UNIT.get(name, 'ms')})", column=column(size),
            )
        )  # fmt: skip
    return chapter


async def _ask(servers: dict[int, Postroom], rounds: int, taken: dict[tuple[str, int], list[float]]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        calls: dict[int, dict[str, _Call]] = {}
        for size, server in servers.items():
            channel = await stack.enter_async_context(
                grpc.aio.insecure_channel(server.target, options=OPTIONS)
            )
            calls[size] = await _calls(channel, server.token, size, rounds)
        for turn in range(rounds + 1):
            for name in _CALLS:
                for size in servers:
                    began = time.perf_counter()
                    await calls[size][name]()
                    if turn:
                        taken.setdefault((name, size), []).append((time.perf_counter() - began) * 1000)


async def _calls(channel: grpc.aio.Channel, token: str, size: int, rounds: int) -> dict[str, _Call]:
    stub = email_service_pb2_grpc.EmailServiceStub(channel)
    metadata = (("authorization", f"Bearer {token}"),)
    none, exact = filter_pb2.COUNT_NONE, filter_pb2.COUNT_EXACT

    def equal(field: str, value: str) -> filter_pb2.Filter:
        return filter_pb2.Filter(field=field, operator=filter_pb2.FILTER_OPERATOR_EQUAL, values=[value])

    def listing(
        *filters: filter_pb2.Filter, count: filter_pb2.Count = none, skip: int = 0, wanted: int = -1
    ) -> _Call:
        request = email_service_pb2.ListEmailsRequest(
            page_size=10, filters=filters, count=count, skip=skip, order_by="id desc"
        )

        async def call() -> None:
            told = await stub.ListEmails(request, metadata=metadata)
            if not told.emails or wanted not in (-1, told.total_size):
                raise RuntimeError(f"{len(told.emails)} emails, {told.total_size} in all, not {wanted}")

        return call

    newest = (await stub.ListEmails(
        email_service_pb2.ListEmailsRequest(page_size=1, order_by="id desc", count=none,
                                            filters=[equal("out_id", f"bench-{size}")]),
        metadata=metadata,
    )).emails[0].id  # fmt: skip
    drawn = random.Random(size).sample(range(size // 2), 200 * (rounds + 1))
    batches = [drawn[at : at + 200] for at in range(0, len(drawn), 200)]
    narrow = equal("biz_key", filled.BIZ_KEY)

    async def delete() -> None:
        ids = [newest - 8 * each for each in batches.pop()]
        told = await stub.BatchDeleteEmails(
            email_service_pb2.BatchDeleteEmailsRequest(ids=ids), metadata=metadata
        )
        if told.deleted_count != 200:
            raise RuntimeError(f"{told.deleted_count} of 200 were deleted")

    async def read() -> None:
        await stub.GetEmail(
            email_service_pb2.GetEmailRequest(id=newest - 8 * (size // 2 + 1)), metadata=metadata
        )

    return {
        FIRST_PAGE: listing(),
        NARROWED: listing(narrow, count=exact),
        "page 50 of the narrowed": listing(narrow, skip=490),
        "ten by out_id, with the exact total": listing(equal("out_id", "bench-7"), count=exact, wanted=1),
        _ALL: listing(count=exact),
        "one email, whole": read,
        _DELETE: delete,
    }  # fmt: skip


_CALLS = (
    FIRST_PAGE,
    NARROWED,
    "page 50 of the narrowed",
    "ten by out_id, with the exact total",
    _ALL,
    "one email, whole",
    _DELETE,
)
_ORDER = (*_CALLS, _LEASE, _START, _RESIDENT)


def _leased(server: Postroom, rounds: int) -> list[float]:
    """Microseconds of processor time a mail, leased and settled."""
    clockwork = Clockwork()
    asyncio.run(_lease(server, rounds, clockwork))
    steps = (clockwork.processor["lease"], clockwork.processor["settle"])
    return [sum(both) for both in zip(*steps, strict=True)]


async def _lease(server: Postroom, rounds: int, clockwork: Clockwork) -> None:
    opened = open_database(
        Address(server.database_url), key_text=server.data_key or None, key_file=None, auto_migrate=False
    )
    try:
        clock = Clock()
        mint, turns = IdMint(clock), Turns()
        for turn in range(rounds + 1):
            await lease.round_of(
                opened.store, AT_ONCE, clock, mint, turns, clockwork if turn else Clockwork()
            )
    finally:
        opened.close()
