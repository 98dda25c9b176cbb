"""What goes over the wire, in what order, and what happens to the line afterwards."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from peers.smtp_letters import endpoint_of, envelope, send
from peers.smtp_peer import OFFERS, Script, Session, SmtpPeer, hang_up, in_words, silence, then
from postroom_server.smtp import Connection, Envelope, Level, Phase, Reply

LOCKSTEP = tuple(offer for offer in OFFERS if offer != "PIPELINING")
BOTH = pytest.mark.parametrize("offers", [OFFERS, LOCKSTEP], ids=["pipelined", "lockstep"])
TWO = ("one@peer.test", "two@peer.test")
BIG = b"x" * 76 + b"\r\n"


@asynccontextmanager
async def open_to(peer: SmtpPeer, **changes: Any) -> AsyncIterator[Connection]:
    connection = Connection(endpoint_of(peer, **changes))
    try:
        yield connection
    finally:
        await connection.close()


async def noticed(connection: Connection) -> None:
    """Waits until what the server did has reached us, and the line is no longer a good one."""
    async with asyncio.timeout(5):
        while connection.is_open:  # noqa: ASYNC110 - it has no event for this
            await asyncio.sleep(0.001)


def commands_after_greeting(peer: SmtpPeer) -> list[str]:
    return [command for command in peer.commands if not command.startswith("EHLO")]


@BOTH
async def test_the_envelope_is_said_verbatim(offers: tuple[str, ...]) -> None:
    message = b"Subject: x\r\n\r\n.a\r\n"
    async with SmtpPeer(Script(offers=offers)) as peer:
        transaction = await send(peer, envelope("o'one+t@peer.test", "TWO@Peer.test", message=message))
    assert transaction.level is Level.NONE
    assert transaction.final == Reply(250, "2.0.0", "taken")
    assert transaction.replies == (Reply(250, "2.1.5", "recipient ok"),) * 2
    assert peer.commands == [
        "EHLO postroom.test",
        f"MAIL FROM:<me@postroom.test> SIZE={len(message)}",
        "RCPT TO:<o'one+t@peer.test>",
        "RCPT TO:<TWO@Peer.test>",
        "DATA",
        "QUIT",
    ]
    assert peer.messages == [b"Subject: x\r\n\r\n..a\r\n.\r\n"]


async def test_the_null_sender_is_said_as_empty_brackets() -> None:
    async with SmtpPeer(Script(offers=())) as peer:
        await send(peer, Envelope("", ("you@peer.test",), b"\r\n"))
    assert peer.commands[1] == "MAIL FROM:<>"


async def test_a_server_that_knows_only_helo_is_spoken_to_in_lockstep() -> None:
    async with SmtpPeer(Script({"EHLO": "502 5.5.1 what?"})) as peer:
        transaction = await send(peer)
    assert transaction.level is Level.NONE
    assert peer.commands[:3] == ["EHLO postroom.test", "HELO postroom.test", "MAIL FROM:<me@postroom.test>"]


async def test_pipelined_commands_come_in_one_piece() -> None:
    pieces: list[bytes] = []

    async def look(session: Session) -> None:
        pieces.append(session.inbox)
        await session.say("250 ok")

    async with SmtpPeer(Script({"MAIL": look})) as peer:
        assert (await send(peer, envelope(*TWO))).level is Level.NONE
    assert pieces == [b"RCPT TO:<one@peer.test>\r\nRCPT TO:<two@peer.test>\r\nDATA\r\n"]


async def test_in_lockstep_nothing_is_said_before_the_reply() -> None:
    async def look(session: Session) -> None:
        assert session.inbox == b""
        await session.say("354 go" if session.commands[-1] == "DATA" else "250 ok")

    script = Script({"MAIL": look, "RCPT": look, "DATA": look}, LOCKSTEP)
    async with SmtpPeer(script) as peer:
        assert (await send(peer, envelope(*TWO))).level is Level.NONE


async def test_every_rcpt_refused_yet_data_taken_gets_a_single_dot_and_its_reply_is_ignored() -> None:
    async with SmtpPeer(
        Script({"RCPT": ["550 no", "550 no", "250 yes"], "DOT": ["250 taken?!", "250 ok"]})
    ) as peer:
        async with open_to(peer) as connection:
            first = await connection.send(envelope(*TWO))
            assert (first.level, first.phase, first.final, first.started) == (
                Level.RECIPIENT, Phase.RCPT, None, False,
            )  # fmt: skip
            assert first.accepted == (False, False)
            second = await connection.send(envelope())
    assert second.level is Level.NONE
    assert peer.messages[0] == b".\r\n"
    assert len(peer.messages) == 2
    assert len(peer.sessions) == 1


PIPELINED, IN_LOCKSTEP = (OFFERS,), (LOCKSTEP,)
EITHER = (OFFERS, LOCKSTEP)
REFUSALS = [
    # What was pipelined behind a refusal is answered too; in lockstep it is not asked.
    (PIPELINED, {"MAIL": ["450 no", "250 ok"], "DATA": ["503 no", "354 go"]}),
    (
        PIPELINED,
        {"MAIL": ["550 no", "250 ok"], "RCPT": ["503 no", "503 no", "250 ok"], "DATA": ["503 no", "354 go"]},
    ),
    (PIPELINED, {"RCPT": ["550 no", "450 no", "250 ok"], "DATA": ["503 no", "354 go"]}),
    (IN_LOCKSTEP, {"MAIL": ["450 no", "250 ok"]}),
    (IN_LOCKSTEP, {"MAIL": ["550 no", "250 ok"]}),
    (IN_LOCKSTEP, {"RCPT": ["550 no", "450 no", "250 ok"]}),
    (EITHER, {"DATA": ["451 no", "354 go"]}),
    (EITHER, {"DATA": ["554 no", "354 go"]}),
    (EITHER, {"RCPT": ["250 ok", "550 no", "250 ok"], "DATA": ["554 no", "354 go"]}),
]


@pytest.mark.parametrize(
    ("offers", "answers"), [(offers, answers) for both, answers in REFUSALS for offers in both]
)
async def test_a_refused_transaction_is_reset_and_the_line_used_again(
    offers: tuple[str, ...], answers: dict[str, Any]
) -> None:
    async with SmtpPeer(Script(answers, offers)) as peer:
        async with open_to(peer) as connection:
            first = await connection.send(envelope(*TWO))
            assert connection.is_reusable
            second = await connection.send(envelope())
    assert first.level in (Level.MESSAGE, Level.RECIPIENT)
    assert second.level is Level.NONE
    assert len(peer.sessions) == 1
    assert peer.commands.count("RSET") == 1


@pytest.mark.parametrize("dot", ["250 ok", "451 no", "554 no"])
@BOTH
async def test_after_any_verdict_on_the_dot_the_line_is_used_again_without_a_reset(
    dot: str, offers: tuple[str, ...]
) -> None:
    async with SmtpPeer(
        Script({"DOT": [dot, "250 ok"], "RCPT": ["250 ok", "550 no", "250 ok"]}, offers)
    ) as peer:
        async with open_to(peer) as connection:
            first = await connection.send(envelope(*TWO))
            second = await connection.send(envelope())
    assert first.phase is Phase.DOT
    assert second.level is Level.NONE
    assert len(peer.sessions) == 1
    assert "RSET" not in peer.commands


@pytest.mark.parametrize(
    "answers",
    [
        {"MAIL": "421 bye"},
        {"MAIL": "550 no", "RCPT": "503 no", "DATA": "354 go?!"},
        {"MAIL": "550 no", "RCPT": "421 bye", "DATA": "503 no"},
        {"RCPT": "421 bye"},
        {"RCPT": "550 no", "DATA": "421 bye"},
        {"RCPT": "550 no", "DATA": hang_up},
        {"DATA": "421 bye"},
        {"DATA": "250 ok"},
        {"DOT": "421 bye"},
        {"DOT": "354 more"},
        {"DOT": then(b"250 ok\r\n250 ok\r\n")},
        {"DOT": then(b"250 ok\r\n421 closing\r\n")},
    ],
    ids=in_words,
)
async def test_the_line_is_closed_where_it_cannot_be_trusted(answers: dict[str, Any]) -> None:
    async with SmtpPeer(Script(answers)) as peer:
        async with open_to(peer) as connection:
            await connection.send(envelope(*TWO))
            assert not connection.is_reusable
            await peer.until_ended()
    assert "RSET" not in peer.commands
    assert len([message for message in peer.messages if message != b".\r\n"]) == ("DOT" in answers)


async def test_a_refused_reset_loses_the_line_before_the_next_mail() -> None:
    async with SmtpPeer(Script({"DATA": "451 no", "RSET": "500 no"})) as peer:
        async with open_to(peer) as connection:
            await connection.send(envelope())
            transaction = await connection.send(envelope())
    assert (transaction.phase, transaction.level) == (Phase.MAIL, Level.CONNECTION)
    assert "reset" in transaction.error
    assert peer.commands.count("DATA") == 1


async def test_an_outcome_does_not_wait_for_the_answer_to_rset() -> None:
    async with SmtpPeer(Script({"DATA": "451 no", "RSET": silence})) as peer:
        async with open_to(peer, patience={"mail": 0.1}) as connection:
            first = await connection.send(envelope())
            second = await connection.send(envelope())
    assert (first.level, first.final and first.final.code) == (Level.MESSAGE, 451)
    assert (second.phase, second.level, second.error) == (
        Phase.MAIL, Level.CONNECTION, "no reply within 0.1 s",
    )  # fmt: skip


@BOTH
async def test_before_dot_is_asked_after_354_and_before_the_dot(offers: tuple[str, ...]) -> None:
    async with SmtpPeer(Script(offers=offers)) as peer:

        async def mark() -> bool:
            assert peer.commands[-1] == "DATA"
            assert not peer.messages
            assert not connection.dot_written
            return True

        async with open_to(peer) as connection:
            for _ in range(2):
                transaction = await connection.send(envelope(), before_dot=mark)
                assert transaction.level is Level.NONE
                assert transaction.started
                assert not connection.dot_written
                peer.sessions[0].messages.clear()


@pytest.mark.parametrize("size", [1, 10_000])
async def test_a_no_before_the_dot_closes_the_line_without_it(size: int) -> None:
    async def refuse() -> bool:
        return False

    async with SmtpPeer() as peer:
        async with open_to(peer) as connection:
            transaction = await connection.send(envelope(message=BIG * size), before_dot=refuse)
            assert not connection.is_open
            await peer.until_ended()
    assert (transaction.phase, transaction.level, transaction.started) == (Phase.BODY, Level.LOCAL, False)
    assert transaction.accepted == (False,)
    assert peer.messages == []
    assert commands_after_greeting(peer)[-1] == "DATA"


async def test_before_dot_is_not_asked_when_nobody_would_get_the_message() -> None:
    async def never() -> bool:
        raise AssertionError

    async with SmtpPeer(Script({"RCPT": "550 no"})) as peer:
        async with open_to(peer) as connection:
            assert (await connection.send(envelope(), before_dot=never)).level is Level.RECIPIENT


async def test_our_own_error_before_the_dot_closes_the_line_and_is_raised() -> None:
    async def fail() -> bool:
        raise ZeroDivisionError

    async with SmtpPeer() as peer:
        async with open_to(peer) as connection:
            with pytest.raises(ZeroDivisionError):
                await connection.send(envelope(), before_dot=fail)
            await peer.until_ended()
    assert peer.messages == []
    assert commands_after_greeting(peer)[-1] == "DATA"


async def test_a_line_lost_while_the_mark_is_written_is_not_ambiguous() -> None:
    async with SmtpPeer(Script({"DATA": then("354 go", hang_up)})) as peer:

        async def mark() -> bool:
            await noticed(connection)
            return True

        async with open_to(peer) as connection:
            transaction = await connection.send(envelope(), before_dot=mark)
    assert (transaction.phase, transaction.level, transaction.started) == (
        Phase.BODY,
        Level.CONNECTION,
        False,
    )


@pytest.mark.parametrize("occasion", ["BANNER", "EHLO", "MAIL", "RCPT", "DATA", "DOT"])
async def test_a_cancelled_conversation_is_closed_at_once(occasion: str) -> None:
    move = then("354 go", silence) if occasion == "DATA" else silence
    async with SmtpPeer(Script({occasion: move}, LOCKSTEP)) as peer:
        async with open_to(peer) as connection:
            task = asyncio.create_task(connection.send(envelope()))
            if occasion == "DOT":
                await peer.until(lambda: peer.messages != [])
            elif occasion == "BANNER":
                await peer.until(lambda: peer.sessions != [])
            else:
                await peer.until(lambda: peer.commands != [] and peer.commands[-1].startswith(occasion))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not connection.is_open
            await peer.until_ended()
    assert not {"RSET", "QUIT"} & set(peer.commands)
    assert len(peer.messages) == (occasion == "DOT")


async def test_cancelling_in_before_dot_writes_no_dot() -> None:
    asked = asyncio.Event()

    async def wait() -> bool:
        asked.set()
        await asyncio.Event().wait()
        return True

    async with SmtpPeer() as peer:
        async with open_to(peer) as connection:
            task = asyncio.create_task(connection.send(envelope(), before_dot=wait))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await peer.until_ended()
    assert peer.messages == []


@BOTH
async def test_a_big_message_arrives_whole(offers: tuple[str, ...]) -> None:
    message = b"".join(b".%d" % number + b"x" * 70 + b"\r\n" for number in range(60_000))
    async with SmtpPeer(Script(offers=offers)) as peer:
        transaction = await send(peer, envelope(message=message))
    assert transaction.level is Level.NONE
    assert peer.messages == [b"." + message.replace(b"\r\n.", b"\r\n..") + b".\r\n"]


@pytest.mark.parametrize("extra", range(-4, 5))
async def test_a_message_that_ends_near_a_piece_arrives_whole(extra: int) -> None:
    message = b"y" * (65536 - 2 + extra) + b"\r\n"
    async with SmtpPeer() as peer:
        assert (await send(peer, envelope(message=message))).level is Level.NONE
    assert peer.messages == [message + b".\r\n"]


@pytest.mark.parametrize(
    ("move", "level", "code"),
    [
        (then("552 5.3.4 too big", hang_up), Level.MESSAGE, 552),
        (then("451 4.3.0 no", silence), Level.MESSAGE, 451),
        (then("421 bye", hang_up), Level.CONNECTION, 421),
        (then("250 taken?!", silence), Level.CONNECTION, None),
        (then(b"250 tak", silence), Level.CONNECTION, None),
        (then(b"250 a\r\n250 b\r\n250 c\r\n", silence), Level.CONNECTION, None),
        (hang_up, Level.CONNECTION, None),
    ],
)
async def test_a_verdict_before_the_message_has_ended_is_no_verdict_on_a_dot(
    move: Any, level: Level, code: int | None
) -> None:
    async with SmtpPeer(Script({"BODY": move})) as peer:

        async def mark() -> bool:
            await noticed(connection)
            return True

        async with open_to(peer) as connection:
            transaction = await connection.send(envelope(message=BIG * 1000), before_dot=mark)
            assert not connection.is_open
    assert (transaction.phase, transaction.level, transaction.started) == (Phase.BODY, level, False)
    assert (transaction.final.code if transaction.final else None) == code
    assert peer.messages == []


async def test_two_replies_at_once_to_data_do_not_pass_for_a_verdict() -> None:
    async with SmtpPeer(Script({"DATA": then(b"354 go\r\n250 taken\r\n")})) as peer:
        transaction = await send(peer)
    assert (transaction.phase, transaction.level, transaction.started) == (
        Phase.BODY,
        Level.CONNECTION,
        False,
    )
    assert peer.messages == []


async def test_a_server_that_takes_no_bytes_is_given_up() -> None:
    async def refuse_to_read(session: Session) -> None:
        session.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await session.say("354 go")
        await asyncio.Event().wait()

    async with SmtpPeer(Script({"DATA": refuse_to_read}, offers=())) as peer:
        transaction = await send(peer, envelope(message=BIG * 300_000), patience={"chunk": 0.2})
    assert (transaction.phase, transaction.level, transaction.started) == (
        Phase.BODY,
        Level.CONNECTION,
        False,
    )
    assert transaction.error == "the server took no bytes within 0.2 s"


async def test_the_verdict_of_each_recipient_is_their_own_refusal_or_the_final_reply() -> None:
    async with SmtpPeer(Script({"RCPT": ["250 yes", "550 5.1.1 no"], "DOT": "451 4.3.0 later"})) as peer:
        transaction = await send(peer, envelope(*TWO))
    assert transaction.verdict(0) == Reply(451, "4.3.0", "later")
    assert transaction.verdict(1) == Reply(550, "5.1.1", "no")
    assert transaction.accepted == (False, False)


async def test_extensions_are_used_where_they_are_offered_and_needed() -> None:
    what = Envelope("我@peer.test", ("你@peer.test",), "x: é\r\n".encode(), smtputf8=True, eight_bit=True)
    async with SmtpPeer() as peer:
        assert (await send(peer, what)).level is Level.NONE
    assert peer.commands[1:3] == [
        f"MAIL FROM:<我@peer.test> SIZE={len(what.message)} BODY=8BITMIME SMTPUTF8",
        "RCPT TO:<你@peer.test>",
    ]


@pytest.mark.parametrize(
    ("offers", "changes", "final"),
    [
        (("SIZE 10",), {"message": b"x" * 8 + b"\r\n."}, "552 5.3.4 not sent: 11 bytes are more than"),
        ((), {"message": "é\r\n".encode(), "eight_bit": True}, "554 5.6.3 not sent: it needs 8BITMIME"),
        ((), {"smtputf8": True}, "550 5.6.7 not sent: it needs SMTPUTF8"),
    ],
)
async def test_what_a_server_cannot_take_by_its_own_word_is_not_begun(
    offers: tuple[str, ...], changes: dict[str, Any], final: str
) -> None:
    async with SmtpPeer(Script(offers=offers)) as peer:
        async with open_to(peer) as connection:
            transaction = await connection.send(dataclasses.replace(envelope(), **changes))
            assert connection.is_reusable
    assert (transaction.phase, transaction.level) == (Phase.MAIL, Level.MESSAGE)
    assert str(transaction.final).startswith(final)
    assert transaction.final is not None
    assert transaction.final.is_permanent
    assert commands_after_greeting(peer) == ["QUIT"]


async def test_a_message_of_exactly_the_size_is_sent() -> None:
    async with SmtpPeer(Script(offers=("SIZE 10",))) as peer:
        assert (await send(peer, envelope(message=b"x" * 8 + b"\r\n"))).level is Level.NONE


async def test_a_server_that_stays_inside_every_limit_but_one_is_given_up() -> None:
    async def slowly(session: Session) -> None:
        await asyncio.sleep(0.05)
        await session.say("250 ok")

    many = tuple(f"r{number}@peer.test" for number in range(100))
    async with SmtpPeer(Script({"RCPT": slowly})) as peer:
        transaction = await send(peer, envelope(*many), patience={"total": 0.3})
    assert (transaction.phase, transaction.level) == (Phase.RCPT, Level.CONNECTION)
    assert transaction.error == "the transaction was not over within 0.3 s"
    assert peer.messages == []


async def test_a_thousand_recipients_are_pipelined() -> None:
    many = tuple(f"r{number}@peer.test" for number in range(1000))
    async with SmtpPeer(Script({"RCPT": ["250 ok"] * 999 + ["452 4.5.3 too many"]})) as peer:
        transaction = await send(peer, envelope(*many))
    assert transaction.level is Level.RECIPIENT
    assert transaction.accepted == (True,) * 999 + (False,)
    assert transaction.replies[-1] is not None
    assert transaction.replies[-1].is_too_many_recipients
