"""What workers do with the mail they lease, how they die of it, and what they say afterwards."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from model.bench import OWNERS, Bench, Hand
from model.outcomes import YES, copies, transactions
from model.snapshot import ENDS, take, ways
from postroom_server.clock import MINUTE
from postroom_server.delivery import attempts
from postroom_server.delivery.astray import give_back_unheard
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.lease import lease
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.marks import DOT, mark_dot, mark_waiting
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
from postroom_server.smtp import Level, Phase, Transaction
from postroom_server.store.models import Attempt, Lane, RecipientState

CAPACITY = 6
WAYS_OUT = ("transmit",) * 8 + ("fail_to_write", "give_back", "fail_to_settle", "wait_long")
RESCUES = ways("LEASED>READY", "LEASED>HELD", "LEASED>CANCELLED", "LEASED>DONE")


def low(least: float, most: float) -> float:
    return least


def taken(leased: Leased) -> Transaction:
    """By a server that has said yes to everybody."""
    return Transaction(Phase.DOT, Level.NONE, (YES,) * len(leased.open_recipients), YES, started=True)


class Workers(Bench):
    def lease_something(self, data: st.DataObject) -> None:
        owner = data.draw(st.sampled_from(OWNERS), label="owner")
        with self.moving(ways("READY>LEASED"), set()):
            leased = self._lease(owner)
        if data.draw(st.integers(0, 9), label="is heard") < 9:
            self.hands += [Hand(owner, one) for one in leased]
            return
        # The answer to the COMMIT was lost.
        in_hand = {hand.leased.id: hand.leased.lease_token for hand in self.hands if hand.owner == owner}
        with self.moving(ways("LEASED>READY"), set()):
            unheard = self.write(give_back_unheard, owner, in_hand, self.now)
        assert sorted(unheard) == sorted(one.id for one in leased)

    def end_something(self, data: st.DataObject) -> None:
        hand = self.pick(data, self.hands)
        if self.now >= hand.leased.expire_time:
            self._find_it_expired(hand)
        elif hand.leased.crash_count and data.draw(st.booleans(), label="fails again"):
            self._fail_to_write(hand, data)  # so that mail comes to be held
        else:
            getattr(self, f"_{data.draw(st.sampled_from(WAYS_OUT), label='way out')}")(hand, data)

    def kill_one(self, data: st.DataObject) -> None:
        """It is declared dead, and what it held is rescued; perhaps it only stood still."""
        owner = data.draw(st.sampled_from(sorted({hand.owner for hand in self.hands})), label="owner")
        self.ghosts += [hand for hand in self.hands if hand.owner == owner]
        self.hands = [hand for hand in self.hands if hand.owner != owner]
        self._rescue(owner)

    def lose_all_workers(self) -> None:
        self.hands.clear()
        self.ghosts.clear()
        self._rescue(None)

    def hear_a_ghost(self, data: st.DataObject) -> None:
        """A fenced outcome changes nothing, but that a late yes settles who is still open."""
        again = {hand.leased.id for hand in self.hands}
        self.ghosts.sort(key=lambda ghost: ghost.leased.id not in again)  # first those with a rival
        hand = self.ghosts.pop(0)
        says_yes = data.draw(st.booleans(), label="says yes")
        transaction = self._transacted(data, hand, taken(hand.leased) if says_yes else None)
        verdict = judge(hand.leased, transaction, now=self.now, uniform=low)
        before = self.read(take)
        with self.moving(ways("READY>DONE", "HELD>DONE"), ways("OPEN>DELIVERED")):
            late = self._settle(hand, verdict, transaction)
        assert [one.leased for one in late] == [hand.leased]
        said_yes = {one.recipient_id for one in verdict.settled if one.state is RecipientState.DELIVERED}
        open_before = {id_ for id_, row in before.recipients.items() if row["state"] == "OPEN"}
        changed = {id_ for id_, row in self.before.recipients.items() if row != before.recipients[id_]}
        assert changed == said_yes & open_before
        for id_, row in self.before.deliveries.items():
            assert {**row, "state": ""} == {**before.deliveries[id_], "state": ""}

    def deliver_what_is_due(self) -> None:
        for leased in self._lease(OWNERS[0]):
            self.given.update(recipient.id for recipient in leased.open_recipients)
            yes = taken(leased)
            self._settle(Hand(OWNERS[0], leased), judge(leased, yes, now=self.now, uniform=low), yes)

    # How one attempt ends.

    def _transmit(self, hand: Hand, data: st.DataObject) -> None:
        transaction = self._transacted(data, hand)
        verdict = judge(hand.leased, transaction, now=self.now, uniform=low)
        with self.moving(ways("LEASED>DONE", "LEASED>READY", "LEASED>CANCELLED"), ENDS):
            assert self._settle(hand, verdict, transaction) == []
        if data.draw(st.integers(0, 3), label="is heard") == 0:
            before = self.before, self.read(_count_attempts)
            assert self._settle_again() == []
            assert (self.read(take), self.read(_count_attempts)) == before

    def _fail_to_write(self, hand: Hand, data: st.DataObject) -> None:
        verdict = judge_local_error(hand.leased, now=self.now, uniform=low)
        with self.moving(RESCUES, ways("OPEN>CANCELLED")):
            assert self._settle(hand, verdict, None) == []

    def _give_back(self, hand: Hand, data: st.DataObject) -> None:
        ahead = data.draw(st.sampled_from([0, MINUTE]), label="ahead")
        verdict = judge_abandoned(hand.leased, min(self.now + ahead, hand.leased.expire_time))
        with self.moving(ways("LEASED>READY", "LEASED>CANCELLED", "LEASED>DONE"), ways("OPEN>CANCELLED")):
            assert self._settle(hand, verdict, None) == []

    def _find_it_expired(self, hand: Hand) -> None:
        verdict = judge_without_server(hand.leased, RecipientState.EXPIRED, Outcome.ABANDONED, self.now)
        with self.moving(ways("LEASED>DONE"), ways("OPEN>EXPIRED")):
            assert self._settle(hand, verdict, None) == []

    def _fail_to_settle(self, hand: Hand, data: st.DataObject) -> None:
        self._transacted(data, hand)
        lease_ = (hand.owner, hand.leased.id, hand.leased.lease_token)
        self._doubt(self.read(take).deliveries[hand.leased.id])
        with self.moving(RESCUES, ways("OPEN>UNKNOWN", "OPEN>CANCELLED")):
            assert self.write(rescue_one, *lease_, self.use.mint, self.now).total == 1

    def _wait_long(self, hand: Hand, data: st.DataObject) -> None:
        self.hands.append(hand)
        if hand.leased.alone:
            with self.moving(set(), set()):
                self.write(mark_waiting, hand.owner, [(hand.leased.id, hand.leased.lease_token)])

    # Below.

    def _lease(self, owner: int) -> list[Leased]:
        mine = [hand.leased for hand in self.hands if hand.owner == owner]
        held = dict.fromkeys(Lane, 0)
        for one in mine:
            held[one.lane] += 1
        phases = {id_: row["phase"] for id_, row in self.read(take).deliveries.items()}
        waiting = [(one.id, one.lease_token) for one in mine if one.alone]
        alone = all(phases[id_] == "WAITING" for id_, _ in waiting)
        taken = self.write(
            lease, owner, held, CAPACITY, self.turns[owner], self.now, alone=alone, waiting=waiting
        )
        assert sum(one.alone for one in taken) <= alone
        for one in taken:
            assert one.open_recipients
            assert one.id not in self.called_off
            assert one.lease_token > self.tokens.get(one.id, 0)
            # The same message at every attempt.
            message = (one.message_id, one.date_time)
            assert self.messages.setdefault(one.id, message) == message
        return taken

    def _transacted(
        self, data: st.DataObject, hand: Hand, transaction: Transaction | None = None
    ) -> Transaction:
        """One transaction; whose dot must be marked stops before it, where the lease is another's."""
        leased = hand.leased
        if transaction is None:
            transaction = data.draw(transactions(len(leased.open_recipients)), label="transaction")
        if leased.at_most_once and transaction.phase is Phase.DOT and not hand.marked:
            hand.marked = self.write(mark_dot, hand.owner, leased.id, leased.lease_token, self.now)
            if not hand.marked:
                nobody = (None,) * len(leased.open_recipients)
                return Transaction(Phase.BODY, Level.LOCAL, nobody, error="stopped before the dot")
        for recipient, has_one in zip(leased.open_recipients, copies(transaction), strict=True):
            self.given[recipient.id] += has_one
        return transaction

    def _settle(self, hand: Hand, verdict: Verdict, transaction: Transaction | None) -> list[Settlement]:
        one = Settlement(hand.leased, verdict, transaction, 1, self.now, self.now)
        ids = self.use.mint.many(attempts.count([one]))
        self._last = (hand.owner, [one], ids, self.use.mint, self.now)
        late = self.write(settle_once, *self._last)
        # Of what comes late the rescue has counted the doubt.
        self.doubts[hand.leased.email.id] += verdict.ambiguous and not late
        return late

    def _settle_again(self) -> list[Settlement]:
        """As whoever does not know whether the last COMMIT came about."""
        return self.write(settle_once, *self._last)

    def _rescue(self, owner: int | None) -> None:
        before = self.read(take).deliveries
        leased = {
            id_
            for id_, row in before.items()
            if row["state"] == "LEASED" and owner in (None, row["lease_owner"])
        }
        for id_ in leased:
            self._doubt(before[id_])
        with self.moving(RESCUES, ways("OPEN>UNKNOWN", "OPEN>CANCELLED")):
            while self.write(rescue, owner, self.use.mint, self.now) != Rescued():
                pass
        for id_, after in self.before.deliveries.items():
            row = before[id_]
            # Who only waited for a server is not blamed, or not often.
            blamed = row["phase"] != "WAITING" or row["transactions"] > 20
            if id_ in leased:
                assert after["state"] != "LEASED"
                assert after["crash_count"] == row["crash_count"] + blamed, after
            else:
                assert after == row

    def _doubt(self, row: dict[str, Any]) -> None:
        """Who crashes with a delivery in hand may have sent it, but what was to be marked and is not."""
        self.doubts[row["email_id"]] += not row["at_most_once"] or row["phase"] == DOT


def _count_attempts() -> int:
    return Attempt.select().count()
