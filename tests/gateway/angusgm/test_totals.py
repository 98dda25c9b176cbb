"""Totals that are remembered."""

from __future__ import annotations

from fakes import ManualClock
from gateway.angusgm.scripted import SEND, Scripted
from postroom.v1 import email_pb2, email_service_pb2, filter_pb2
from postroom_server.gateway.angusgm.totals import Totals

EXACT, NONE = filter_pb2.COUNT_EXACT, filter_pb2.COUNT_NONE
ROWS = [email_pb2.Email(id=i, state=email_pb2.EMAIL_STATE_SUCCESS) for i in (2, 1)]


def page(total: int = 0, rows: int = 2, *, more: bool = True) -> email_service_pb2.ListEmailsResponse:
    return email_service_pb2.ListEmailsResponse(
        emails=ROWS[:rows], total_size=total, next_page_token="t" if more else ""
    )


def counts(scripted: Scripted) -> list[int]:
    return [asked.message.count for asked in scripted.calls if asked.method == "ListEmails"]


def test_a_total_is_kept_for_two_seconds_by_credential_and_conditions() -> None:
    clock = ManualClock()
    totals = Totals(clock)
    totals.remember("a", "q", 7)
    clock.advance(1999)
    assert totals.recall("a", "q") == 7
    assert totals.recall("b", "q") is None
    assert totals.recall("a", "r") is None
    clock.advance(1)
    assert totals.recall("a", "q") is None


def test_it_is_forgotten_by_credential() -> None:
    totals = Totals(ManualClock())
    totals.remember("a", "q", 7)
    totals.remember("b", "q", 8)
    totals.forget("a")
    totals.forget("nobody")
    assert (totals.recall("a", "q"), totals.recall("b", "q")) == (None, 8)


def test_there_is_an_end_to_what_is_kept() -> None:
    totals = Totals(ManualClock())
    for i in range(1001):
        totals.remember(f"c{i}", "q", i)
    assert totals.recall("c0", "q") is None
    assert totals.recall("c1000", "q") == 1000
    for i in range(65):
        totals.remember("one", i, i)
    assert (totals.recall("one", 0), totals.recall("one", 64)) == (None, 64)


async def test_pages_within_two_seconds_are_counted_once() -> None:
    scripted = Scripted({"ListEmails": [page(50)]})
    for number in (1, 2, 3):
        answer = await scripted.ask(f"GET /api/v1/email?pageSize=2&pageNo={number}&infoScope=BASIC")
        assert answer.json["data"]["total"] == "50"
    scripted.clock.advance(2000)
    await scripted.ask("GET /api/v1/email?pageSize=2&infoScope=BASIC")
    await scripted.ask("GET /api/v1/email?pageSize=2&infoScope=BASIC&orderSort=ASC")
    await scripted.ask("GET /api/v1/email?pageSize=2&infoScope=BASIC&html=true")
    assert counts(scripted) == [EXACT, NONE, NONE, EXACT, NONE, EXACT]


async def test_another_credential_is_told_its_own() -> None:
    scripted = Scripted({"ListEmails": [page(50), page(3)]})
    for credential, total in (("a", "50"), ("b", "3"), ("a", "50")):
        headers = {"Authorization": f"Bearer {credential}"}
        answer = await scripted.ask("GET /api/v1/email?pageSize=2&infoScope=BASIC", headers=headers)
        assert answer.json["data"]["total"] == total


async def test_whoever_sends_or_deletes_is_told_what_is_true_now() -> None:
    scripted = Scripted(
        {
            "ListEmails": [page(50)],
            "SendEmail": [email_service_pb2.SendEmailResponse(id=1)],
            "BatchDeleteEmails": [email_service_pb2.BatchDeleteEmailsResponse()],
            "SendTestEmail": [email_service_pb2.SendTestEmailResponse(ok=True)],
        }
    )
    test = {"serverId": 1, "toAddress": ["x@example.com"]}
    for target, body in (
        ("POST /api/v1/email", SEND),
        ("DELETE /api/v1/email?ids=1", None),
        ("POST /api/v1/email/server/test", test),
    ):
        await scripted.ask("GET /api/v1/email?pageSize=2&infoScope=BASIC")
        assert (await scripted.ask(target, body)).status == 200
    await scripted.ask("GET /api/v1/email?pageSize=2&infoScope=BASIC")
    assert counts(scripted) == [EXACT] * 4


async def test_a_page_that_ends_the_list_tells_the_total_itself() -> None:
    scripted = Scripted({"ListEmails": [page(50), page(0, more=False)]})
    assert (await scripted.ask("GET /api/v1/email?pageSize=2&infoScope=BASIC")).json["data"]["total"] == "50"
    last = await scripted.ask("GET /api/v1/email?pageSize=2&pageNo=4&infoScope=BASIC")
    assert last.json["data"]["total"] == "8"


async def test_what_is_remembered_gives_way_to_what_is_seen() -> None:
    scripted = Scripted({"ListEmails": [page(3), page(0), page(9, 1)]})
    await scripted.ask("GET /api/v1/email?pageSize=2&infoScope=BASIC")
    # Two pages of two and more behind them: three it was.
    second = await scripted.ask("GET /api/v1/email?pageSize=2&pageNo=2&infoScope=BASIC")
    assert second.json["data"]["total"] == "9"
    assert counts(scripted) == [EXACT, NONE, EXACT]
