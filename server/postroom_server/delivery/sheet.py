"""The rows that many settlements change and leave, written together: each statement runs once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import peewee

from postroom_server.clock import Millis
from postroom_server.delivery import attempts
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.codes import hand_over, hand_over_at_dot
from postroom_server.delivery.held_back import hard_refusals
from postroom_server.delivery.verdict import Next, Outcome, Settled
from postroom_server.failpoints import reach
from postroom_server.smtp import Reply
from postroom_server.store import history, outcome, suppressed
from postroom_server.store.history import Kind, event
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Delivery, DeliveryState, Email, Recipient, RecipientState
from postroom_server.store.statement import Statement, as_list, bind, one_of

_END_LEASE = Statement(
    lambda: Delivery.update(
        state=bind("state"),
        run_at=bind("run_at"),
        lease_owner=None,
        tries=Delivery.tries + bind("tries"),
        crash_count=Delivery.crash_count + bind("crashes"),
        transactions=Delivery.transactions - bind("uncounted"),
    ).where(Delivery.id == bind("id"))
)
# What nearly all come to: delivered at the first try, or refused. When such a one is due says nothing.
_FINISH = Statement(
    lambda: Delivery.update(state="DONE", lease_owner=None, tries=Delivery.tries + 1).where(
        one_of(Delivery.id, "ids")
    )
)
_SETTLE_RECIPIENT = Statement(
    lambda: Recipient.update(
        state=bind("state"),
        last_code=bind("code"),
        last_enhanced=bind("enhanced"),
        last_reply=bind("reply"),
        settle_time=bind("now"),
    ).where(Recipient.id == bind("id"))
)
# Nobody was asked, or nobody answered: what a server said last still says why.
_SETTLE_WITHOUT_REPLY = Statement(
    lambda: Recipient.update(state=bind("state"), settle_time=bind("now")).where(Recipient.id == bind("id"))
)
_NOTE_REPLY = Statement(
    lambda: Recipient.update(
        last_code=bind("code"), last_enhanced=bind("enhanced"), last_reply=bind("reply")
    ).where(Recipient.id == bind("id"))
)
# Where no server has spoken yet, it is told why none was asked.
_NOTE_WHY = Statement(
    lambda: Recipient.update(last_reply=bind("why")).where(
        (Recipient.id == bind("id")) & Recipient.last_code.is_null()
    )
)
# Late evidence settles recipients of a delivery that is by then somebody else's, or nobody's.
FINISH_IF_SETTLED = Statement(
    lambda: Delivery.update(state="DONE").where(
        (Delivery.id == bind("id"))
        & Delivery.state.in_(("READY", "HELD"))
        & ~peewee.fn.EXISTS(
            Recipient.select(Recipient.id).where(
                (Recipient.delivery_id == bind("id")) & (Recipient.state == "OPEN")
            )
        )
    )
)
_COUNT_AMBIGUOUS = Statement(
    lambda: Email.update(ambiguous_count=Email.ambiguous_count + 1).where(Email.id == bind("id"))
)


_STATES = {next_: DeliveryState(next_.value) for next_ in Next}


class Sheet:
    """Collects the rows of many settlements, so that each statement runs once."""

    def __init__(self, now: Millis, still_open: set[int]) -> None:
        self._now = now
        # Whom late evidence has settled under somebody else's lease must not be counted again.
        self._still_open = still_open
        self._settled: list[dict[str, Any]] = []
        self._settled_without_reply: list[dict[str, Any]] = []
        self._noted: list[dict[str, Any]] = []
        self._unasked: list[dict[str, Any]] = []
        self._ended: list[dict[str, Any]] = []
        self._done: list[int] = []
        self._attempts: list[Settlement] = []
        self._events: list[tuple[Any, ...]] = []
        self._refused_addresses: list[suppressed.Entry] = []
        self._changes: dict[tuple[int, RecipientState], int] = {}
        self._finished: list[dict[str, Any]] = []
        self._ambiguous: list[dict[str, Any]] = []
        self._handed_over: set[int] = set()  # deliveries with a verification code
        self._left_perhaps: set[int] = set()  # the same, after an ambiguous dot

    def add(self, settlement: Settlement, *, cancel_requested: bool) -> None:
        leased, verdict = settlement.leased, settlement.verdict
        self._refused_addresses += hard_refusals(leased, verdict, settlement.transaction, self._still_open)
        for one in verdict.settled:
            self._settle_recipient(settlement, one)
        if verdict.why:
            self._unasked += [{"id": one.recipient_id, "why": verdict.why} for one in verdict.settled]
        state = _STATES[verdict.next]
        waiting = [(id_, reply) for id_, reply in verdict.open if id_ in self._still_open]
        if verdict.next is not Next.DONE and cancel_requested:
            # A cancel came while the message was under way; of some nobody knows whether they have it.
            for recipient_id, reply in waiting:
                unknown = verdict.ambiguous and reply is None
                ends_as = RecipientState.UNKNOWN if unknown else RecipientState.CANCELLED
                self._settle_recipient(settlement, Settled(recipient_id, ends_as, reply))
            state = DeliveryState.CANCELLED
        elif not waiting:
            state = DeliveryState.DONE
        else:
            self._noted += [
                {"id": recipient_id, **_reply_columns(reply)}
                for recipient_id, reply in waiting
                if reply is not None
            ]
            if verdict.why:
                self._unasked += [{"id": recipient_id, "why": verdict.why} for recipient_id, _ in waiting]
            if verdict.next is Next.HELD:
                self._events.append(self._event(settlement, Kind.DELIVERY_HELD))
        if state is DeliveryState.DONE and verdict.counts_as_try and not verdict.counts_as_crash:
            self._done.append(leased.id)
            self._note_attempt(settlement)
            return
        self._ended.append(
            {
                "id": leased.id,
                "state": state.value,
                # Less what the clock was set back by since.
                "run_at": verdict.run_at + min(0, self._now - settlement.end_time),
                "tries": int(verdict.counts_as_try),
                "crashes": int(verdict.counts_as_crash),
                "uncounted": int(verdict.outcome is Outcome.ABANDONED),
            }
        )
        self._note_attempt(settlement)

    def add_late(self, settlement: Settlement) -> None:
        delivered = [one for one in settlement.verdict.settled if one.state is RecipientState.DELIVERED]
        if delivered:
            for one in delivered:
                self._settle_recipient(settlement, one)
            self._finished.append({"id": settlement.leased.id})
        if not self._append_attempts(settlement):
            return  # given back by somebody who no longer had it: there is nothing to tell
        self._events.append(self._event(settlement, Kind.ATTEMPT_LATE))

    def write(self, owner: int, ids: Sequence[int], mint: IdMint) -> None:
        _SETTLE_RECIPIENT.execute_many(self._settled)
        _SETTLE_WITHOUT_REPLY.execute_many(self._settled_without_reply)
        reach("inside_settle")
        _NOTE_REPLY.execute_many(self._noted)
        _NOTE_WHY.execute_many(self._unasked)
        _END_LEASE.execute_many(self._ended)
        if self._done:
            _FINISH.execute(ids=as_list(self._done))
        FINISH_IF_SETTLED.execute_many(self._finished)
        _COUNT_AMBIGUOUS.execute_many(self._ambiguous)
        hand_over(self._handed_over, self._now)
        hand_over_at_dot(self._left_perhaps, self._now)
        attempts.note(self._attempts, ids, owner)
        history.append(self._events)
        suppressed.put(self._refused_addresses, mint, self._now)
        outcome.record(
            [(email_id, state, count) for (email_id, state), count in self._changes.items()], self._now
        )

    def _settle_recipient(self, settlement: Settlement, one: Settled) -> None:
        leased = settlement.leased
        # What a test token sent has not left: its code is nobody's, and does not end one that somebody has.
        if leased.code_seed is not None and not leased.email.test:
            if one.state is RecipientState.DELIVERED:
                self._handed_over.add(leased.id)
            elif one.state is RecipientState.UNKNOWN:
                self._left_perhaps.add(leased.id)
        if one.recipient_id not in self._still_open:
            return
        self._still_open.remove(one.recipient_id)
        reply, state = one.reply, str(one.state)
        if reply is None:
            self._settled_without_reply.append({"id": one.recipient_id, "state": state, "now": self._now})
        else:
            columns = _reply_columns(reply)
            columns["id"], columns["state"], columns["now"] = one.recipient_id, state, self._now
            self._settled.append(columns)
        key = (leased.email.id, one.state)
        self._changes[key] = self._changes.get(key, 0) + 1
        self._events.append(
            self._event(
                settlement,
                Kind.RECIPIENT_SETTLED,
                recipient_id=one.recipient_id,
                state=state,
                reply=reply,
            )
        )

    def _note_attempt(self, settlement: Settlement) -> None:
        verdict = settlement.verdict
        attempted = self._append_attempts(settlement)
        if verdict.ambiguous:
            self._ambiguous.append({"id": settlement.leased.email.id})
        if attempted and (verdict.next is not Next.DONE or verdict.ambiguous):
            # Where everybody was settled, their own events say so.
            final = settlement.transaction.final if settlement.transaction else None
            self._events.append(self._event(settlement, Kind.ATTEMPT_FINISHED, reply=final))

    def _append_attempts(self, settlement: Settlement) -> bool:
        """Notes what was tried, in order; False when that is nothing."""
        tried = settlement.tried
        self._attempts += tried
        return bool(tried)

    def _event(
        self,
        settlement: Settlement,
        kind: Kind,
        *,
        recipient_id: int | None = None,
        state: str | None = None,
        reply: Reply | None = None,
    ) -> tuple[Any, ...]:
        leased, verdict, transaction = settlement.leased, settlement.verdict, settlement.transaction
        return event(
            leased.tenant_id,
            kind,
            self._now,
            email_id=leased.email.id,
            delivery_id=leased.id,
            recipient_id=recipient_id,
            state=state,
            outcome=str(verdict.outcome),
            phase=str(transaction.phase) if transaction else None,
            server_id=settlement.server_id,
            code=reply.code if reply else None,
            enhanced=(reply.enhanced or None) if reply else None,
            ambiguous=verdict.ambiguous,
        )


def _reply_columns(reply: Reply) -> dict[str, Any]:
    return {"code": reply.code, "enhanced": reply.enhanced or None, "reply": reply.text}
