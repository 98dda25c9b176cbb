"""The ways by which mail leaves: connections of this process, or a sender beside it while there is much."""

from __future__ import annotations

import asyncio
import enum
import functools
import itertools
import math
import os
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from postroom_server.sender.loan import OwnLoan, SenderLoan, SlotLoan
from postroom_server.sender.remote import Sender
from postroom_server.smtp import Pool

log = structlog.get_logger()

# So many deliveries in hand are more than what comes by itself in the time that a process takes to start.
CROWD = 128
# It takes memory while it has nothing to do, and half a second of a processor to start.
IDLE_SECONDS = 60.0
# After one has ended by itself; where it is not always wanted, twice as long each time.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0


class Use(enum.StrEnum):
    """When there is a sender."""

    AUTO = "auto"  # while there is much to send, on a machine with a processor for it
    ALWAYS = "always"
    NEVER = "never"


class Ways:
    """`believed_until` as `Sender` has it; `lost` hears of each that ends by itself."""

    def __init__(
        self,
        use: Use,
        believed_until: Callable[[], float] = lambda: math.inf,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        if use is Use.AUTO and _processors() < 2:
            use = Use.NEVER
        self._use = use
        self._believed_until = believed_until
        self._lost = lost
        self._pool = Pool()
        self._sender: Sender | None = None
        self._in_use: Sender | None = None  # the same, once this process's connections were told to go
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._not_before = 0.0
        self._pause = FIRST_PAUSE
        self._closed = False

    @property
    def sender(self) -> Sender | None:
        """The one that takes mail now."""
        sender = self._in_use  # which is asked from other threads, too
        return sender if sender is not None and sender.is_ready else None

    def loan(self, server_id: int) -> SlotLoan:
        """A way to send one mail after the other to a server; to be given back."""
        if (sender := self.sender) is not None:
            # Mail servers count connections: those of this process have to be gone, which takes a moment.
            ready = functools.partial(self._pool.farewell, server_id)
            return SenderLoan(sender, next(self._numbers), server_id, ready)
        return OwnLoan(self._pool.loan(server_id), lambda: self.sender is None)

    def look(self, in_hand: int) -> None:
        """To be called a few times a second, with how much there is: starts a sender, or ends an idle one."""
        sender = self._sender
        if sender is None:
            if self._is_wanted(in_hand):
                self._sender = sender = Sender(self._believed_until, self._ended)
                self._start(self._bring_up(sender))
            return
        sender.look()
        if self._use is Use.AUTO and not self._closed and sender.is_idle(IDLE_SECONDS):
            self._sender = None
            sender.take_no_more()
            self._pause = FIRST_PAUSE
            self._pool.stand_up()
            self._start(self._retire(sender))

    def abort_before_dot(self) -> None:
        """Ends every transaction that has not written its final dot: its outcome is LOCAL."""
        self._pool.abort_before_dot()
        if self._sender is not None:
            self._sender.abort_before_dot()

    async def close(self, grace_seconds: float) -> None:
        """Stops what has not written its dot, waits so long for the rest, and closes everything."""
        self._closed = True
        ending = [self._pool.close(grace_seconds)]
        if self._sender is not None:
            ending.append(self._sender.close(grace_seconds))
        await asyncio.gather(*ending)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _is_wanted(self, in_hand: int) -> bool:
        if self._closed or asyncio.get_running_loop().time() < self._not_before:
            return False
        return self._use is Use.ALWAYS or (self._use is Use.AUTO and in_hand >= CROWD)

    async def _bring_up(self, sender: Sender) -> None:
        try:
            await sender.start()
        except (OSError, TimeoutError) as error:
            log.warning("sender_not_started", reason=str(error) or type(error).__name__)
            await sender.kill()
            return
        if self._sender is not sender or not sender.is_ready:
            return
        self._pool.stand_down()
        self._in_use = sender
        log.info("sender_started", pid=sender.pid)

    async def _retire(self, sender: Sender) -> None:
        await sender.close(0)
        log.info("sender_ended", pid=sender.pid)

    def _ended(self, sender: Sender) -> None:
        """A sender is gone: of itself, unless it was retired or everything closes."""
        if self._sender is not sender or self._closed:
            return
        log.error("sender_lost", pid=sender.pid)
        self._lost()
        self._not_before = asyncio.get_running_loop().time() + self._pause
        if self._use is Use.AUTO:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._start(sender.kill())
        self._sender = None
        self._pool.stand_up()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _processors() -> int:
    """As many as this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
