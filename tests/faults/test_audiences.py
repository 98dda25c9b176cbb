"""kill -9 while an audience is looked up: nobody is skipped, and nobody is found twice."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.struct_pb2 import Struct

from faults.ledger import wait_for
from faults.processes import Process, watched
from faults.sink import Act, Sink, dies_at, well
from postroom.v1 import audience_pb2, email_pb2, email_service_pb2, filter_pb2, member_pb2, template_pb2
from postroom.v1.directory_service_pb2 import BatchUpsertMembersRequest
from postroom.v1.directory_service_pb2_grpc import DirectoryServiceStub
from postroom.v1.template_service_pb2 import CreateTemplateRequest

pytestmark = pytest.mark.faults
PAGE = 500
PATIENCE = 180.0
ALL = audience_pb2.Audience(type=audience_pb2.AUDIENCE_TYPE_ALL)
LANGUAGES = ("en", "zh-CN", "")
PENDING, UNKNOWN = email_pb2.EMAIL_STATE_PENDING, "UNKNOWN"


def address(number: int) -> str:
    return f"m{number}@example.com"


def subject(number: int) -> str:
    """What the member reads above their mail: in their language, and with their name."""
    return f"{'Ni hao' if LANGUAGES[number % 3] == 'zh-CN' else 'Dear'} N{number}"


async def fill(process: Process, count: int) -> None:
    """Members 1 to `count` of the directory, and a template in two languages."""
    directory = DirectoryServiceStub(process.channel)
    for first in range(1, count + 1, 1000):
        members = [
            member_pb2.Member(
                user_id=number,
                address=address(number),
                language=LANGUAGES[number % 3],
                attributes=_struct(name=f"N{number}"),
            )
            for number in range(first, min(first + 1000, count + 1))
        ]
        request = BatchUpsertMembersRequest(members=members)
        await directory.BatchUpsertMembers(request, metadata=process.client.metadata())
    variants = [
        template_pb2.Variant(language=tag, subject=f"{greeting} %member.name%", text="%what%")
        for tag, greeting in (("en", "Dear"), ("zh-CN", "Ni hao"))
    ]
    content = template_pb2.TemplateContent(default_language="en", variants=variants)
    template = template_pb2.Template(
        invoke_name="news", name="News", kind=template_pb2.TEMPLATE_KIND_BATCH, content=content
    )
    await process.client.call("CreateTemplate", CreateTemplateRequest(template=template))


async def send(process: Process, **fields: Any) -> int:
    body = email_service_pb2.TemplateBody(invoke_name="news", params=_struct(what="all is well"))
    request = email_service_pb2.SendEmailRequest(
        request_id="news", audience=ALL, language="en", template=body, **fields
    )
    return int((await process.client.call("SendEmail", request)).id)


async def once(process: Process, email_id: int, truth: Callable[[email_pb2.Email], bool]) -> email_pb2.Email:
    """The email once it is so. After a crash that takes a while: each of its mails is sent alone."""
    async with asyncio.timeout(PATIENCE):
        while not truth(email := await process.client.get(email_id)):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.05)
    return email


async def until_found(process: Process, email_id: int, count: int) -> None:
    await once(process, email_id, lambda found: found.audience_progress.found >= count)


async def states(process: Process, email_id: int, count: int) -> dict[str, str]:
    """How each recipient has ended."""
    found: dict[str, str] = {}
    request = email_service_pb2.ListRecipientsRequest(email_id=email_id, page_size=1000)
    for state in ("DELIVERED", "UNKNOWN", "OPEN", "REFUSED", "EXPIRED", "CANCELLED"):
        equal = filter_pb2.FILTER_OPERATOR_EQUAL
        del request.filters[:]
        request.filters.add(field="state", operator=equal, values=[state])
        request.page_token = ""
        while True:
            page = await process.client.call("ListRecipients", request)
            assert not any(one.address in found for one in page.recipients)
            found |= {one.address: state for one in page.recipients}
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
    assert sorted(found) == sorted(map(address, range(1, count + 1)))
    return found


def check_handed(sink: Sink, count: int) -> collections.Counter[str]:
    """How many copies each member was handed: each of them says what is theirs."""
    copies: collections.Counter[str] = collections.Counter()
    mine = {address(number): subject(number) for number in range(1, count + 1)}
    for handed in sink.handed:
        (recipient,) = handed.recipients
        if recipient in mine:
            assert handed.subject == mine[recipient]
            copies[recipient] += 1
    return copies


# A sample: before anything is found, in the middle, and before the last page. `make faults` kills at all.
@pytest.mark.parametrize(
    ("place", "page"),
    [("before_expansion_commit", 1), ("after_expansion_commit", 2), ("before_expansion_commit", 3)],
)
async def test_a_kill_at_a_page_neither_repeats_nor_skips_anyone(
    database: str, tmp_path: Path, place: str, page: int
) -> None:
    count = 2 * PAGE + 100
    async with watched(tmp_path, database) as ([process], sink, _):
        await fill(process, count)
        process.kill()
        # Nothing is handed over before the kill, so that there is nothing that nobody knows.
        sink.mood = lambda phase, _: Act.SILENT if phase == "BANNER" else Act.WELL
        await process.start(f"{place}=kill:{page}")
        with_luck = await _send_or_die(process)
        assert await process.until_gone(15)
        sink.mood = well
        await process.start()
        email_id = with_luck or await send(process)
        email = await settled(process, email_id)
        assert (email.state, email.audience_progress.found) == (email_pb2.EMAIL_STATE_SUCCESS, count)
        assert set(check_handed(sink, count).values()) == {1}
        assert len(check_handed(sink, count)) == count
        assert set((await states(process, email_id, count)).values()) == {"DELIVERED"}


async def test_kills_in_the_middle_of_a_large_audience_beside_urgent_mail(
    database: str, tmp_path: Path, chance: random.Random
) -> None:
    """Told never to send twice, so that one copy at most is what each member may have."""
    count = 5000
    async with watched(tmp_path, database) as ([process], sink, ledger):
        await fill(process, count)
        email_id = await send(process, guarantee=email_pb2.GUARANTEE_AT_MOST_ONCE)
        for kill in (1, 2):
            await until_found(process, email_id, kill * 1000)
            await ledger.send(f"urgent-{kill}", urgent=True)
            await wait_for(lambda name=f"urgent-{kill}": sink.copies[name] > 0)  # type: ignore[misc]
            assert (await process.client.get(email_id)).state == PENDING
            await _kill_soon(process, chance)
            await process.start()
        await until_found(process, email_id, count)
        await settled(process, email_id)
        ended = await states(process, email_id, count)
        copies = check_handed(sink, count)
        assert max(copies.values()) == 1
        assert {ended[name] for name in ended if not copies[name]} <= {UNKNOWN}
        assert all(copies[name] for name, state in ended.items() if state == "DELIVERED")


async def test_two_processes_look_up_the_same_audience_and_one_of_them_dies(
    postgresql_database: str, tmp_path: Path, chance: random.Random
) -> None:
    count = 5000
    async with watched(tmp_path, postgresql_database, 2) as (processes, sink, _):
        await fill(processes[0], count)
        email_id = await send(processes[0], guarantee=email_pb2.GUARANTEE_AT_MOST_ONCE)
        await until_found(processes[0], email_id, 1000)
        victim = chance.choice(processes)
        victim.kill()
        other = processes[victim is processes[0]]
        await until_found(other, email_id, count)
        await victim.start()
        await settled(other, email_id)
        ended = await states(other, email_id, count)
        copies = check_handed(sink, count)
        assert max(copies.values()) == 1
        assert {ended[name] for name in ended if not copies[name]} <= {UNKNOWN}


async def test_a_line_that_is_cut_in_the_middle_costs_nobody_their_copy(
    database: str, tmp_path: Path
) -> None:
    count = PAGE + 1
    async with watched(tmp_path, database) as ([process], sink, _):
        await fill(process, count)
        sink.mood = dies_at("RCPT")
        email_id = await send(process)
        await until_found(process, email_id, count)
        sink.mood = well
        process.kill()
        await process.start()
        email = await settled(process, email_id)
        assert email.state == email_pb2.EMAIL_STATE_SUCCESS
        assert len(check_handed(sink, count)) == count


async def settled(process: Process, email_id: int) -> email_pb2.Email:
    """The email once it is settled; what has crashed three times is released, for it was not its fault."""
    while True:
        email = await once(process, email_id, lambda found: found.state != PENDING or found.held_count > 0)
        if email.state != PENDING:
            return email
        with contextlib.suppress(grpc.aio.AioRpcError):  # it has been released in between
            await process.client.call("ReleaseEmail", email_service_pb2.ReleaseEmailRequest(id=email_id))


async def _kill_soon(process: Process, chance: random.Random) -> None:
    await process.until_gone(chance.uniform(0.0, 0.3))
    process.kill()


async def _send_or_die(process: Process) -> int:
    """The email's id; 0 when the process was gone before it could tell: then it is asked again."""
    with contextlib.suppress(grpc.aio.AioRpcError):
        return await send(process)
    return 0


def _struct(**values: Any) -> Struct:
    struct = Struct()
    struct.update(values)
    return struct
