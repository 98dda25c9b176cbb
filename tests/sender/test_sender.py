"""The sender: a process of its own, over real SMTP conversations."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from peers.certificates import issue
from peers.smtp_peer import Script, Session, Slow, SmtpPeer, hang_up, silence
from postroom_server.message.percent_template import PercentTemplate
from postroom_server.message.template import Content, Variable
from postroom_server.sender.draft import Writer
from postroom_server.sender.frames import Word
from postroom_server.sender.loan import AHEAD, NotBegun, SenderLoan, SenderLost, Unwritten
from postroom_server.sender.remote import Sender
from postroom_server.smtp import AuthMechanism, Level, Phase, Timeouts, TlsMode, Transaction
from sender.sending import Sent, draft, endpoint, letter, parcel, send, started


def levels(ends: list[Transaction | Exception]) -> list[object]:
    return [end.level if isinstance(end, Transaction) else type(end) for end in ends]


def numbers(peer: SmtpPeer) -> list[list[int]]:
    """Which mails came over which connection."""
    return [
        [int(message.partition(b"Message-ID: <")[2].partition(b"@")[0]) for message in session.messages]
        for session in peer.sessions
    ]


async def test_what_it_is_told_is_what_the_server_hears_and_the_other_way_round(sender: Sender) -> None:
    async with SmtpPeer(Script({"DOT": "250 2.0.0 taken as 77"})) as peer:
        transaction = await send(sender, peer, letter(3, "dots\r\n.\r\n..and more"))
    assert (transaction.level, transaction.phase, transaction.started) == (Level.NONE, Phase.DOT, True)
    assert transaction.final is not None
    assert str(transaction.final) == "250 2.0.0 taken as 77"
    assert peer.messages == [b"Message-ID: <3@x.test>\r\n\r\ndots\r\n..\r\n...and more\r\n.\r\n"]


@pytest.mark.parametrize(
    ("template", "changes"),
    [
        (None, {"html": "<p>Grüße &amp; 你好</p>", "text": None}),
        (None, {"text": "x" * 998 + "\r\n.dot", "headers": (("X-A", "ü"),), "from_name": "名前"}),
        (
            PercentTemplate(
                Content("Hi %name%", "<p>%name% %raw% %left%</p>", None),
                [Variable("raw", raw=True, declared=True), Variable("left", default="dflt", declared=True),
                 Variable("name2", literal=True, declared=True)],
            ),
            {"subject": None, "params": {"name": "<Ann>", "raw": "<b>b</b>", "name2": 5}},
        ),
    ],
    ids=["html", "text", "template"],
)  # fmt: skip
async def test_letters_have_the_same_bytes_whoever_writes_them(
    sender: Sender, template: PercentTemplate | None, changes: Any
) -> None:
    one = draft(5, template=template, **changes)
    async with SmtpPeer() as peer:
        await send(sender, peer, one)
        await send(sender, peer, Writer().write(one))
    assert peer.messages[0] == peer.messages[1]


async def test_a_draft_that_cannot_be_written_is_given_back(sender: Sender) -> None:
    template = PercentTemplate(Content("Hi", "<p>%name%</p>", None))
    async with SmtpPeer() as peer:
        with pytest.raises(Unwritten):
            await send(sender, peer, draft(template=template))
        with pytest.raises(Unwritten):
            await send(sender, peer, draft(params={"x": object()}))
        assert (await send(sender, peer, draft(1))).level is Level.NONE
    assert len(peer.messages) == 1


async def test_a_queue_goes_over_one_connection_each_behind_the_dot_of_the_last(sender: Sender) -> None:
    behind: list[bytes] = []

    async def look(session: Session) -> None:
        behind.append(session.inbox[:4])
        await session.say("250 taken")

    async with SmtpPeer(Script({"DOT": look})) as peer:
        sent = Sent(sender, peer, [parcel(letter(number)) for number in range(7)])
        assert levels(await sent.ends()) == [Level.NONE] * 7
        sent.loan.give_back()
    assert numbers(peer) == [[0, 1, 2, 3, 4, 5, 6]]
    # Those that it had before their turn came, whatever came in time later.
    assert sum(map(bool, behind)) >= AHEAD


@pytest.mark.parametrize(
    ("script", "level"),
    [
        ({"BANNER": "554 go away"}, Level.CONNECTION),
        ({"MAIL": "421 closing"}, Level.CONNECTION),
        ({"DOT": hang_up}, Level.AMBIGUOUS),
    ],
    ids=["refused", "closing", "lost"],
)
async def test_what_waits_behind_a_server_in_doubt_is_given_back_unbegun(
    sender: Sender, script: Any, level: Level
) -> None:
    async with SmtpPeer(Script(script)) as peer:
        ends = await Sent(sender, peer, [parcel(letter(number)) for number in range(4)]).ends()
    assert levels(ends) == [level, NotBegun, NotBegun, NotBegun]


async def test_a_refusal_is_no_doubt(sender: Sender) -> None:
    async with SmtpPeer(Script({"RCPT": ["550 5.1.1 who?", "250 ok"]})) as peer:
        ends = await Sent(sender, peer, [parcel(letter(number)) for number in range(3)]).ends()
    assert levels(ends) == [Level.RECIPIENT, Level.NONE, Level.NONE]


async def test_what_has_not_begun_is_recalled_and_never_sent(sender: Sender) -> None:
    slow, recalled = Slow(), asyncio.Event()
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        parcels = [parcel(letter(number)) for number in range(3)]
        sent = Sent(sender, peer, parcels)
        await peer.until(lambda: len(peer.messages) == 1)
        sent.loan.recall(parcels[1], recalled.set)
        async with asyncio.timeout(10):
            await recalled.wait()
        assert [sent.loan.has_taken(one) for one in parcels] == [False, False, True]
        slow.go_on.set()
        assert (await sent.outcome(0)).level is Level.NONE
        assert (await sent.loan.send(endpoint(peer), parcels[2], sent.follow)).level is Level.NONE
    assert [number for session in numbers(peer) for number in session] == [0, 2]


@pytest.mark.parametrize("stop", [False, True])
async def test_what_has_begun_is_not_recalled_but_may_be_stopped(sender: Sender, stop: bool) -> None:
    slow, data = Slow(), Slow("354 go on")
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"], "DATA": ["354 go on", data]})) as peer:
        parcels = [parcel(letter(number)) for number in range(2)]
        sent = Sent(sender, peer, parcels)
        slow.go_on.set()
        # The next one begins with the end of the one before it.
        assert (await sent.outcome(0)).level is Level.NONE
        unexpected: list[int] = []
        sent.loan.recall(parcels[1], lambda: unexpected.append(1), stop=stop)
        waiting = asyncio.ensure_future(sent.outcome(1))
        # The recall was said before this letter, and what comes of this says that it was heard.
        async with SmtpPeer() as other:
            await send(sender, other, letter(9))
        data.go_on.set()
        assert (await waiting).level is (Level.LOCAL if stop else Level.NONE)
        assert unexpected == []
    assert [number for session in numbers(peer) for number in session] == ([0] if stop else [0, 1])


async def test_a_recall_that_is_answered_when_its_turn_has_come_is_its_outcome() -> None:
    sender, unexpected = Sender(lambda: 0.0, lambda _: None), list[int]()
    loan = SenderLoan(sender, 1, server_id=1)
    first, second = parcel(letter(0)), parcel(letter(1))
    async with SmtpPeer() as peer:
        given = iter([second])
        sending = asyncio.create_task(loan.send(endpoint(peer), first, lambda: next(given, None)))
        await asyncio.sleep(0)
        one, another = sender._waiting
        loan.recall(second, lambda: unexpected.append(1))
        sender._hear((Word.UNWRITTEN, one))
        with pytest.raises(Unwritten):
            await sending
        seated = asyncio.create_task(loan.send(None, second, lambda: None))
        await asyncio.sleep(0)
        sender._hear((Word.RECALLED, another, True))
        with pytest.raises(NotBegun):
            await seated
    assert (unexpected, sender._waiting) == ([], {})
    await sender.kill()


async def test_what_was_never_taken_is_recalled_at_once(sender: Sender) -> None:
    recalled: list[int] = []
    SenderLoan(sender, 1, server_id=1).recall(parcel(letter()), lambda: recalled.append(1))
    assert recalled == [1]


async def test_a_stop_before_the_dot_sends_nothing(sender: Sender) -> None:
    data = Slow("354 go on")
    async with SmtpPeer(Script({"DATA": data})) as peer:
        sent = Sent(sender, peer, [parcel(letter())])
        await peer.until(lambda: peer.commands.count("DATA") == 1)
        sent.loan.abort_before_dot("cancelled")
        assert (await sent.outcome(0)).level is Level.LOCAL
    assert peer.messages == []


async def test_a_stop_after_the_dot_changes_nothing(sender: Sender) -> None:
    slow = Slow()
    async with SmtpPeer(Script({"DOT": slow})) as peer:
        sent = Sent(sender, peer, [parcel(letter())])
        await peer.until(lambda: len(peer.messages) == 1)
        sent.loan.abort_before_dot("cancelled")
        slow.go_on.set()
        assert (await sent.outcome(0)).level is Level.NONE


async def test_a_halt_stops_all_that_has_no_dot(sender: Sender) -> None:
    slow, data = Slow(), Slow("354 go on")
    async with SmtpPeer(Script({"DOT": slow})) as first, SmtpPeer(Script({"DATA": data})) as second:
        dotted = Sent(sender, first, [parcel(letter(0)), parcel(letter(1))])
        undotted = Sent(sender, second, [parcel(letter(2)), parcel(letter(3))])
        await first.until(lambda: len(first.messages) == 1)
        await second.until(lambda: second.commands.count("DATA") == 1)
        # This one is on its way to the sender, and has no connection yet.
        late = Sent(sender, second, [parcel(letter(4))])
        await asyncio.sleep(0)
        sender.abort_before_dot()
        slow.go_on.set()
        assert levels(await dotted.ends()) == [Level.NONE, NotBegun]
        assert levels(await undotted.ends()) == [Level.LOCAL, NotBegun]
        assert levels(await late.ends()) == [NotBegun]
    assert (numbers(first), second.messages) == ([[0]], [])


@pytest.mark.parametrize("may_go", [True, False])
async def test_whoever_asks_waits_for_the_answer_before_the_dot(sender: Sender, may_go: bool) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def decide() -> bool:
        asked.set()
        await answer.wait()
        return may_go

    async with SmtpPeer() as peer:
        sent = Sent(sender, peer, [parcel(letter(), may_go=decide, asks=True, is_alone=True)])
        async with asyncio.timeout(10):
            await asked.wait()
        assert peer.commands[-1] == "DATA"
        answer.set()
        assert (await sent.outcome(0)).level is (Level.NONE if may_go else Level.LOCAL)
    assert len(peer.messages) == int(may_go)


async def test_a_decision_that_fails_is_a_no_and_the_fault_is_told(sender: Sender) -> None:
    async def broken() -> bool:
        raise ZeroDivisionError

    async with SmtpPeer() as peer:
        with pytest.raises(ZeroDivisionError):
            await send(sender, peer, letter(), may_go=broken, asks=True)
    assert peer.messages == []


async def test_nobody_goes_unasked_once_the_process_may_be_taken_for_dead() -> None:
    now = time.monotonic()
    until, asked = [now + 3600], list[int]()

    async def no() -> bool:
        asked.append(1)
        return False

    sender = await started(lambda: until[0])
    try:
        async with SmtpPeer() as peer:
            assert (await send(sender, peer, letter(0), may_go=no)).level is Level.NONE
            until[0] = now - 1
            assert (await send(sender, peer, letter(1), may_go=no)).level is Level.LOCAL
        assert (asked, numbers(peer)[0]) == ([1], [0])
    finally:
        await sender.close(0)


async def test_a_belief_that_ends_on_the_way_is_noticed_without_a_word() -> None:
    data = Slow("354 go on")
    until = time.monotonic() + 0.2

    async def no() -> bool:
        return False

    sender = await started(lambda: until)
    try:
        async with SmtpPeer(Script({"DATA": data})) as peer:
            sent = Sent(sender, peer, [parcel(letter(), may_go=no)])
            await peer.until(lambda: peer.commands.count("DATA") == 1)
            await asyncio.sleep(until - time.monotonic() + 0.01)
            data.go_on.set()
            assert (await sent.outcome(0)).level is Level.LOCAL
    finally:
        await sender.close(0)


async def test_one_that_is_killed_leaves_doubt() -> None:
    ended: list[Sender] = []
    sender = await started(ended=ended.append)
    slow = Slow()
    async with SmtpPeer(Script({"DOT": slow, "BANNER": ["220 hi", silence]})) as peer:
        doubtful = Sent(sender, peer, [parcel(letter(0)), parcel(letter(1))])
        await peer.until(lambda: len(peer.messages) == 1)
        waits = Sent(sender, peer, [parcel(letter(2), asks=True, is_alone=True)])
        await peer.until(lambda: len(peer.sessions) == 2)
        assert sender.pid is not None
        os.kill(sender.pid, signal.SIGKILL)
        assert levels(await doubtful.ends()) == [SenderLost, SenderLost]
        assert levels(await waits.ends()) == [SenderLost]
        assert (ended, sender.is_ready) == ([sender], False)
        assert levels(await Sent(sender, peer, [parcel(letter(3))]).ends()) == [NotBegun]
    await sender.kill()


async def test_closing_waits_for_what_has_its_dot_and_for_nothing_else() -> None:
    slow, sender = Slow(), await started()
    async with SmtpPeer(Script({"DOT": slow})) as peer, SmtpPeer(Script({"BANNER": silence})) as mute:
        dotted = Sent(sender, peer, [parcel(letter(0)), parcel(letter(1))])
        opening = Sent(sender, mute, [parcel(letter(2))])
        await peer.until(lambda: len(peer.messages) == 1)
        await mute.until(lambda: len(mute.sessions) == 1)
        closing = asyncio.create_task(sender.close(10))
        assert levels(await opening.ends()) == [Level.LOCAL]
        slow.go_on.set()
        assert levels(await dotted.ends()) == [Level.NONE, NotBegun]
        async with asyncio.timeout(10):
            await closing


async def test_a_dot_without_an_answer_is_ambiguous_when_the_grace_is_over() -> None:
    sender = await started()
    async with SmtpPeer(Script({"DOT": silence})) as peer:
        sent = Sent(sender, peer, [parcel(letter(0))])
        await peer.until(lambda: len(peer.messages) == 1)
        async with asyncio.timeout(10):
            await sender.close(0.05)
        assert (await sent.outcome(0)).level is Level.AMBIGUOUS


async def test_signals_to_end_are_for_the_process_that_started_it(sender: Sender) -> None:
    assert sender.pid is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(sender.pid, number)
    async with SmtpPeer() as peer:
        assert (await send(sender, peer, letter())).level is Level.NONE


async def test_it_holds_no_setting_and_no_descriptor_but_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POSTROOM_DATA_KEY", "5a" * 32)
    monkeypatch.setenv("postroom_database_url", "secret")
    with (tmp_path / "database").open("wb") as file:
        os.set_inheritable(file.fileno(), True)
        sender = await started()
        process = Path(f"/proc/{sender.pid}")
        held = {str(descriptor.readlink()) for descriptor in (process / "fd").iterdir()}
        assert str(tmp_path / "database") not in held
    # Settings are read whatever their case.
    assert b"postroom_" not in (process / "environ").read_bytes().lower()
    assert b"5a5a" not in (process / "cmdline").read_bytes()
    await sender.close(0)


async def test_nothing_is_imported_from_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "uvloop.py").write_text("import pathlib; pathlib.Path('ran').touch(); import asyncio as run")
    monkeypatch.chdir(tmp_path)
    sender = await started()
    await sender.close(0)
    assert not (tmp_path / "ran").exists()


async def test_one_that_does_not_come_up_in_time_takes_no_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom_server.sender.remote.START_SECONDS", 0.001)
    sender = Sender(lambda: 0.0, lambda _: None)
    with pytest.raises(TimeoutError):
        await sender.start()
    assert not sender.is_ready
    await sender.kill()


async def test_what_has_not_begun_in_time_does_not_begin(sender: Sender) -> None:
    slow = Slow()
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        late = parcel(letter(1), expires_in=0.05)
        sent = Sent(sender, peer, [parcel(letter(0)), late, parcel(letter(2), expires_in=60.0)])
        await peer.until(lambda: len(peer.messages) == 1)
        await asyncio.sleep(0.06)
        slow.go_on.set()
        assert levels(await sent.ends()) == [Level.NONE, NotBegun, Level.NONE]
    assert [number for session in numbers(peer) for number in session] == [0, 2]


async def test_an_outcome_that_nobody_waits_for_harms_nobody_else(sender: Sender) -> None:
    slow = Slow()
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        sent = Sent(sender, peer, [parcel(letter(0))])
        await peer.until(lambda: len(peer.messages) == 1)
        sent.outcomes[0].cancel()
        await asyncio.wait(sent.outcomes)
        slow.go_on.set()
        assert (await send(sender, peer, letter(1))).level is Level.NONE
    assert sender.is_ready


async def test_a_server_s_own_time_limits_and_an_urgent_mail_s_are_kept(sender: Sender) -> None:
    quick = Timeouts(*[0.1] * 8, total=60)
    async with SmtpPeer(Script({"MAIL": silence})) as peer:
        transaction = await send(sender, peer, letter(), timeouts=quick)
    assert (transaction.level, transaction.phase) == (Level.CONNECTION, Phase.MAIL)


async def test_it_forgets_what_it_has_not_been_told_of_for_long(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom_server.sender.remote._VALUES_KNOWN", 3)
    templates = [PercentTemplate(Content("Hi", None, f"template {number}")) for number in range(6)]
    async with SmtpPeer() as peer:
        one = endpoint(peer)
        loan = SenderLoan(sender, 77, server_id=1)
        for template in [*templates, *templates]:
            sent = await loan.send(one, parcel(draft(template=template, subject=None)), lambda: None)
            assert sent.level is Level.NONE
    assert len(sender._known) == 3
    assert [message.count(b"template") for message in peer.messages] == [1] * 12


@pytest.mark.parametrize(("whose", "phase"), [("server", Phase.DOT), ("stranger", Phase.TLS)])
async def test_passwords_leave_over_tls_to_the_right_server_alone(
    sender: Sender, tmp_path: Path, whose: str, phase: Phase
) -> None:
    certificates = issue(tmp_path, "127.0.0.1", other_host="elsewhere.test")
    offers = ("PIPELINING", "STARTTLS", "AUTH PLAIN")
    async with SmtpPeer(Script(offers=offers, tls=getattr(certificates, whose))) as peer:
        way = dataclasses.replace(
            endpoint(peer), tls=TlsMode.REQUIRED, auth=AuthMechanism.PLAIN, username="me", password="secret",
            ca_file=certificates.ca_file,
        )  # fmt: skip
        transaction = await SenderLoan(sender, 78, server_id=1).send(way, parcel(letter()), lambda: None)
    assert transaction.phase is phase
    assert ("AUTH PLAIN AG1lAHNlY3JldA==" in peer.commands) is (phase is Phase.DOT)
