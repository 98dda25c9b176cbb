"""`postroom member import`: batches, the report of refused lines, and the file they are kept in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import Result

from peers.canned_server import CannedServer, Postroom, abort
from postroom.v1 import directory_service_pb2
from postroom_server.cli import import_screen, member_import
from postroom_server.refusals import Reason, Refusal, Violation
from postroom_server.rpc.convert.refusal_out import refusal_message
from postroom_server.rpc.status import of_refusal

Request = directory_service_pb2.BatchUpsertMembersRequest
Answer = directory_service_pb2.BatchUpsertMembersResponse
HEADER = "user_id,address,name\n"


@pytest.fixture
def run(postroom: Postroom, tmp_path: Path) -> Iterator[Any]:
    """Imports this text out of a file."""

    def run(text: str | bytes, *arguments: str) -> Result:
        (tmp_path / "in.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return postroom("member", "import", "in.csv", *arguments)

    return iter([run]).__next__()


@pytest.fixture(autouse=True)
def taker(server: CannedServer) -> None:
    """Takes everything but who is named Bad."""

    def answer(request: Request, _: grpc.ServicerContext) -> Answer:
        refused = [
            directory_service_pb2.RefusedMember(index=i, refusal=refusal_message(bad(i), 1 << 20))
            for i, member in enumerate(request.members)
            if "name" in member.attributes and member.attributes["name"] == "Bad"
        ]
        return Answer(created_count=len(request.members) - len(refused), refused=refused)

    server.answers["BatchUpsertMembers"] = answer


def bad(index: int) -> Refusal:
    violations = [
        Violation("attributes.name", "is bad"),
        Violation("address", "is worse"),
    ]
    return Refusal(Reason.INVALID_FIELD, "bad", violations=violations)


def batches(server: CannedServer) -> list[list[int]]:
    return [[member.user_id for member in request.members] for _, request in server.requests]


def test_a_file_is_stored(run: Any, server: CannedServer) -> None:
    result = run(HEADER + "1,a@x.test,Ann\n2,b@x.test,\n")
    assert (result.stdout, result.stderr, result.exit_code) == ("2 stored: 2 new, 0 known before\n", "", 0)
    ann, bob = server.asked("BatchUpsertMembers").members
    assert (ann.address, ann.attributes["name"], bob.HasField("attributes")) == ("a@x.test", "Ann", False)
    assert server.metadata[0]["authorization"] == "Bearer secret"


def test_a_file_goes_in_batches_in_its_order(run: Any, server: CannedServer) -> None:
    result = run(HEADER + "".join(f"{n},a@x.test,n\n" for n in range(1, 2501)))
    assert result.stdout == "2500 stored: 2500 new, 0 known before\n"
    assert [len(batch) for batch in batches(server)] == [1000, 1000, 500]
    assert [user_id for batch in batches(server) for user_id in batch] == list(range(1, 2501))


def test_a_batch_is_bounded_by_its_size_too(
    run: Any, server: CannedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_import, "_MOST_BYTES", 1000)
    run(HEADER + "".join(f"{n},a@x.test,{'x' * 400}\n" for n in range(1, 8)))
    assert [len(batch) for batch in batches(server)] == [3, 3, 1]


def test_refused_lines_are_told_in_order_and_the_others_stored(run: Any, server: CannedServer) -> None:
    result = run(HEADER + '1,a@x.test,Ann\nx,b@x.test,Bob\n3,c@x.test,Bad\n4,"d\n5,e@x.test,Eve\n')
    assert result.stdout == "2 stored: 2 new, 0 known before\n"
    assert result.stderr == (
        "line 3: user_id: 'x' is not a whole number\n"
        "line 4: name: is bad\n"
        "line 4: address: is worse\n"
        "line 5: has a quote that is not closed\n"
        "postroom: 3 lines are refused\n"
    )
    assert result.exit_code == 1
    assert batches(server) == [[1, 3, 5]]


def test_a_file_of_broken_lines_only_calls_nobody(run: Any, server: CannedServer) -> None:
    result = run(HEADER + "x\n")
    assert (result.stdout, result.exit_code) == ("0 stored: 0 new, 0 known before\n", 1)
    assert result.stderr.endswith("postroom: 1 line is refused\n")
    assert not server.requests


BROKEN = (
    b"user_id,address,name\n"
    b"x,b@x.test,Bob\n"
    b"1,a@x.test,Ann\n"
    b'3,c@x.test,"Bad"\n'
    b"4,d\n"
    b"5,e@x.test,Eve,extra\n"
    b'6,"f@x.test,Fay\n'
) + b"7,g@x.test,G\xe9\n"
REFUSED = (
    b"refused_reason,user_id,address,name\n"
    b"user_id: 'x' is not a whole number,x,b@x.test,Bob\n"
    b"name: is bad; address: is worse,3,c@x.test,Bad\n"
    b"has 2 cells; the header has 3,4,d\n"
    b"has 4 cells; the header has 3,5,e@x.test,Eve,extra\n"
    b'has a quote that is not closed,6,"f@x.test,Fay\n'
) + b"is not UTF-8,7,g@x.test,G\xe9\n"


def test_refused_lines_are_kept_as_they_were_with_their_reason(run: Any, tmp_path: Path) -> None:
    result = run(BROKEN, "--refused", "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == REFUSED
    assert result.stderr.endswith("postroom: 6 lines are refused; out.csv has them\n")


def test_refused_lines_that_are_mended_are_imported(run: Any, server: CannedServer, tmp_path: Path) -> None:
    run(BROKEN, "--refused", "out.csv")
    server.requests.clear()
    mended = (
        (tmp_path / "out.csv")
        .read_bytes()
        .replace(b",x,", b",2,")
        .replace(b",Bad", b",Good")
        .replace(b"4,d\n", b"4,d@x.test,Dee\n")
        .replace(b",extra", b"")
        .replace(b'"f@', b"f@")
        .replace(b"\xe9", "é".encode())
    )
    result = run(mended, "--refused", "again.csv")
    assert (result.stderr, result.exit_code) == ("", 0)
    members = server.asked("BatchUpsertMembers").members
    assert [one.user_id for one in members] == [2, 3, 4, 5, 6, 7]
    assert {name for one in members for name in one.attributes.fields} == {"name"}
    assert (tmp_path / "again.csv").read_text() == "refused_reason,user_id,address,name\n"


def test_what_is_refused_again_gets_its_new_reason_only(run: Any, tmp_path: Path) -> None:
    run(BROKEN, "--refused", "out.csv")
    run((tmp_path / "out.csv").read_bytes(), "--refused", "again.csv")
    again = (tmp_path / "again.csv").read_bytes()
    counted = again.replace(b"3 cells; the header has 4", b"2 cells; the header has 3")
    assert counted.replace(b"5 cells; the header has 4", b"4 cells; the header has 3") == REFUSED


def test_with_a_file_the_screen_tells_of_the_first_only(run: Any, tmp_path: Path) -> None:
    result = run(HEADER + "x\n" * 30, "--refused", "out.csv")
    assert result.stderr.splitlines()[19:] == [
        "line 21: has 1 cell; the header has 3",
        "the other refused lines are told in the file only",
        "postroom: 30 lines are refused; out.csv has them",
    ]
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 31
    assert len(run(HEADER + "x\n" * 30).stderr.splitlines()) == 31


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the first line is empty; it must name the columns"),
        (
            "user_id;address\n",
            "the first line names no column user_id, but user_id;address; commas are between the cells",
        ),
        (
            "user_id,mail\n",
            "the first line names no column address, but user_id, mail; commas are between the cells",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole(
    run: Any, server: CannedServer, text: str, problem: str, tmp_path: Path
) -> None:
    result = run(text, "--refused", "out.csv")
    assert (result.stderr, result.exit_code) == (f"postroom: in.csv: {problem}\n", 1)
    assert not server.requests
    assert not (tmp_path / "out.csv").exists()


def test_the_imported_file_is_not_written_over(run: Any, tmp_path: Path) -> None:
    result = run(HEADER + "x\n", "--refused", "in.csv")
    assert result.exit_code == 2
    assert "choose another" in result.stderr
    assert (tmp_path / "in.csv").read_text() == HEADER + "x\n"


def test_a_file_that_cannot_be_written_ends_the_command_before_it_begins(
    run: Any, server: CannedServer
) -> None:
    result = run(HEADER + "1,a@x.test,Ann\n", "--refused", "no/such/folder.csv")
    assert result.stderr == "postroom: cannot write no/such/folder.csv: No such file or directory\n"
    assert not server.requests


def test_standard_input_is_a_file(postroom: Postroom, server: CannedServer) -> None:
    result = postroom("member", "import", "-", input=b"\xef\xbb\xbfuser_id,address\n1,a@x.test\n")
    assert result.stdout == "1 stored: 1 new, 0 known before\n"


def test_a_server_that_stops_in_the_middle_is_told_with_what_was_stored(
    run: Any, server: CannedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_import, "_MOST_MEMBERS", 2)
    take: Any = server.answers["BatchUpsertMembers"]

    def twice(request: Request, context: grpc.ServicerContext) -> Answer:
        if len(server.requests) > 2:
            abort(context, of_refusal(Refusal(Reason.SHUTTING_DOWN, "the server is shutting down")))
        answer: Answer = take(request, context)
        return answer

    server.answers["BatchUpsertMembers"] = twice
    result = run(HEADER + "".join(f"{n},a@x.test,n\n" for n in range(1, 20)))
    assert result.stderr == (
        "4 were stored before; import the file again\npostroom: SHUTTING_DOWN: the server is shutting down\n"
    )
    assert (result.stdout, result.exit_code) == ("", 1)


def test_a_token_without_the_scope_ends_the_command(run: Any, server: CannedServer) -> None:
    refusal = Refusal(Reason.SCOPE_MISSING, "this needs scope directory", metadata={"scope": "directory"})
    server.answers["BatchUpsertMembers"] = of_refusal(refusal)
    result = run(HEADER + "1,a@x.test,Ann\n")
    assert (result.stderr, result.exit_code) == ("postroom: SCOPE_MISSING: this needs scope directory\n", 1)


def test_without_a_terminal_progress_is_a_line_now_and_then(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_screen, "_EVERY", 1000)
    result = run(HEADER + "".join(f"{n},a@x.test,n\n" for n in range(1, 2501)))
    assert result.stderr == "1000 lines, 0 refused\n2000 lines, 0 refused\n"


def test_on_a_terminal_there_is_a_bar(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(import_screen, "is_terminal", lambda: True)
    result = run(HEADER + "1,a@x.test,Ann\nx,b@x.test,[bold]Bob\n")
    assert "2 lines, 1 refused" in result.stderr
    assert "100%" in result.stderr
    assert "line 3: user_id: 'x' is not a whole number" in result.stderr
    assert result.stdout == "1 stored: 1 new, 0 known before\n"


def test_control_characters_of_a_file_do_not_reach_the_terminal(run: Any) -> None:
    result = run(HEADER + "\x1b[31mx,a@x.test,Ann\n")
    assert "\x1b" not in result.stderr
    result = run("user_id,\x1b[31m\n1,2\n")
    assert "\x1b" not in result.stderr
