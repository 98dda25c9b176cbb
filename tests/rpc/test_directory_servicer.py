"""DirectoryService as callers see it, over both transports."""

from __future__ import annotations

from typing import Any

import grpc.aio
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from postroom.v1 import directory_service_pb2, error_reason_pb2, filter_pb2, member_pb2
from postroom_server.clock import Clock
from postroom_server.mail.caller import Scope
from serving import ACME, Served, Told, served

__all__ = ["served"]
ANSWER_BYTES = 4 << 20


class Keeper:
    """Calls as a token of ACME with scope directory and no other."""

    def __init__(self, served: Served, secret: str, channel: grpc.aio.Channel) -> None:
        self.served, self.secret, self.channel = served, secret, channel

    async def __call__(self, method: str, **fields: Any) -> Told:
        return await self.served.call(
            f"DirectoryService.{method}", self.secret, channel=self.channel, **fields
        )

    async def put(self, *members: member_pb2.Member) -> directory_service_pb2.BatchUpsertMembersResponse:
        answer: directory_service_pb2.BatchUpsertMembersResponse = (
            await self("BatchUpsertMembers", members=members)
        ).message
        return answer

    async def users(self, **fields: Any) -> list[int]:
        return [one.user_id for one in (await self("ListMembers", **fields)).message.members]


@pytest.fixture
async def call(served: Served, transport: str) -> Keeper:
    channel = served.local if transport == "local" else served.socket
    return Keeper(served, await served.token("keeper", ACME, {Scope.DIRECTORY}), channel)


def member(user_id: int, address: str | None = None, **fields: Any) -> member_pb2.Member:
    return member_pb2.Member(user_id=user_id, address=address or f"user{user_id}@example.com", **fields)


def equal(field: str, *values: str) -> filter_pb2.Filter:
    return filter_pb2.Filter(field=field, operator=filter_pb2.FILTER_OPERATOR_EQUAL, values=values)


async def test_a_member_is_told_in_the_contracts_words(call: Keeper) -> None:
    before = Clock().now()
    attributes = {"name": "Ann", "level": 2, "tags": ["a", None, True], "deep": {"x": 0.5}}
    stored = await call.put(
        member(
            5,
            "Ann@EXAMPLE.com",
            tenant_id=99,
            language="ZH_cn",
            dept_ids=[3, 1],
            group_ids=[9],
            policy_codes=["GM_USER"],
            to_policy_codes=["OP"],
            attributes=attributes,
        ),
        member(6, enabled=False),
    )
    assert (stored.created_count, stored.updated_count, list(stored.refused)) == (2, 0, [])
    answer = (await call("ListMembers")).message
    first, second = answer.members
    assert (answer.total_size, answer.total_is_lower_bound, answer.next_page_token) == (2, False, "")
    assert (first.tenant_id, first.user_id, first.address) == (ACME, 5, "Ann@example.com")
    assert (first.language, list(first.dept_ids), list(first.group_ids)) == ("zh-CN", [1, 3], [9])
    assert (list(first.policy_codes), list(first.to_policy_codes)) == (["GM_USER"], ["OP"])
    assert MessageToDict(first.attributes) == attributes
    assert (first.enabled, second.enabled, second.HasField("enabled")) == (True, False, True)
    assert not second.HasField("attributes")
    assert before - 1000 <= first.create_time.ToMilliseconds() <= Clock().now()
    assert first.create_time == first.update_time
    again = await call.put(member(5), member(6, enabled=False))
    assert (again.created_count, again.updated_count) == (0, 2)
    (first,) = (await call("ListMembers", filters=[equal("user_id", "5")])).message.members
    assert not first.dept_ids
    assert not first.attributes.fields
    assert first.update_time.ToMilliseconds() > first.create_time.ToMilliseconds()


async def test_what_is_refused_is_told_singly(call: Keeper) -> None:
    stored = await call.put(member(1), member(0, "bad", language="?"), member(2))
    (refused,) = stored.refused
    assert (stored.created_count, refused.index) == (2, 1)
    assert (refused.refusal.code, refused.refusal.reason) == (
        "INVALID_ARGUMENT",
        error_reason_pb2.ERROR_REASON_INVALID_FIELD,
    )
    assert [violation.field for violation in refused.refusal.violations] == [
        "user_id", "address", "language",
    ]  # fmt: skip
    assert await call.users() == [1, 2]


async def test_sizes_of_requests(call: Keeper) -> None:
    many = [member(user_id) for user_id in range(1, 1002)]
    for method, fields, wrong in (
        ("BatchUpsertMembers", {"members": many}, "members"),
        ("BatchUpsertMembers", {}, "members"),
        ("BatchDeleteMembers", {"user_ids": range(1001)}, "user_ids"),
        ("BatchDeleteMembers", {}, "user_ids"),
    ):
        told = await call(method, **fields)
        assert (told.code, told.fields) == ("INVALID_ARGUMENT", [wrong])
    assert (await call.put(*many[:1000])).created_count == 1000
    told = await call("BatchDeleteMembers", user_ids=range(1, 1001))
    assert told.message.deleted_count == 1000
    told = await call("BatchDeleteMembers", user_ids=range(1, 1001))
    assert (told.code, told.reason) == ("NOT_FOUND", "MEMBER_NOT_FOUND")


async def test_a_list_is_walked_by_its_tokens(call: Keeper) -> None:
    await call.put(*(member(n, dept_ids=[n % 2 + 1]) for n in range(1, 8)))
    found, token = [], ""
    for _ in range(2):
        page = (
            await call("ListMembers", page_size=2, page_token=token, filters=[equal("dept_id", "2")])
        ).message
        found += [one.user_id for one in page.members]
        token = page.next_page_token
    assert (found, token) == ([1, 3, 5, 7], "")
    told = await call("ListMembers", page_token="forged")
    assert (told.code, told.reason) == ("INVALID_ARGUMENT", "INVALID_PAGE_TOKEN")
    told = await call("ListMembers", order_by="id", filters=[equal("id", "1")])
    assert told.fields == ["filters[0].field", "order_by"]


async def test_an_answer_ends_before_it_is_too_big(call: Keeper) -> None:
    """A number is two bytes of JSON and eleven of a Struct: what is short in rows is long on the line."""
    wide = Struct()
    wide.update({"numbers": [1] * 8000})
    for start in range(1, 81, 20):
        await call.put(*(member(n, attributes=wide) for n in range(start, start + 20)))
    walked, token, pages = [], "", 0
    while token or not pages:
        answer = (await call("ListMembers", page_size=1000, page_token=token)).message
        assert answer.ByteSize() <= ANSWER_BYTES
        walked += [one.user_id for one in answer.members]
        token, pages = answer.next_page_token, pages + 1
        assert answer.total_size == 80
    assert walked == list(range(1, 81))
    assert pages == 2


async def test_a_member_at_every_limit_is_stored_and_told(call: Keeper) -> None:
    largest = (1 << 63) - 1
    await call.put(
        member(
            largest,
            dept_ids=range(largest - 499, largest + 1),
            group_ids=range(largest - 499, largest + 1),
            policy_codes=[f"{n:03}" + "語" * 77 for n in range(500)],
            to_policy_codes=[f"{n:03}" + "語" * 77 for n in range(500)],
            attributes={"text": "x" * (16 * 1024 - 11)},
        )
    )
    (told,) = (await call("ListMembers")).message.members
    assert (told.user_id, told.dept_ids[-1], len(told.to_policy_codes)) == (largest, largest, 500)
    assert len(told.attributes["text"]) == 16 * 1024 - 11


async def test_refusals_without_end_leave_an_answer_that_can_be_read(call: Keeper) -> None:
    wrong = [member(0, "bad", dept_ids=[0] * 500, policy_codes=["\0"] * 500) for _ in range(1000)]
    answer = await call.put(*wrong)
    assert len(answer.refused) == 1000
    assert answer.ByteSize() <= ANSWER_BYTES
    assert answer.refused[0].refusal.violations[0].field == "user_id"
    assert answer.refused[0].refusal.metadata["violations"] == "104"


async def test_numbers_that_are_none_are_refused(call: Keeper) -> None:
    broken = member(1)
    broken.attributes.fields["x"].number_value = float("nan")
    (refused,) = (await call.put(broken)).refused
    assert [violation.field for violation in refused.refusal.violations] == ["attributes.x"]


async def test_e4_the_platform_keeps_a_tenants_members(served: Served) -> None:
    platform = await served.token("platform", 0, Scope)
    asked = {"members": [member(5)], "tenant_id": ACME}
    told = await served.call("DirectoryService.BatchUpsertMembers", platform, **asked)
    assert told.message.created_count == 1
    own = await served.token("own", ACME, {Scope.DIRECTORY})
    told = await served.call("DirectoryService.ListMembers", own)
    assert [one.tenant_id for one in told.message.members] == [ACME]
    told = await served.call("DirectoryService.BatchDeleteMembers", platform, user_ids=[5], tenant_id=ACME)
    assert told.message.deleted_count == 1
    told = await served.call("DirectoryService.ListMembers", platform, tenant_id=99)
    assert not told.message.members
