"""A6: whatever the text says, every server counts exactly one message, lenient ones included."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peers.smtp_letters import envelope, send
from peers.smtp_peer import STRICT_END, Script, SmtpPeer
from postroom_server.smtp import Envelope, Level

# A line end as the most lenient server sees it: CRLF, LF, or a CR that stands alone.
ANY = rb"(?:\r\n|\n|\r(?=[^\n]))"
LENIENT_ENDS = {
    "CRLF . CRLF": STRICT_END,
    "LF . LF": rb"(?:\A|\n)\.\r?\n",
    "CR . CRLF": rb"(?:\A|\r\n?)\.\r\n",
    "any line end": rb"(?:\A|" + ANY + rb")\." + ANY,
}
SMUGGLED = b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<victim@x.test>\r\nDATA\r\nevil\r\n.\r\n"
BODIES = {
    "a lone dot": b"hi\r\n.\r\n" + SMUGGLED,
    "a dot first": b".\r\n" + SMUGGLED,
    "two dots": b"hi\r\n..\r\n" + SMUGGLED,
    "dots at the end": b"hi\r\n.\r\n.",
    "a dot without a line end": b"hi\r\n.",
    "a dot and a space": b"hi\r\n. \r\n" + SMUGGLED,
    "many": b".\r\n" * 50 + SMUGGLED,
}
BARE = [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r\n.\n", b"\r.\r\n", b"\r\r\n.\r\r\n", b"\n\r.\n\r"]


@pytest.mark.parametrize("end", LENIENT_ENDS)
@pytest.mark.parametrize("body", BODIES)
async def test_a6_every_sink_counts_exactly_one_message(end: str, body: str) -> None:
    async with SmtpPeer(Script(end_of_message=LENIENT_ENDS[end])) as peer:
        transaction = await send(peer, envelope(message=b"Subject: x\r\n\r\n" + BODIES[body]))
    assert transaction.level is Level.NONE
    assert len(peer.messages) == 1
    assert [command.split(":")[0] for command in peer.commands[1:]] == [
        "MAIL FROM",
        "RCPT TO",
        "DATA",
        "QUIT",
    ]


@pytest.mark.parametrize("sequence", BARE, ids=repr)
def test_a6_text_that_servers_read_differently_is_not_sent(sequence: bytes) -> None:
    with pytest.raises(ValueError, match="CRLF"):
        Envelope("me@x.test", ("you@x.test",), b"Subject: x\r\n\r\nhi" + sequence + SMUGGLED)


lines = st.lists(st.sampled_from([b".", b"..", b"", b"a", b". ", b".a", b"QUIT", b"\t."]), max_size=12)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines)
async def test_a6_what_the_sink_has_is_what_was_sent(body: list[bytes]) -> None:
    message = b"".join(line + b"\r\n" for line in body)
    async with SmtpPeer() as peer:
        assert (await send(peer, envelope(message=message))).level is Level.NONE
    (received,) = peer.messages
    unstuffed = [line.removeprefix(b".") for line in received.split(b"\r\n")[:-2]]
    assert unstuffed == body
