"""A model of delivery.md §2: whatever callers, workers, servers, clocks and crashes do, its promises hold.

The store and all units of work are the real ones; time and the outcomes of SMTP are the model's.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from accepting import Accepting, draft
from model.outcomes import YES, copies, transactions
from model.snapshot import ENDS, Snapshot, moves, take, ways
from peers.configuration import ACME
from postroom_server.clock import DAY, HOUR, MINUTE, SECOND, Millis
from postroom_server.delivery import attempts
from postroom_server.delivery.astray import give_back_unheard
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.held import expire_held
from postroom_server.delivery.lease import Turns, lease
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.marks import mark_dot, mark_waiting
from postroom_server.delivery.rescue import Rescued, rescue, rescue_one
from postroom_server.delivery.settle import settle_once
from postroom_server.delivery.verdict import (
    Outcome,
    Verdict,
    judge,
    judge_abandoned,
    judge_local_error,
    judge_without_server,
)
from postroom_server.mail.changes import Changes
from postroom_server.mail.draft import CopyMode
from postroom_server.mail.limits import Limits
from postroom_server.mail.retries import Retries
from postroom_server.refusals import Refusal
from postroom_server.smtp import Level, Phase, Transaction
from postroom_server.store.models import Attempt, Lane, RecipientState
from postroom_server.store.opening import Address, OpenDatabase, open_database

T = TypeVar("T")
DATA_KEY = "5a" * 32
OWNERS = (1, 2)
CAPACITY = 6
MOST_EMAILS = 6
STOPPED = Level.LOCAL


def low(least: float, most: float) -> float:
    return least


@dataclasses.dataclass(eq=False)
class Hand:
    """A lease as its worker sees it."""

    owner: int
    leased: Leased
    marked: bool = False


class Deliveries(RuleBasedStateMachine):
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
        self.wanted_again = collections.Counter[int]()  # how often a caller asked for another
        self.tokens: dict[int, int] = {}
        self.messages: dict[int, tuple[str, Millis]] = {}
        self.before = self._read(take)
        for separate in (True, False):
            self.runner.run(
                self.use.accept(draft(copy_mode=_mode(separate), to=("a@x.example", "b@x.example")))
            )
            self.before = self._read(take)

    async def _furnish(self) -> None:
        self.use = Accepting(self.opened)
        await self.use.fill()
        await self.use.add_server()
        limits = Limits()
        self.changes, self.retries = Changes(self.use.clock, limits), Retries(self.use.clock, limits)

    def teardown(self) -> None:
        if not hasattr(self, "opened"):
            return
        try:
            self._comes_to_rest()
        finally:
            self.opened.close()
            self.runner.close()

    # What callers do.

    @precondition(lambda self: len(self.before.emails) < MOST_EMAILS)
    @rule(
        to=st.integers(1, 3),
        shared=st.booleans(),
        at_most_once=st.booleans(),
        delay=st.sampled_from([None, None, 0, HOUR, DAY]),
        lifetime=st.sampled_from([None, None, 30 * MINUTE]),
        urgent=st.booleans(),
    )
    def accept(
        self,
        to: int,
        shared: bool,
        at_most_once: bool,
        delay: Millis | None,
        lifetime: Millis | None,
        urgent: bool,
    ) -> None:
        now = self.now
        due = now if delay is None else now + delay
        made = draft(
            to=tuple(f"r{n}@example.com" for n in range(to)),
            copy_mode=_mode(not shared),
            at_most_once=at_most_once,
            urgent=urgent,
            schedule_time=None if delay is None else due,
            expire_time=None if lifetime is None else due + lifetime,
        )
        self.runner.run(self.use.accept(made))
        assert self._read(take).emails.keys() > self.before.emails.keys()

    @precondition(lambda self: len(self.before.emails) > 2)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        email_id = self._an_email(data)
        with self._moving(ways("READY>CANCELLED", "HELD>CANCELLED"), ways("OPEN>CANCELLED")):
            with contextlib.suppress(Refusal):
                self._write(self.changes.cancel, ACME, email_id)

    @precondition(lambda self: len(self.before.emails) > 3)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        email_id = self._an_email(data)
        with self._moving(ways("READY>CANCELLED", "HELD>CANCELLED"), ways("OPEN>CANCELLED")):
            self._write(self.changes.delete, ACME, [email_id])

    @precondition(lambda self: self.before.emails)
    @rule(data=st.data(), ahead=st.sampled_from([-HOUR, 0, HOUR, DAY]))
    def reschedule(self, data: st.DataObject, ahead: Millis) -> None:
        email_id = self._an_email(data)
        with self._moving(set(), set()), contextlib.suppress(Refusal):
            self._write(self.changes.reschedule, ACME, email_id, self.now + ahead)
            for id_, delivery in self._read(take).deliveries.items():
                if delivery["email_id"] == email_id:
                    self.messages.pop(id_, None)  # nothing of it was attempted, and its date is another

    @precondition(lambda self: "HELD" in self._states)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        held = {row["email_id"] for row in self.before.deliveries.values() if row["state"] == "HELD"}
        with self._moving(ways("HELD>READY"), set()), contextlib.suppress(Refusal):
            self._write(self.retries.release, ACME, data.draw(st.sampled_from(sorted(held))))

    @precondition(lambda self: any(row["state"] == "FAILURE" for row in self.before.emails.values()))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        before = self._read(take)
        reopened = ways("REFUSED>OPEN", "EXPIRED>OPEN", "UNKNOWN>OPEN")
        with self._moving(ways("DONE>READY", "CANCELLED>READY"), reopened), contextlib.suppress(Refusal):
            self._write(self.retries.retry, ACME, self._an_email(data))
            for id_, row in self._read(take).recipients.items():
                self.wanted_again[id_] += row["state"] == "OPEN" != before.recipients[id_]["state"]

    # What workers do.

    def lease(self, owner: int) -> None:
        with self._moving(ways("READY>LEASED"), set()):
            for leased in self._lease(owner):
                self.hands.append(Hand(owner, leased))

    @precondition(lambda self: self._is_something_due)
    @rule(owner=st.sampled_from(OWNERS))
    def lease_and_never_hear_of_it(self, owner: int) -> None:
        with self._moving(ways("READY>LEASED"), set()):
            lost = self._lease(owner)
        in_hand = {hand.leased.id: hand.leased.lease_token for hand in self._of(owner)}
        with self._moving(ways("LEASED>READY"), set()):
            unheard = self._write(give_back_unheard, owner, in_hand, self.now)
        assert sorted(unheard) == sorted(one.id for one in lost)

    def transmit(self, data: st.DataObject) -> None:
        hand = self._take_hand(data, self.hands)
        transaction = self._transmitted(data, hand)
        verdict = judge(hand.leased, transaction, now=self.now, uniform=low)
        with self._moving(ways("LEASED>DONE", "LEASED>READY", "LEASED>CANCELLED"), ENDS):
            assert self._settle(hand, verdict, transaction, twice=data.draw(st.booleans())) == []

    @precondition(lambda self: self._is_something_due)
    @rule(data=st.data(), owner=st.sampled_from(OWNERS))
    def work(self, data: st.DataObject, owner: int) -> None:
        """What workers mostly do: lease, and transmit some of it."""
        self.lease(owner)
        for _ in range(data.draw(st.integers(0, len(self.hands)), label="transmissions")):
            self.transmit(data)

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def fail_to_write_it(self, data: st.DataObject) -> None:
        hand = self._take_hand(data, self.hands)
        verdict = judge_local_error(hand.leased, now=self.now, uniform=low)
        moving = ways("LEASED>READY", "LEASED>HELD", "LEASED>CANCELLED", "LEASED>DONE")
        with self._moving(moving, ways("OPEN>CANCELLED")):
            assert self._settle(hand, verdict, None) == []

    @precondition(lambda self: self.hands)
    @rule(data=st.data(), ahead=st.sampled_from([0, MINUTE]))
    def give_it_back(self, data: st.DataObject, ahead: Millis) -> None:
        hand = self._take_hand(data, self.hands)
        run_at = min(self.now + ahead, hand.leased.expire_time)
        verdict = judge_abandoned(hand.leased, run_at)
        moving = ways("LEASED>READY", "LEASED>CANCELLED", "LEASED>DONE")
        with self._moving(moving, ways("OPEN>CANCELLED")):
            assert self._settle(hand, verdict, None) == []

    @precondition(lambda self: any(self.now >= hand.leased.expire_time for hand in self.hands))
    @rule()
    def find_it_expired(self) -> None:
        hand = next(hand for hand in self.hands if self.now >= hand.leased.expire_time)
        self.hands.remove(hand)
        verdict = judge_without_server(hand.leased, RecipientState.EXPIRED, Outcome.ABANDONED, self.now)
        with self._moving(ways("LEASED>DONE"), ways("OPEN>EXPIRED")):
            assert self._settle(hand, verdict, None) == []

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def fail_to_settle_it(self, data: st.DataObject) -> None:
        hand = self._take_hand(data, self.hands)
        self._transmitted(data, hand)
        moving = ways("LEASED>READY", "LEASED>HELD", "LEASED>CANCELLED", "LEASED>DONE")
        with self._moving(moving, ways("OPEN>UNKNOWN", "OPEN>CANCELLED")):
            leased = hand.leased
            given = (hand.owner, leased.id, leased.lease_token, self.use.mint, self.now)
            assert self._write(rescue_one, *given).total == 1

    @precondition(lambda self: any(hand.leased.alone for hand in self.hands))
    @rule()
    def wait_long_for_a_server(self) -> None:
        hand = next(hand for hand in self.hands if hand.leased.alone)
        with self._moving(set(), set()):
            self._write(mark_waiting, hand.owner, [(hand.leased.id, hand.leased.lease_token)])

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        """It is declared dead, and what it held is rescued; perhaps it only stood still."""
        owner = data.draw(st.sampled_from(sorted({hand.owner for hand in self.hands})))
        dead = self._of(owner)
        self.hands = [hand for hand in self.hands if hand.owner != owner]
        self.ghosts += dead
        self._rescue(owner)

    @precondition(lambda self: len(self.hands) > 2)
    @rule()
    def restart(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self.hands.clear()
        self.ghosts.clear()
        self._rescue(None)

    @precondition(lambda self: self.ghosts)
    @rule(data=st.data())
    def come_back_from_the_dead(self, data: st.DataObject) -> None:
        """A fenced outcome changes nothing, but that a late yes settles who is still open."""
        hand = self._take_hand(data, self.ghosts)
        transaction = self._transmitted(data, hand, fenced=True)
        verdict = judge(hand.leased, transaction, now=self.now, uniform=low)
        before = self._read(take)
        with self._moving(ways("READY>DONE", "HELD>DONE"), ways("OPEN>DELIVERED")):
            late = self._settle(hand, verdict, transaction)
        assert [one.leased for one in late] == [hand.leased]
        said_yes = {one.recipient_id for one in verdict.settled if one.state is RecipientState.DELIVERED}
        after = self.before
        changed = {id_ for id_, row in after.recipients.items() if row != before.recipients[id_]}
        open_before = {id_ for id_, row in before.recipients.items() if row["state"] == "OPEN"}
        assert changed == said_yes & open_before
        for id_, row in after.deliveries.items():
            assert {**row, "state": ""} == {**before.deliveries[id_], "state": ""}

    # What time does.

    @precondition(lambda self: self.hands or not self._is_something_due)
    @rule(by=st.sampled_from([SECOND, MINUTE, 5 * MINUTE, HOUR, DAY]))
    def wait(self, by: Millis) -> None:
        self.use.clock.advance(by)

    @precondition(lambda self: "HELD" in self._states)
    @rule()
    def expire_what_is_held(self) -> None:
        with self._moving(ways("HELD>DONE"), ways("OPEN>EXPIRED")):
            self._write(expire_held, self.now)

    # What must be true at any time.

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "opened"):
            return
        now = self._read(take)
        now.check(self.now)
        for id_, row in now.recipients.items():
            email = now.emails[row["email_id"]]
            doubts = 0 if email["at_most_once"] else email["ambiguous_count"]
            most = 1 + doubts + self.wanted_again[id_]
            assert self.given[id_] <= most, (row, email)
            if row["state"] == "DELIVERED":
                assert self.given[id_] >= 1, row
        for id_, row in now.deliveries.items():
            assert row["lease_token"] >= self.tokens.get(id_, 0)
            self.tokens[id_] = row["lease_token"]
        self.before = now

    # Below.

    @property
    def _states(self) -> set[str]:
        return {row["state"] for row in self.before.deliveries.values()}

    @property
    def _is_something_due(self) -> bool:
        rows = self.before.deliveries.values()
        return any(row["state"] == "READY" and row["run_at"] <= self.now for row in rows)

    @property
    def now(self) -> Millis:
        return self.use.clock.now()

    def _read(self, unit: Callable[..., T], *args: Any) -> T:
        return self.runner.run(self.opened.store.read(unit, *args))

    def _write(self, unit: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return self.runner.run(self.opened.store.write(unit, *args, **kwargs))

    def _of(self, owner: int) -> list[Hand]:
        return [hand for hand in self.hands if hand.owner == owner]

    def _an_email(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.before.emails)), label="email")

    def _take_hand(self, data: st.DataObject, hands: list[Hand]) -> Hand:
        return hands.pop(data.draw(st.integers(0, len(hands) - 1), label="hand"))

    @contextlib.contextmanager
    def _moving(self, deliveries: set[tuple[str, str]], recipients: set[tuple[str, str]]) -> Iterator[None]:
        """What happens inside moves states along these ways only."""
        before = self._read(take)
        yield
        self.before = after = self._read(take)
        moved, settled = moves(before, after)
        assert moved <= deliveries, (moved, deliveries)
        assert settled <= recipients, (settled, recipients)

    def _lease(self, owner: int) -> list[Leased]:
        held = dict.fromkeys(Lane, 0)
        for hand in self._of(owner):
            held[hand.leased.lane] += 1
        waiting = [(h.leased.id, h.leased.lease_token) for h in self._of(owner) if h.leased.alone]
        phases = {id_: row["phase"] for id_, row in self._read(take).deliveries.items()}
        alone = all(phases[id_] == "WAITING" for id_, _ in waiting)
        unit = (lease, owner, held, CAPACITY, self.turns[owner], self.now)
        taken = self._write(*unit, alone=alone, waiting=waiting if alone else ())
        assert sum(one.alone for one in taken) <= 1
        for one in taken:
            assert one.open_recipients
            assert one.lease_token > self.tokens.get(one.id, 0)
            assert self.messages.setdefault(one.id, (one.message_id, one.date_time)) == (
                one.message_id,
                one.date_time,
            )
        return taken

    def _transmitted(self, data: st.DataObject, hand: Hand, *, fenced: bool = False) -> Transaction:
        """One transaction; whose dot must be marked stops before it, where the lease is another's."""
        leased = hand.leased
        transaction = data.draw(transactions(len(leased.open_recipients)), label="transaction")
        if leased.at_most_once and transaction.phase is Phase.DOT and not hand.marked:
            hand.marked = self._write(mark_dot, hand.owner, leased.id, leased.lease_token, self.now)
            if not hand.marked:
                assert fenced
                nobody = (None,) * len(leased.open_recipients)
                return Transaction(Phase.BODY, STOPPED, nobody, error="stopped before the dot")
        for recipient, has_one in zip(leased.open_recipients, copies(transaction), strict=True):
            self.given[recipient.id] += has_one
        return transaction

    def _settle(
        self, hand: Hand, verdict: Verdict, transaction: Transaction | None, *, twice: bool = False
    ) -> list[Settlement]:
        """`twice`: the first COMMIT went unanswered."""
        one = Settlement(hand.leased, verdict, transaction, 1, self.now, self.now)
        ids = self.use.mint.many(attempts.count([one]))
        late: list[Settlement] = []
        if twice and ids:
            late = self._write(settle_once, hand.owner, [one], ids, self.use.mint, self.now)
            before = self._read(take), self._read(_count_attempts)
            assert self._write(settle_once, hand.owner, [one], ids, self.use.mint, self.now) == []
            assert (self._read(take), self._read(_count_attempts)) == before
            return late
        return self._write(settle_once, hand.owner, [one], ids, self.use.mint, self.now)

    def _rescue(self, owner: int | None) -> None:
        moving = ways("LEASED>READY", "LEASED>HELD", "LEASED>CANCELLED", "LEASED>DONE")
        with self._moving(moving, ways("OPEN>UNKNOWN", "OPEN>CANCELLED")):
            while self._write(rescue, owner, self.use.mint, self.now) != Rescued():
                pass
        left = [row for row in self.before.deliveries.values() if row["state"] == "LEASED"]
        assert not [row for row in left if owner in (None, row["lease_owner"])]

    def _comes_to_rest(self) -> None:
        """Once servers are well and nobody dies any more, everything ends."""
        self._restart()
        for _ in range(200):
            pending = [row for row in self._read(take).emails.values() if row["state"] == "PENDING"]
            if not pending:
                return
            for row in pending:
                if row["delete_time"] is None:
                    with contextlib.suppress(Refusal):
                        self._write(self.retries.release, ACME, row["id"])
            self._write(expire_held, self.now)
            for leased in self._lease(1):
                hand = Hand(1, leased)
                replies = (YES,) * len(leased.open_recipients)
                verdict = judge(
                    leased, Transaction(Phase.DOT, Level.NONE, replies, YES), now=self.now, uniform=low
                )
                self._settle(hand, verdict, None)
            self.use.clock.advance(HOUR)
        raise AssertionError(f"never settled: {pending}")


def _mode(separate: bool) -> CopyMode:
    return CopyMode.SEPARATE if separate else CopyMode.SHARED


def _count_attempts() -> int:
    return Attempt.select().count()


__all__ = ["Deliveries", "Snapshot"]
