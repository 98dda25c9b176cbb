"""`postroom member list|delete`, and all three against a server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from google.protobuf.json_format import MessageToDict, Parse

from peers.canned_server import CannedServer, Postroom
from postroom.v1 import directory_service_pb2, member_pb2
from postroom_server.cli import main
from postroom_server.mail.caller import Scope
from postroom_server.refusals import Reason, Refusal
from postroom_server.rpc.status import of_refusal
from serving import ACME, Served, served

__all__ = ["served"]
ANN = member_pb2.Member(
    user_id=5,
    address="ann@x.test",
    language="de",
    enabled=True,
    dept_ids=[3, 4],
    group_ids=[9],
    policy_codes=["A"],
    to_policy_codes=["B"],
)
LISTED = directory_service_pb2.ListMembersResponse(members=[ANN], total_size=7, total_is_lower_bound=True)


@pytest.mark.parametrize(
    ("arguments", "filters"),
    [
        ([], None),
        (
            ["--dept", "3"],
            [{"field": "dept_id", "operator": "FILTER_OPERATOR_EQUAL", "values": ["3"]}],
        ),
        (
            ["--user-id", "5", "--user-id", "6", "--policy", "A"],
            [
                {"field": "user_id", "operator": "FILTER_OPERATOR_IN", "values": ["5", "6"]},
                {"field": "policy_code", "operator": "FILTER_OPERATOR_EQUAL", "values": ["A"]},
            ],
        ),
        (
            ["--group", "9", "--to-policy", "B", "--address", "ann@x.test"],
            [
                {"field": "address", "operator": "FILTER_OPERATOR_EQUAL", "values": ["ann@x.test"]},
                {"field": "group_id", "operator": "FILTER_OPERATOR_EQUAL", "values": ["9"]},
                {"field": "to_policy_code", "operator": "FILTER_OPERATOR_EQUAL", "values": ["B"]},
            ],
        ),
    ],
)
def test_options_become_filters(
    arguments: list[str], filters: Any, postroom: Postroom, server: CannedServer
) -> None:
    server.answers["ListMembers"] = LISTED
    result = postroom("member", "list", "--limit", "7", *arguments)
    heading, line = result.stdout.splitlines()
    assert heading.split()[:3] == ["USER", "ADDRESS", "LANGUAGE"]
    assert line.split() == ["5", "ann@x.test", "de", "yes", "3", "4", "9", "A", "B"]
    assert (result.stderr, result.exit_code) == ("1 of 7+\n", 0)
    asked = MessageToDict(server.asked("ListMembers"), preserving_proto_field_name=True)
    assert (asked["page_size"], asked.get("filters")) == (7, filters)


def test_the_whole_answer_can_be_had_as_json(postroom: Postroom, server: CannedServer) -> None:
    server.answers["ListMembers"] = LISTED
    result = postroom("member", "list", "--json")
    assert Parse(result.stdout, directory_service_pb2.ListMembersResponse()) == LISTED


def test_members_are_deleted(postroom: Postroom, server: CannedServer) -> None:
    server.answers["BatchDeleteMembers"] = directory_service_pb2.BatchDeleteMembersResponse(deleted_count=2)
    result = postroom("member", "delete", "5", "6", "7", "7")
    assert (result.stdout, result.exit_code) == ("2 of 3 deleted\n", 0)
    assert list(server.asked("BatchDeleteMembers").user_ids) == [5, 6, 7, 7]


def test_deleting_nobody_fails(postroom: Postroom, server: CannedServer) -> None:
    server.answers["BatchDeleteMembers"] = of_refusal(Refusal(Reason.MEMBER_NOT_FOUND, "nobody"))
    result = postroom("member", "delete", "5")
    assert (result.stderr, result.exit_code) == ("postroom: MEMBER_NOT_FOUND: nobody\n", 1)


def test_too_many_at_once_are_not_asked_for(postroom: Postroom, server: CannedServer) -> None:
    result = postroom("member", "delete", *map(str, range(1, 1002)))
    assert (result.exit_code, server.requests) == (2, [])
    assert "1001 user ids; at most 1000 at once" in result.stderr


async def test_a_file_is_imported_listed_and_deleted(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = await served.token("keeper", ACME, {Scope.DIRECTORY})
    monkeypatch.setenv("POSTROOM_TARGET", f"127.0.0.1:{served.running.grpc_port}")
    monkeypatch.setenv("POSTROOM_TOKEN", secret)

    async def postroom(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, main, ["member", *arguments])

    path, refused = tmp_path / "in.csv", str(tmp_path / "refused.csv")
    lines = [f"{n},user{n}@example.com,{n % 3 + 1},Ann {n}" for n in range(1, 1501)]
    path.write_text("\n".join(["user_id,address,dept_ids,name", *lines, "0,nobody,-1,Nobody"]))
    result = await postroom("import", str(path), "--refused", refused)
    assert result.stdout == "1500 stored: 1500 new, 0 known before\n"
    assert result.stderr.splitlines()[:3] == [
        "line 1502: user_id: must be a positive number of 64 bits",
        "line 1502: address: is not a mail address: it has no @",
        "line 1502: dept_ids[0]: must be a positive number of 64 bits",
    ]
    kept = await asyncio.to_thread(Path(refused).read_text)
    assert kept.splitlines()[1].endswith(",0,nobody,-1,Nobody")
    result = await postroom("import", str(path))
    assert result.stdout == "1500 stored: 0 new, 1500 known before\n"
    result = await postroom("list", "--dept", "3", "--limit", "2")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["USER", "2", "5"]
    assert result.stderr == "2 of 500\n"
    result = await postroom("delete", "2", "5", "9999")
    assert result.stdout == "2 of 3 deleted\n"
    result = await postroom("list", "--user-id", "2", "--user-id", "3")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["USER", "3"]
