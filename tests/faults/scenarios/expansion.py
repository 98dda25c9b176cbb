"""kill -9 while an audience is looked up: nobody of it is left out, and no copy is made twice."""

from __future__ import annotations

import asyncio
import collections
from pathlib import Path

import grpc.aio

from faults.balance import PENDING, Balance, release
from faults.ledger import AGAIN
from faults.outcome import Outcome
from faults.processes import Process, watched
from faults.sink import Sink
from postroom.v1 import (
    audience_pb2,
    directory_service_pb2,
    directory_service_pb2_grpc,
    email_pb2,
    member_pb2,
)
from postroom_server.failpoints import NAMES

PLACES = tuple(name for name in NAMES if name.endswith("_expansion_commit"))
# Found in pages of 500.
AT_ONCE = 1000
PATIENCE = 600.0


async def killed(folder: Path, database: str, *, members: int, kills: int) -> Outcome:
    """Kills a process at its pages again and again, before and after they are stored."""
    addresses = [f"member-{number}@example.com" for number in range(members)]
    async with watched(folder, database) as ([process], sink, _):
        await _add_members(process, addresses)
        process.kill()
        await process.start(f"{PLACES[0]}=kill:1")
        await _send(process)
        died = 0
        for number in range(1, kills + 1):
            died += await process.until_gone(90)
            if number < kills:
                process.launch(f"{PLACES[number % len(PLACES)]}=kill:1")
        await process.start()
        email_id = await _send(process)
        email, held = await _ended(process, email_id)
        found = _balance(addresses, sink, email, held)
    assert died == kills
    dose = f"{kills} kills, {members} members"
    notes = f"{email.counts.delivered} copies delivered of {email.counts.total}"
    return Outcome("kill -9 while an audience is looked up", dose, found, notes)


async def _add_members(process: Process, addresses: list[str]) -> None:
    stub = directory_service_pb2_grpc.DirectoryServiceStub(process.channel)
    for first in range(0, len(addresses), AT_ONCE):
        some = enumerate(addresses[first : first + AT_ONCE], first + 1)
        request = directory_service_pb2.BatchUpsertMembersRequest(
            members=[member_pb2.Member(user_id=id_, address=address) for id_, address in some]
        )
        await stub.BatchUpsertMembers(request, metadata=process.client.metadata())


async def _send(process: Process) -> int:
    """The same email each time. 0: the process was gone before it could answer."""
    everybody = audience_pb2.Audience(type=audience_pb2.AUDIENCE_TYPE_ALL)
    try:
        return await process.client.send(request_id="to-all", to=[], audience=everybody)
    except grpc.aio.AioRpcError as error:
        if error.code() not in AGAIN:
            raise
        return 0


async def _ended(process: Process, email_id: int) -> tuple[email_pb2.Email, int]:
    """The email once it is settled, and how many of its mails were held and released for that."""
    held = 0
    async with asyncio.timeout(PATIENCE):
        while (email := await process.client.get(email_id)).state == PENDING:
            held += await release(process.client, email) if email.held_count else 0
            await asyncio.sleep(0.2)
    return email, held


def _balance(addresses: list[str], sink: Sink, email: email_pb2.Email, held: int) -> Balance:
    """Of members, where others are of mails: each was promised a copy."""
    copies = collections.Counter(
        address for handed in sink.handed if handed.is_copy for address in handed.recipients
    )
    duplicates = sum(count - 1 for count in copies.values())
    return Balance(
        accepted=len(addresses),
        lost=[address for address in addresses if not copies[address]],
        duplicates=duplicates,
        ambiguous=email.ambiguous_count,
        unexplained=[address for address, count in copies.items() if count > 1]
        if duplicates > email.ambiguous_count
        else [],
        stuck=[],
        unknown=email.counts.unknown,
        held=held,
        changed=[],
        strangers=sorted(set(copies) - set(addresses)),
    )
