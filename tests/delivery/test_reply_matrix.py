"""Every phase × every reply of delivery.md §6, said by a real server, through pool, line and verdict.

The table is the page's, row by row; the cases are all replies in all phases. For each: what level it speaks
about, how both recipients stand, whether it counts against the server's breaker, whether the next server may
be asked, and who is put on the suppression list.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import itertools
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import trustme

from delivery.carrying import World, at
from delivery.values import MAILING, email, leased, server
from fakes import NOON
from peers.smtp_peer import OFFERS, Move, Script, SmtpPeer, hang_up, in_words, silence, then
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.held_back import hard_refusals
from postroom_server.delivery.line import Job
from postroom_server.sender.loan import OwnLoan
from postroom_server.smtp import AuthMechanism, Endpoint, Level, Timeouts, TlsMode, connection
from postroom_server.smtp.wire import Wire
from postroom_server.store.facts import ServerFacts

PATIENCE = 0.15
PHASES = ("BANNER", "EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BODY", "DOT", "QUIT", "RSET",
          "REUSED", "BEHIND")  # fmt: skip
LOCKSTEP = tuple(offer for offer in OFFERS if offer != "PIPELINING")

# Replies by name; the names are what the table below speaks of.
REPLIES: Mapping[str, Move] = {
    "220": "220 ok",
    "250": "250 2.0.0 ok",
    "251": "251 2.1.5 will forward",
    "252": "252 2.5.2 cannot verify",
    "299": "299 whatever",
    "334": "334 VXNlcm5hbWU6",
    "354": "354 go ahead",
    "421": "421 4.3.2 closing",
    "450": "450 4.2.0 busy",
    "451": "451 4.7.1 greylisted",
    "452": "452 4.3.1 full",
    "452-4.5.3": "452 4.5.3 too many recipients",
    "451-4.5.3": "451 4.5.3 too many recipients",
    "454": "454 4.7.0 not now",
    "499": "499 not now",
    "500": "500 5.5.1 what?",
    "530": "530 5.7.0 log in first",
    "534": "534 5.7.9 too weak",
    "535": "535 5.7.8 who are you?",
    "538": "538 5.7.11 encrypt",
    "550": "550 no",
    "550-5.1.1": "550 5.1.1 no such user",
    "550-5.1.10": "550 5.1.10 null MX",
    "550-5.1.2": "550 5.1.2 no such host",
    "550-5.2.1": "550 5.2.1 disabled",
    "551": "551 5.1.6 moved",
    "552-5.2.2": "552 5.2.2 mailbox full",
    "552-5.3.4": "552 5.3.4 too big",
    "553": "553 5.1.3 bad syntax",
    "554-5.7.1": "554 5.7.1 policy",
    "599": "599 never",
    # What is no reply at all.
    "garbage": b"\x00\xffSSH-2.0\r\n",
    "too long": b"250 " + b"x" * 5000 + b"\r\n",
    "endless": then(b"250-x\r\n" * 200),
    "two codes": b"250-ok\r\n550 no\r\n",
    "closed": hang_up,
    "half": then(b"250-o", hang_up),
    "silence": silence,
}
NO_REPLY = "garbage|too long|endless|two codes|closed|half|silence"
YES, FOR_NOW, FOR_GOOD = "2..", "4(?!21).*", "5.*"


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the page. States are those of the two recipients: D, R, or - for open."""

    phases: str
    replies: str  # a pattern of names
    level: Level
    states: str = "--"
    breaker: str = "counts"  # counts, opens, or speaks, which ends the counting
    elsewhere: bool = True  # the next server is asked
    listed: bool = False  # the second recipient is put on the suppression list
    soon: bool = False  # whoever stays open goes at once
    tries: bool = False  # a try is spent


SPEAKS: dict[str, Any] = {"breaker": "speaks", "tries": True}
NEXT_SERVER = functools.partial(Row, level=Level.CONNECTION, soon=True)
TRANSIENT = functools.partial(Row, level=Level.MESSAGE, **SPEAKS)
PERMANENT = functools.partial(Row, level=Level.MESSAGE, states="RR", elsewhere=False, **SPEAKS)
SECOND = functools.partial(Row, level=Level.RECIPIENT, elsewhere=False, **SPEAKS)
TAKEN = functools.partial(Row, level=Level.NONE, states="DD", elsewhere=False, **SPEAKS)
AMBIGUOUS = functools.partial(Row, level=Level.AMBIGUOUS, elsewhere=False, tries=True)

# The first row that fits.
TABLE = (
    # banner 421/4xx, timeout · 5xx: next server · breaker at once; recipients are not refused
    TAKEN("BANNER", YES),
    NEXT_SERVER("BANNER", FOR_GOOD, breaker="opens"),
    NEXT_SERVER("BANNER", ".*"),
    # A server that does not know EHLO may know HELO.
    TAKEN("EHLO", f"{YES}|{FOR_GOOD}"),
    TAKEN("HELO", YES),
    NEXT_SERVER("EHLO HELO", ".*"),
    # STARTTLS missing, refused, or anything but a handshake behind it: never plaintext when TLS is required
    TAKEN("STARTTLS", "220"),
    NEXT_SERVER("STARTTLS", ".*"),
    # AUTH 535/534/538/530, and whatever else keeps us out · 454, 4xx
    TAKEN("AUTH", YES),
    NEXT_SERVER("AUTH", f"{FOR_GOOD}|{NO_REPLY}", breaker="opens"),
    NEXT_SERVER("AUTH", ".*"),
    # MAIL 421 · 4xx · 552, 5.3.4 · other 5xx
    TAKEN("MAIL REUSED BEHIND", YES),
    TRANSIENT("MAIL REUSED BEHIND", FOR_NOW),
    PERMANENT("MAIL REUSED BEHIND", FOR_GOOD),
    NEXT_SERVER("MAIL", ".*"),
    # a reused connection fails on its first command, or the line behind a dot: reopened once
    TAKEN("REUSED BEHIND", ".*"),
    # RCPT 2xx
    TAKEN("RCPT", YES),
    # RCPT 452/4.5.3: send to those accepted, the rest at once · 450/451, 4.x: stays open
    SECOND("RCPT", "45.-4[.]5[.]3", states="D-", soon=True, tries=False),
    SECOND("RCPT", FOR_NOW, states="D-"),
    # RCPT 550/551/553, 5.1.x, 5.2.1 · 5.2.2, 5.7.x: refused; 5.1.1, 5.1.10, 5.2.1 go to the suppression list
    SECOND("RCPT", "550-5[.](1[.]1|1[.]10|2[.]1)", states="DR", listed=True),
    SECOND("RCPT", FOR_GOOD, states="DR"),
    # RCPT 421: nothing was sent to anyone yet
    NEXT_SERVER("RCPT", ".*"),
    # DATA 4xx / 5xx
    TAKEN("DATA", "354"),
    TRANSIENT("DATA", "4.*"),
    PERMANENT("DATA", FOR_GOOD),
    NEXT_SERVER("DATA", ".*"),
    # body: line lost before the dot; a server that judges before the end is believed, and the line closed
    TRANSIENT("BODY", FOR_NOW),
    PERMANENT("BODY", FOR_GOOD),
    NEXT_SERVER("BODY", ".*"),
    # dot 2xx, any · 421/4xx · 5xx · line lost, timeout, garbage, 3xx
    TAKEN("DOT", YES),
    TRANSIENT("DOT", "4.*"),
    PERMANENT("DOT", FOR_GOOD),
    AMBIGUOUS("DOT", ".*"),
    # QUIT anything: ignored. RSET anything: whoever comes next is not harmed by it.
    TAKEN("QUIT RSET", ".*"),
)


def row_of(phase: str, reply: str) -> Row:
    return next(row for row in TABLE if phase in row.phases.split() and re.fullmatch(row.replies, reply))


@dataclasses.dataclass(frozen=True)
class Authority:
    ca_file: str
    context: ssl.SSLContext


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made, path = trustme.CA(), tmp_path_factory.mktemp("authority") / "ca.pem"
    made.cert_pem.write_to_path(str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("127.0.0.1").configure_cert(context)
    return Authority(str(path), context)


class Table(World):
    """A world of two servers, of which the second is well."""

    def __init__(self, seconds: float, **changes: Any) -> None:
        super().__init__()
        self._seconds = seconds
        self._changes = changes
        self.transmission._handover._endpoints = self  # type: ignore[assignment]

    def of(self, server: ServerFacts) -> Endpoint:
        patience = Timeouts(*[self._seconds] * 8, total=60)
        first: dict[str, Any] = {"tls": TlsMode.OFF, "timeouts": patience, **self._changes}
        return Endpoint(server.host, server.port, **(first if server.id == 1 else {"tls": TlsMode.OFF}))

    def seen(self, facts: ServerFacts) -> None:
        """The first server has failed twice before."""
        self.transmission._lines.of(facts).breaker.failures = 2

    @property
    def wire(self) -> Wire:
        """The line of the mail under way."""
        (slot,) = self.transmission._slots
        assert isinstance(slot.loan, OwnLoan)
        connection = slot.loan._loan._connection
        assert connection
        assert connection._line
        return connection._line.wire

    async def verdict(self, number: int) -> Settlement:
        """What the first server has made of a mail."""

        def mine() -> list[Settlement]:
            return [one for one in self.reported if one.leased.id == number]

        await self.until(lambda: bool(mine()))
        (last,) = mine()
        return last.earlier[0] if last.earlier else last


def script_of(phase: str, reply: Move, offers: tuple[str, ...], tls: ssl.SSLContext) -> Script:
    """A server that says `reply` in that phase, of two recipients to the second, and is well otherwise."""
    answers: dict[str, dict[str, Move | Sequence[Move]]] = {
        "HELO": {"EHLO": "502 5.5.1 what?", "HELO": reply},
        "RCPT": {"RCPT": ["250 ok", reply]},
        "RSET": {"DATA": ["451 4.3.0 busy", "354 go ahead"], "RSET": reply},
        "REUSED": {"MAIL": ["250 ok", reply, "250 ok"]},
        "BEHIND": {"MAIL": ["250 ok", reply, "250 ok"]},
    }
    protected: dict[str, Any] = {"offers": offers}
    if phase in ("STARTTLS", "AUTH"):
        protected = {"offers": (*offers, "AUTH PLAIN"), "tls": tls}
    return Script(answers.get(phase, {phase: reply}), **protected)


def changes_of(phase: str, ca_file: str) -> dict[str, Any]:
    """How the endpoint of such a server differs from a plain one."""
    if phase not in ("STARTTLS", "AUTH"):
        return {}
    user = {"username": "mailer", "password": "hunter2", "auth": AuthMechanism.PLAIN}
    return {"tls": TlsMode.REQUIRED, "ca_file": ca_file, **user}


def a_mail(number: int, *servers: ServerFacts, **changes: Any) -> Job:
    return Job(leased(2, id=number, message_id=f"{number}@x.test", **changes), servers)


async def send_one(world: Table, servers: Sequence[ServerFacts]) -> None:
    world.begin(a_mail(1, *servers))


async def send_in_turn(world: Table, servers: Sequence[ServerFacts]) -> None:
    world.begin(a_mail(0, *servers))
    await world.verdict(0)
    await send_one(world, servers)


async def send_behind(world: Table, servers: Sequence[ServerFacts]) -> None:
    world.begin(a_mail(0, *servers), a_mail(1, *servers))


async def send_more_than_a_piece(world: Table, servers: Sequence[ServerFacts]) -> None:
    """The dot is kept back until the server has spoken."""

    async def spoken(*_: Any) -> bool:
        world.marks.write = granted  # type: ignore[method-assign]  # the second server is not waited for
        while world.wire.is_alive:  # noqa: ASYNC110 - a line tells only the one who waits for a reply
            await asyncio.sleep(0)
        return True

    granted = world.marks.write
    world.marks.write = spoken  # type: ignore[method-assign]
    long = email(mailing=dataclasses.replace(MAILING, text="All the bits that fit.\n" * 5000))
    world.begin(a_mail(1, *servers, email=long, at_most_once=True))


SEND = {"RSET": send_in_turn, "REUSED": send_in_turn, "BEHIND": send_behind, "BODY": send_more_than_a_piece}


def said(world: Table, one: Settlement, second: SmtpPeer) -> Row:
    """What came of it, as a row."""
    assert one.transaction
    ends = {settled.recipient_id: settled.state.value[0] for settled in one.verdict.settled}
    listed = hard_refusals(one.leased, one.verdict, one.transaction, {1, 2})
    breaker = world.transmission.breaker_of(1)
    assert breaker
    return Row(
        "",
        "",
        one.transaction.level,
        "".join(ends.get(id_, "-") for id_ in (1, 2)),
        "opens" if breaker.openings else {0: "speaks", 3: "counts"}[breaker.failures],
        any(b"<1@x.test>" in message for message in second.messages),
        [entry.address for entry in listed] == ["r2@example.com"],
        one.verdict.next == "READY" and one.verdict.run_at == NOON,
        one.verdict.counts_as_try,
    )


# A server that is silent while it takes the body is one that waits for it; 334 begins no body at the peer.
NO_CASES = {("BODY", "silence"), ("DATA", "334")}
CASES = [case for case in itertools.product(PHASES, REPLIES) if case not in NO_CASES]


@pytest.mark.parametrize("offers", [OFFERS, LOCKSTEP], ids=["pipelined", "lockstep"])
@pytest.mark.parametrize(("phase", "reply"), CASES)
async def test_a_reply_means_what_the_table_says(
    phase: str, reply: str, offers: tuple[str, ...], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "QUIT_PATIENCE", PATIENCE)
    expected = row_of(phase, reply)
    # A server that says yes to STARTTLS in other words, and then does nothing, is waited for as well.
    hurry = reply == "silence" or phase == "STARTTLS"
    world = Table(2 * PATIENCE if hurry else 10, **changes_of(phase, authority.ca_file))
    script = script_of(phase, REPLIES[reply], offers, authority.context)
    async with SmtpPeer(script) as first, SmtpPeer() as second:
        facts = at(first, max_connections=1)
        world.seen(facts)
        await SEND.get(phase, send_one)(world, (facts, at(second, 2, priority=2)))
        one = await world.verdict(1)
        await world.transmission.close(1)

    assert said(world, one, second) == dataclasses.replace(expected, phases="", replies="")
    mine = [message for message in first.messages if b"<1@x.test>" in message]
    # Whoever was not sent the dot has had no whole message, and nobody has had two.
    assert len(mine) == (expected.level in DOT_WRITTEN or phase == "DOT")


DOT_WRITTEN = (Level.NONE, Level.RECIPIENT, Level.AMBIGUOUS)


# Before a word is said.


@pytest.mark.parametrize("fate", ["unknown", "silence"])
async def test_a_name_that_is_not_resolved_leads_to_the_next_server(
    fate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def unresolved(host: Any, port: Any, **rest: Any) -> Any:
        return await (resolve(host, port, **rest) if port != 1 else fates[fate]())

    async def unknown() -> Any:
        raise socket.gaierror("no such name")

    fates: dict[str, Any] = {"unknown": unknown, "silence": asyncio.Event().wait}
    monkeypatch.setattr(loop, "getaddrinfo", unresolved)
    await leads_to_the_next_server("RESOLVE", port=1, seconds=PATIENCE)


async def test_a_port_at_which_nobody_listens_leads_to_the_next_server() -> None:
    await leads_to_the_next_server("CONNECT", port=1)


async def test_a_host_that_is_silent_leads_to_the_next_server(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def never(protocol: Any, host: Any, port: Any) -> Any:
        return await (connect(protocol, host, port) if port != 1 else asyncio.Event().wait())

    monkeypatch.setattr(loop, "create_connection", never)
    await leads_to_the_next_server("CONNECT", port=1, seconds=PATIENCE)


@pytest.mark.parametrize("move", [hang_up, silence], ids=in_words)
async def test_a_handshake_that_comes_to_nothing_leads_to_the_next_server(
    move: Move, authority: Authority
) -> None:
    tls = changes_of("STARTTLS", authority.ca_file)
    async with SmtpPeer(Script({"STARTTLS": then("220 go", move)}, ("STARTTLS",))) as peer:
        await leads_to_the_next_server("TLS", port=peer.port, seconds=2 * PATIENCE, **tls)
        assert peer.commands == ["EHLO localhost", "STARTTLS"]


async def test_a_certificate_of_a_stranger_leads_to_the_next_server(authority: Authority) -> None:
    tls = {**changes_of("STARTTLS", authority.ca_file), "ca_file": None}
    async with SmtpPeer(Script(tls=authority.context)) as peer:
        await leads_to_the_next_server("TLS", port=peer.port, **tls)
        assert peer.commands == ["EHLO localhost", "STARTTLS"]


async def test_a_server_without_starttls_leads_to_the_next_one(authority: Authority) -> None:
    async with SmtpPeer() as peer:
        tls = changes_of("STARTTLS", authority.ca_file)
        await leads_to_the_next_server("STARTTLS", port=peer.port, **tls)
        assert peer.commands == ["EHLO localhost"]


async def leads_to_the_next_server(phase: str, *, port: int, seconds: float = 10, **changes: Any) -> None:
    world = Table(seconds, **changes)
    async with SmtpPeer() as second:
        facts = server(1, port=port)
        world.seen(facts)
        begun = [facts, at(second, 2, priority=2)]
        await send_one(world, begun)
        one = await world.verdict(1)
        await world.transmission.close(1)
    assert one.transaction
    assert one.transaction.phase == phase
    assert said(world, one, second) == NEXT_SERVER("", "")
