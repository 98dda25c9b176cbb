"""The bench on which the model stands: a real store, the real units of work, time that is turned by hand."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from accepting import Accepting, draft
from model.snapshot import moves, take
from peers.configuration import ACME
from postroom_server.clock import HOUR, Millis
from postroom_server.delivery.held import expire_held
from postroom_server.delivery.lease import Turns
from postroom_server.delivery.leased import Leased
from postroom_server.mail.changes import Changes
from postroom_server.mail.limits import Limits
from postroom_server.mail.retries import Retries
from postroom_server.refusals import Refusal
from postroom_server.store.opening import Address, OpenDatabase, open_database

T = TypeVar("T")
DATA_KEY = "5a" * 32
OWNERS = (1, 2)
# Every email ends in two days of hours or after its third crash, thrice released.
HOURS_TO_REST = 200


@dataclasses.dataclass(eq=False)
class Hand:
    """A lease as its worker sees it."""

    owner: int
    leased: Leased
    marked: bool = False  # its dot


class Bench(RuleBasedStateMachine):
    """Set `new_database` to what makes a fresh, migrated database, in a subclass."""

    new_database: ClassVar[Callable[[], str]]

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        url = type(self).new_database()
        self.opened: OpenDatabase = open_database(
            Address(url), key_text=DATA_KEY, key_file=None, auto_migrate=False
        )
        self.runner.run(self._furnish())
        self.turns = {owner: Turns() for owner in OWNERS}
        self.hands: list[Hand] = []
        self.ghosts: list[Hand] = []  # of workers that were declared dead; they may still speak
        self.given = collections.Counter[int]()  # copies that a recipient may have
        self.doubts = collections.Counter[int]()  # ambiguous events, by email
        self.wanted_again = collections.Counter[int]()  # how often a caller asked for another
        self.called_off: set[int] = set()  # deliveries in a worker's hands when a caller took them back
        self.tokens: dict[int, int] = {}
        self.messages: dict[int, tuple[str, Millis]] = {}
        self.before = self.read(take)

    async def _furnish(self) -> None:
        self.use = Accepting(self.opened)
        await self.use.fill()
        await self.use.add_server()
        limits = Limits()
        self.changes, self.retries = Changes(self.use.clock, limits), Retries(self.use.clock, limits)
        for number in range(2):
            await self.use.accept(draft(to=(f"first-{number}@example.com",), at_most_once=bool(number)))

    def teardown(self) -> None:
        if not hasattr(self, "opened"):
            return
        try:
            self._come_to_rest()
        finally:
            self.opened.close()
            self.runner.close()

    @invariant()
    def holds(self) -> None:
        """What must be true at any time."""
        if not hasattr(self, "opened"):
            return
        now = self.read(take)
        now.check(self.now)
        for id_, email in now.emails.items():
            assert email["ambiguous_count"] == self.doubts[id_], email
        for id_, row in now.recipients.items():
            email = now.emails[row["email_id"]]
            doubts = 0 if email["at_most_once"] else email["ambiguous_count"]
            assert self.given[id_] <= 1 + doubts + self.wanted_again[id_], (row, email)
            if row["state"] == "DELIVERED":
                assert self.given[id_] >= 1, row
        for id_, row in now.deliveries.items():
            assert row["lease_token"] >= self.tokens.get(id_, 0)
            self.tokens[id_] = row["lease_token"]
        self.before = now

    # What the rules are made of.

    @property
    def now(self) -> Millis:
        return self.use.clock.now()

    @property
    def states(self) -> set[str]:
        return {row["state"] for row in self.before.deliveries.values()}

    @property
    def has_rivals(self) -> bool:
        """Whether somebody was declared dead with what another has in hand by now."""
        return not {ghost.leased.id for ghost in self.ghosts}.isdisjoint(h.leased.id for h in self.hands)

    @property
    def is_something_due(self) -> bool:
        rows = self.before.deliveries.values()
        return any(row["state"] == "READY" and row["run_at"] <= self.now for row in rows)

    def read(self, unit: Callable[..., T], *args: Any) -> T:
        return self.runner.run(self.opened.store.read(unit, *args))

    def write(self, unit: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return self.runner.run(self.opened.store.write(unit, *args, **kwargs))

    def pick(self, data: st.DataObject, hands: list[Hand]) -> Hand:
        return hands.pop(data.draw(st.integers(0, len(hands) - 1), label="hand"))

    @contextlib.contextmanager
    def moving(self, deliveries: set[tuple[str, str]], recipients: set[tuple[str, str]]) -> Iterator[None]:
        """What happens inside moves states along these ways only."""
        before = self.read(take)
        yield
        self.before = after = self.read(take)
        moved, settled = moves(before, after)
        assert moved <= deliveries, (moved, deliveries)
        assert settled <= recipients, (settled, recipients)

    # What a subclass brings.

    def lose_all_workers(self) -> None:
        raise NotImplementedError

    def deliver_what_is_due(self) -> None:
        raise NotImplementedError

    def _come_to_rest(self) -> None:
        """Once servers are well and nobody dies any more, everything ends."""
        self.lose_all_workers()
        for _ in range(HOURS_TO_REST):
            pending = [row for row in self.read(take).emails.values() if row["state"] == "PENDING"]
            if not pending:
                return
            for row in pending:
                if row["delete_time"] is None:
                    with contextlib.suppress(Refusal):
                        self.write(self.retries.release, ACME, row["id"])
            self.write(expire_held, self.now)
            self.deliver_what_is_due()
            self.holds()
            self.use.clock.advance(HOUR)
        raise AssertionError(f"never settled: {pending}")
