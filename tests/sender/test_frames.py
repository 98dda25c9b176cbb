"""What passes between a process and its sender comes out as it went in, however it is cut on the way."""

from __future__ import annotations

import asyncio
import itertools
import marshal
import socket
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message.mailing import Copy
from postroom_server.message.unsubscribe import Offer
from postroom_server.sender import frames
from postroom_server.sender.frames import Link
from postroom_server.smtp import Envelope, Level, Phase, Reply, Transaction
from sender.sending import draft

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
REPLIES = st.none() | st.builds(Reply, st.integers(200, 599), st.sampled_from(["", "5.1.1"]), st.text())


def through(fields: tuple[Any, ...]) -> tuple[Any, ...]:
    taken: tuple[Any, ...] = marshal.loads(marshal.dumps(fields))
    return taken


class Wire:
    """In place of a transport: keeps what is written."""

    def __init__(self) -> None:
        self.octets = b""

    def writelines(self, pieces: Iterable[bytes]) -> None:
        self.octets += b"".join(pieces)


def said(*messages: tuple[Any, ...]) -> bytes:
    wire, link = Wire(), Link(lambda _: None, lambda: None)
    link.connection_made(wire)  # type: ignore[arg-type]
    for message in messages:
        link.say(*message)
    link.flush()
    return wire.octets


@given(params=st.dictionaries(st.text(), JSON, max_size=4), subject=st.none() | st.text(), html=st.text())
def test_a_draft_is_the_same_on_the_other_side(params: Any, subject: Any, html: str) -> None:
    one = draft(7, subject=subject, html=html, params=params, headers=(("X-A", "b"),), reply_to=("r@x.test",))
    assert frames.to_draft(through(frames.of_draft(one, 0)), lambda _: None) == one


def test_a_copy_keeps_its_code_its_link_and_its_member() -> None:
    offer = Offer("https://x.test/u/token", one_click=True)
    copy = Copy("m@x.test", 5, (), ("c@x.test",), "123456", "c@x.test", offer, {"name": "Ann", "tags": ["a"]})
    one = draft(7)
    one.copy = copy  # type: ignore[misc]
    assert frames.to_draft(through(frames.of_draft(one, 0)), lambda _: None) == one


def test_only_the_parameters_of_the_one_it_is_for_are_told() -> None:
    one = draft(
        7, params={"a": 1, "b": 2}, recipient_params={"a@example.com": {"b": 3}, "o@x.test": {"b": 4}}
    )
    told = frames.to_draft(through(frames.of_draft(one, 0)), lambda _: None)
    assert (
        told.mailing.params_for("a@example.com")
        == one.mailing.params_for("a@example.com")
        == {"a": 1, "b": 3}
    )
    assert told.mailing.recipient_params == {}


@given(message=st.binary().map(lambda octets: b"X: " + octets.hex().encode() + b"\r\n"), eight=st.booleans())
def test_an_envelope_is_the_same_on_the_other_side(message: bytes, eight: bool) -> None:
    one = Envelope("", ("a@example.com", "b@例え.test"), message, smtputf8=True, eight_bit=eight)
    assert frames.to_envelope(through(frames.of_envelope(one))) == one


@given(
    phase=st.sampled_from(Phase), level=st.sampled_from(Level), replies=st.lists(REPLIES).map(tuple),
    final=REPLIES, error=st.text(), started=st.booleans(),
)  # fmt: skip
def test_a_transaction_is_the_same_on_the_other_side(
    phase: Phase, level: Level, replies: Any, final: Any, error: str, started: bool
) -> None:
    one = Transaction(phase, level, replies, final, error, "TLSv1.3", started)
    assert frames.to_transaction(through(frames.of_transaction(one))) == one


@pytest.mark.parametrize("value", [object(), {1: bytearray(2)}.items(), Phase.DOT])
def test_what_is_no_plain_value_is_refused_before_it_leaves(value: object) -> None:
    with pytest.raises(ValueError, match="unmarshallable"):
        Link(lambda _: None, lambda: None).say(1, value)


@given(lengths=st.lists(st.integers(0, 2000), min_size=1, max_size=20), cuts=st.lists(st.integers(1, 3000)))
def test_messages_arrive_whole_and_in_order_wherever_they_are_cut(lengths: Any, cuts: Any) -> None:
    heard: list[tuple[Any, ...]] = []
    link = Link(heard.append, lambda: None)
    octets = said(*((number, b"x" * length) for number, length in enumerate(lengths)))
    for cut in itertools.chain(cuts, itertools.repeat(len(octets))):
        if not octets:
            break
        room = link.get_buffer(-1)
        piece, octets = octets[: min(cut, len(room))], octets[min(cut, len(room)) :]
        room[: len(piece)] = piece
        room.release()
        link.buffer_updated(len(piece))
    assert heard == [(number, b"x" * length) for number, length in enumerate(lengths)]


async def test_a_message_of_many_megabytes_passes_and_small_ones_behind_it() -> None:
    heard: list[tuple[Any, ...]] = []
    there = asyncio.Event()
    gone = asyncio.Event()
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    speaker = Link(lambda _: None, gone.set)
    listener = Link(lambda one: (heard.append(one), one[0] == 2 and there.set()), lambda: None)  # type: ignore[func-returns-value]
    await loop.create_connection(lambda: speaker, sock=ours)
    await loop.create_connection(lambda: listener, sock=theirs)
    large = bytes(range(256)) * 100_000
    for message in ((0, b"first"), (1, large), (2, b"last")):
        speaker.say(*message)
    speaker.flush()
    async with asyncio.timeout(10):
        await there.wait()
    assert heard == [(0, b"first"), (1, large), (2, b"last")]
    assert len(listener.get_buffer(-1)) < 1 << 20
    listener.close()
    async with asyncio.timeout(10):
        await gone.wait()


def test_the_first_of_what_is_said_together_is_told_so() -> None:
    link = Link(lambda _: None, lambda: None)
    assert [link.say("a"), link.say("b")] == [True, False]
    link.flush()
    assert link.say("c")
