"""The sender: a process that writes letters and sends them for the one that started it, and ends with it.

It knows no database and decides nothing: which mail, over which slot, in which order, whether it may go.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import functools
import os
import pickle
import signal
import socket
import sys
import time
import traceback
from collections.abc import Coroutine
from typing import Any

import uvloop

from postroom_server import failpoints
from postroom_server.memory import settle_memory
from postroom_server.message.percent_template import PercentTemplate
from postroom_server.message.template import CompiledTemplate
from postroom_server.sender import frames
from postroom_server.sender.draft import Writer
from postroom_server.sender.frames import Link, Word
from postroom_server.smtp import Endpoint, Envelope, Level, Loan, Pool, Timeouts

# Outcomes that come within a moment leave together.
GATHER_SECONDS = 0.002


@dataclasses.dataclass(slots=True, eq=False)
class Errand:
    number: int
    envelope: Envelope
    endpoint: Endpoint
    timeouts: Timeouts | None
    asks: bool
    deadline: float  # on the monotonic clock
    is_stopped: bool = False


class Desk:
    """One loan: the errand under way, and those that wait for their turn."""

    def __init__(self, loan: Loan) -> None:
        self.loan = loan
        self.under_way: Errand | None = None
        self.waiting: collections.deque[Errand] = collections.deque()
        self.is_worked_at = False
        self.is_given_back = False

    def following(self) -> Envelope | None:
        """What goes behind the dot of the one under way."""
        if not self.waiting or self.under_way is None or self.under_way.asks:
            return None
        return self.waiting[0].envelope if self.waiting[0].endpoint is self.under_way.endpoint else None

    def take_out(self, number: int) -> bool:
        """Removes an errand that has not begun; False where none of that number waits."""
        errand = next((errand for errand in self.waiting if errand.number == number), None)
        if errand is not None:
            self.waiting.remove(errand)
        return errand is not None


class Office:
    """All desks, and the line to the process that gives them work."""

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._loop = asyncio.get_running_loop()
        # Without the process that started it nothing of this may go on.
        self.link = Link(self._hear, lambda: os._exit(0))
        self._pool = Pool()
        self._writer = Writer()
        self._values: dict[int, Any] = {}
        self._desks: dict[int, Desk] = {}
        self._desk_of: dict[int, Desk] = {}  # by errand
        self._answers: dict[int, asyncio.Future[bool]] = {}
        self._believed_until = 0.0
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.closed = asyncio.Event()

    def _hear(self, message: tuple[Any, ...]) -> None:
        match message:
            case (Word.CARRY, *fields):
                self._carry(*fields)
            case (Word.INTRODUCE, number, value):
                told = pickle.loads(value)  # noqa: S301 - by the process that started this one
                self._values[number] = PercentTemplate(*told) if isinstance(told, tuple) else told
            case (Word.FORGET, number):
                del self._values[number]
            case (Word.BELIEVE, until):
                self._believed_until = until
            case (Word.RECALL, number, stop):
                self._recall(number, stop)
            case (Word.STOP, number, why):
                self._stop(number, why)
            case (Word.HALT,):
                self._halt()
            case (Word.ANSWER, number, may_go):
                if number in self._answers:
                    self._answers.pop(number).set_result(may_go)
            case (Word.GIVE_BACK, number):
                self._give_back(number)
            case (Word.PING,):
                self._report(Word.PONG)
            case (Word.CLOSE, grace):
                self._start(self._close(grace))

    def _carry(
        self, number: int, loan: int, key: int, endpoint: int, timeouts: int, asks: bool, expires_in: float,
        is_draft: bool, content: tuple[Any, ...],
    ) -> None:  # fmt: skip
        try:
            if is_draft:
                envelope = self._writer.write(frames.to_draft(content, self._template))
            else:
                envelope = frames.to_envelope(content)
        except Exception:
            # Whoever gave the errand finds the same when it writes the letter itself, and can tell of it.
            self._report(Word.UNWRITTEN, number)
            return
        desk = self._desks.get(loan)
        if desk is None:
            desk = self._desks[loan] = Desk(self._pool.loan(key))
        self._desk_of[number] = desk
        ways = self._values[endpoint], self._values[timeouts] if timeouts else None
        desk.waiting.append(Errand(number, envelope, *ways, asks, time.monotonic() + expires_in))
        if not desk.is_worked_at:
            desk.is_worked_at = True
            self._start(self._work(desk))

    def _template(self, number: int) -> CompiledTemplate | None:
        template: CompiledTemplate | None = self._values[number] if number else None
        return template

    async def _work(self, desk: Desk) -> None:
        while desk.waiting:
            errand = desk.waiting.popleft()
            began = time.monotonic()
            if began > errand.deadline:
                self._give_up(errand)
                continue
            desk.under_way = errand
            try:
                transaction = await desk.loan.send(
                    errand.endpoint,
                    errand.envelope,
                    functools.partial(self._may_go, errand),
                    timeouts=errand.timeouts,
                    following=desk.following,
                )
            except Exception as error:
                self._end(desk, errand)
                self._report(Word.FAILED, errand.number, f"{type(error).__name__}: {error}")
                self._send_back(desk)
                continue
            self._end(desk, errand)
            took = round((time.monotonic() - began) * 1000)
            self._report(Word.DONE, errand.number, frames.of_transaction(transaction), took)
            if transaction.level in (Level.CONNECTION, Level.AMBIGUOUS):
                self._send_back(desk)
        desk.is_worked_at = False
        if desk.is_given_back or self._closing:
            desk.loan.give_back()

    def _end(self, desk: Desk, errand: Errand) -> None:
        desk.under_way = None
        del self._desk_of[errand.number]
        self._answers.pop(errand.number, None)

    def _send_back(self, desk: Desk) -> None:
        """Leaves what has not begun to whoever knows of other servers."""
        while desk.waiting:
            self._give_up(desk.waiting.popleft())

    def _give_up(self, errand: Errand) -> None:
        del self._desk_of[errand.number]
        self._report(Word.NOT_BEGUN, errand.number)

    def _give_back(self, number: int) -> None:
        desk = self._desks.pop(number, None)
        if desk is None:
            return
        desk.is_given_back = True
        if not desk.is_worked_at:
            desk.loan.give_back()

    async def _may_go(self, errand: Errand) -> bool:
        if os.getppid() != self._parent:
            os._exit(0)
        if errand.is_stopped:
            return False  # and its line was lost before it could be closed, which had it begun again
        if not errand.asks and time.monotonic() < self._believed_until:
            return True
        answer: asyncio.Future[bool] = self._loop.create_future()
        self._answers[errand.number] = answer
        self._report(Word.ASK, errand.number)
        self.link.flush()
        return await answer

    def _recall(self, number: int, stop: bool) -> None:
        desk = self._desk_of.get(number)
        had_not_begun = desk is not None and desk.take_out(number)
        if had_not_begun:
            del self._desk_of[number]
        elif stop:
            self._stop(number, "cancelled")
        self._report(Word.RECALLED, number, had_not_begun)
        self.link.flush()

    def _stop(self, number: int, why: str) -> None:
        desk = self._desk_of.get(number)
        if desk is not None and desk.take_out(number):
            del self._desk_of[number]
            self._report(Word.NOT_BEGUN, number)
        elif desk is not None:
            self._stop_under_way(desk)
            desk.loan.abort_before_dot(why)

    def _stop_under_way(self, desk: Desk) -> None:
        if desk.under_way is not None:
            desk.under_way.is_stopped = True
            self._refuse(desk.under_way.number)

    def _refuse(self, number: int) -> None:
        """Whoever waits for a word before its dot has no line for it any more."""
        if (answer := self._answers.pop(number, None)) is not None:
            answer.set_result(False)

    def _halt(self) -> None:
        for desk in set(self._desk_of.values()):
            self._stop_under_way(desk)
            self._send_back(desk)
        self._pool.abort_before_dot()

    async def _close(self, grace: float) -> None:
        self._closing = True
        self._halt()
        for desk in self._desks.values():
            if not desk.is_worked_at:
                desk.loan.give_back()
        await self._pool.close(grace)
        self.closed.set()

    def _report(self, word: int, *told: Any) -> None:
        if self.link.say(word, *told):
            self._loop.call_later(GATHER_SECONDS, self.link.flush)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if (error := task.exception()) is not None:
            # What it had would wait for ever. The other process knows what to do when this one ends.
            traceback.print_exception(error)
            os._exit(1)


async def serve(descriptor: int, parent: int) -> None:
    office = Office(parent)
    end = socket.socket(fileno=descriptor)
    await asyncio.get_running_loop().create_connection(lambda: office.link, sock=end)
    settle_memory()
    office.link.say(Word.READY)
    office.link.flush()
    await office.closed.wait()
    office.link.say(Word.CLOSED)
    office.link.flush()
    await asyncio.Event().wait()  # until the other end has read the last of it, and is gone


def main() -> None:
    # A service manager tells every process to end; this one ends when the one that started it says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    descriptor, parent = map(int, sys.argv[1:])
    failpoints.bring_along(parent)
    uvloop.run(serve(descriptor, parent))


if __name__ == "__main__":
    main()
