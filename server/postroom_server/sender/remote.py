"""This process's end of the line to its sender: what it was given, and what it says came of that."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import structlog

from postroom_server import failpoints
from postroom_server.message.percent_template import PercentTemplate
from postroom_server.message.template import CompiledTemplate
from postroom_server.sender import frames
from postroom_server.sender.draft import Draft
from postroom_server.sender.frames import Link, Word
from postroom_server.sender.loan import Errand, NotBegun, Parcel, SenderLoan, SenderLost, Unwritten
from postroom_server.settings import PREFIX
from postroom_server.smtp import Endpoint, Level, Timeouts, Transaction

log = structlog.get_logger()

START_SECONDS = 30.0
# Beyond the grace that it is given itself.
END_SECONDS = 5.0
_VALUES_KNOWN = 500
# Who says nothing for so long, though asked, is ended. Not while this process itself stood still.
DUMB_SECONDS = 30.0
_PING_SECONDS = 5.0
_AWAY_SECONDS = 2.0
_SOCKET_OCTETS = 1 << 20


class Sender:
    """One process, from its start to its end.

    `believed_until` says until when, on the monotonic clock, others surely take this process for alive: the
    sender asks before each dot from then on. `ended` is called once, when it has.
    """

    def __init__(self, believed_until: Callable[[], float], ended: Callable[[Sender], None]) -> None:
        self._believed_until = believed_until
        self._told_until = 0.0
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._link = Link(self._hear, self._lost)
        self._process: subprocess.Popen[bytes] | None = None
        self._is_up = asyncio.Event()
        self._is_gone = asyncio.Event()
        self._closing = False
        self._waiting: dict[int, _Waiting] = {}
        self._recalls: dict[int, Callable[[], None]] = {}
        self._asked: set[asyncio.Task[None]] = set()
        self._known: collections.OrderedDict[int, tuple[object, int]] = collections.OrderedDict()
        self._numbers = 0
        self._used_at = self._heard_at = self._looked_at = self._pinged_at = self._loop.time()

    async def start(self) -> None:
        """Raises OSError or TimeoutError where no process comes about; `kill` cleans up then, too."""
        ours, theirs = socket.socketpair()
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_OCTETS)
            await self._loop.create_connection(lambda: self._link, sock=ours)
            self._process = await asyncio.to_thread(_launch, theirs.fileno())
        async with asyncio.timeout(START_SECONDS):
            await self._is_up.wait()
        if self._is_gone.is_set():
            raise ConnectionError("it ended while it started")

    @property
    def is_ready(self) -> bool:
        """Whether it takes mail."""
        return self._is_up.is_set() and not self._closing and not self._is_gone.is_set()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def is_idle(self, seconds: float) -> bool:
        """Whether it has been given nothing for so long, and has nothing."""
        return self.is_ready and not self._waiting and self._loop.time() - self._used_at > seconds

    def look(self) -> None:
        """To be called a few times a second: whether it is still there. Ends one that does not answer."""
        now = self._loop.time()
        if now - self._looked_at > _AWAY_SECONDS:
            self._heard_at = now  # this process itself stood still
        self._looked_at = now
        if now - self._heard_at > DUMB_SECONDS and self._process is not None and self.is_ready:
            log.error("sender_dumb", pid=self.pid)
            self._process.kill()
            self._link.close()
        elif now - self._pinged_at > _PING_SECONDS:
            self._pinged_at = now
            self._say(Word.PING)

    def abort_before_dot(self) -> None:
        """Ends everything that has not written its dot: what has begun is LOCAL, the rest was not begun."""
        self._say(Word.HALT)

    def take_no_more(self) -> None:
        """What it has goes on until `close`."""
        self._closing = True

    async def close(self, grace_seconds: float) -> None:
        """Ends it: at once what has not written its dot, after `grace_seconds` the rest."""
        self.take_no_more()
        self._say(Word.CLOSE, grace_seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds + END_SECONDS):
                await self._is_gone.wait()
        await self.kill()

    async def kill(self) -> None:
        """Ends it at once."""
        if not self._link.close():
            self._lost()  # there never was a line, so none can be lost
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        await self._is_gone.wait()
        if self._asked:
            await asyncio.wait(self._asked)

    # What loans call.

    def carry(self, loan: SenderLoan, endpoint: Endpoint, parcel: Parcel) -> Errand:
        """Gives it a parcel. The outcome says so where that could not be."""
        self._numbers += 1
        number, outcome = self._numbers, self._loop.create_future()
        errand = Errand(number, parcel, endpoint, outcome)
        self._used_at = self._loop.time()
        if self._is_gone.is_set() or self._closing:
            outcome.set_exception(NotBegun())
            return errand
        try:
            ways = self._number_of(endpoint), self._timeouts(parcel.timeouts)
            terms = parcel.asks, parcel.expires_in
            content = self._content(parcel)
            self._say(Word.CARRY, number, loan.number, loan.server_id, *ways, *terms, *content)
        except ValueError:  # something in it is no plain value
            outcome.set_exception(Unwritten())
            return errand
        self._waiting[number] = _Waiting(parcel, outcome)
        return errand

    def recall(self, errand: Errand, then: Callable[[], None], *, stop: bool) -> None:
        self._recalls[errand.number] = then
        self._say(Word.RECALL, errand.number, stop)

    def forget_recall(self, errand: Errand) -> None:
        """Lets its outcome say what its recall would."""
        self._recalls.pop(errand.number, None)

    def stop(self, errand: Errand, why: str) -> None:
        self._say(Word.STOP, errand.number, why)

    def give_back(self, loan: SenderLoan) -> None:
        self._say(Word.GIVE_BACK, loan.number)

    # What it says.

    def _hear(self, message: tuple[Any, ...]) -> None:
        match message:
            case (Word.DONE, number, transaction, took):
                self._waiting.pop(number).end(frames.to_transaction(transaction), took)
            case (Word.NOT_BEGUN, number):
                self._waiting.pop(number).fail(NotBegun())
            case (Word.UNWRITTEN, number):
                self._waiting.pop(number).fail(Unwritten())
            case (Word.FAILED, number, why):
                log.error("sender_failed", why=why)
                self._waiting.pop(number).fail(SenderLost(why))
            case (Word.RECALLED, number, had_not_begun):
                then = self._recalls.pop(number, None)
                if had_not_begun:
                    waiting = self._waiting.pop(number)
                    waiting.fail(NotBegun()) if then is None else then()
            case (Word.ASK, number):
                task = self._loop.create_task(self._answer(number, self._waiting[number]))
                self._asked.add(task)
                task.add_done_callback(self._asked.discard)
            case (Word.CLOSED,):
                self._link.close()
            case (Word.READY,):
                self._is_up.set()
        self._heard_at = self._loop.time()

    async def _answer(self, number: int, waiting: _Waiting) -> None:
        may_go = False
        try:
            may_go = await waiting.parcel.may_go()
        except Exception as error:
            waiting.fault = error  # which whoever waits for the outcome hears, as from their own connection
        self._say(Word.ANSWER, number, may_go)

    def _lost(self) -> None:
        if self._is_gone.is_set():
            return
        self._is_gone.set()
        self._is_up.set()
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            one.fail(SenderLost("the sending process ended"))
        self._recalls.clear()
        self._ended(self)

    # What it is told.

    def _say(self, *message: Any) -> None:
        if self._link.say(*message):
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._link.flush()

    def _believe(self) -> None:
        until = self._believed_until()
        if until != self._told_until:
            self._told_until = until
            self._say(Word.BELIEVE, until)

    def _content(self, parcel: Parcel) -> tuple[Any, ...]:
        self._believe()
        content = parcel.content
        if not isinstance(content, Draft):
            return (False, frames.of_envelope(content))
        return (True, frames.of_draft(content, self._template(content.template)))

    def _template(self, template: CompiledTemplate | None) -> int:
        if template is None:
            return 0
        assert isinstance(template, PercentTemplate)
        return self._number_of(template, (template.content, template.variables))

    def _timeouts(self, timeouts: Timeouts | None) -> int:
        return 0 if timeouts is None else self._number_of(timeouts)

    def _number_of(self, value: object, told: object = None) -> int:
        """By what number the sender knows a value; it is told the value, or what it is made of, at first."""
        known = self._known.get(id(value))
        if known is not None:
            self._known.move_to_end(id(value))
            return known[1]
        self._numbers += 1
        self._say(Word.INTRODUCE, self._numbers, pickle.dumps(value if told is None else told))
        self._known[id(value)] = (value, self._numbers)
        if len(self._known) > _VALUES_KNOWN:
            self._say(Word.FORGET, self._known.popitem(last=False)[1][1])
        return self._numbers


def _launch(descriptor: int) -> subprocess.Popen[bytes]:
    module = "postroom_server.sender.process"
    return subprocess.Popen(  # noqa: S603 - ourselves
        # -P: what lies in the working directory is not imported.
        [sys.executable, "-P", "-m", module, str(descriptor), str(os.getpid())],
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=_environment(),
        # Ctrl-C in a terminal is for this process, which then drains.
        process_group=0,
    )


def _environment() -> dict[str, str]:
    """Without the settings: whoever has no key in its environment cannot lose it."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(PREFIX) or name == failpoints.VARIABLE
    }


class _Waiting:
    """A parcel that the sender has."""

    __slots__ = ("_outcome", "fault", "parcel")

    def __init__(self, parcel: Parcel, outcome: asyncio.Future[Transaction]) -> None:
        self.parcel = parcel
        self.fault: Exception | None = None  # what kept us from saying whether it may go
        self._outcome = outcome

    def end(self, transaction: Transaction, took: int) -> None:
        self.parcel.took = took
        if self.fault is not None and transaction.level is Level.LOCAL:
            self.fail(self.fault)
        elif not self._outcome.done():
            self._outcome.set_result(transaction)

    def fail(self, error: Exception) -> None:
        if not self._outcome.done():  # nobody waits for it any more
            self._outcome.set_exception(error)
