"""What callers do to their mail, at any time."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import strategies as st

from accepting import draft
from model.bench import Bench
from model.snapshot import take, ways
from peers.configuration import ACME
from postroom_server.clock import DAY, HOUR, MINUTE, Millis
from postroom_server.mail.draft import CopyMode
from postroom_server.refusals import Refusal

MOST_EMAILS = 6
CALLS = ("accept", "accept", "cancel", "delete", "reschedule", "retry", "retry")
CANCELS = ways("READY>CANCELLED", "HELD>CANCELLED")


@st.composite
def drafts(draw: st.DrawFn, now: Millis) -> dict[str, Any]:
    delay = draw(st.sampled_from([None, None, None, 0, HOUR, DAY]))
    lifetime = draw(st.sampled_from([None, None, 30 * MINUTE]))
    due = now + (delay or 0)
    return {
        "to": tuple(f"r{n}@example.com" for n in range(draw(st.integers(1, 3)))),
        "copy_mode": draw(st.sampled_from(CopyMode)),
        "at_most_once": draw(st.booleans()),
        "urgent": draw(st.booleans()),
        "schedule_time": None if delay is None else due,
        "expire_time": None if lifetime is None else due + lifetime,
    }


class Callers(Bench):
    def call_something(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(CALLS), label="call")
        if name == "accept" or not self.before.emails:
            self._accept(data)
            return
        ids = sorted(self.before.emails)
        held = sorted({row["email_id"] for row in self.before.deliveries.values() if row["state"] == "HELD"})
        if held and data.draw(st.booleans(), label="releases"):
            name, ids = "release", held
        elif name in ("cancel", "delete") and data.draw(st.booleans(), label="under way"):
            ids = sorted({hand.leased.email.id for hand in self.hands}) or ids
        email_id = data.draw(st.sampled_from(ids), label="email")
        with contextlib.suppress(Refusal):
            getattr(self, f"_{name}")(email_id, data)

    def _accept(self, data: st.DataObject) -> None:
        if len(self.before.emails) < MOST_EMAILS:
            self.runner.run(self.use.accept(draft(**data.draw(drafts(self.now), label="draft"))))

    def _cancel(self, email_id: int, data: st.DataObject) -> None:
        with self.moving(CANCELS, ways("OPEN>CANCELLED")):
            self.write(self.changes.cancel, ACME, email_id)
        self._is_called_off(email_id)

    def _delete(self, email_id: int, data: st.DataObject) -> None:
        with self.moving(CANCELS, ways("OPEN>CANCELLED")):
            self.write(self.changes.delete, ACME, [email_id])
        self._is_called_off(email_id)

    def _is_called_off(self, email_id: int) -> None:
        """Nothing of it waits any more, and what is under way is not begun again."""
        states = {
            id_: row["state"] for id_, row in self.before.deliveries.items() if row["email_id"] == email_id
        }
        assert set(states.values()) <= {"LEASED", "CANCELLED", "DONE"}
        self.called_off |= {id_ for id_, state in states.items() if state == "LEASED"}

    def _reschedule(self, email_id: int, data: st.DataObject) -> None:
        ahead = data.draw(st.sampled_from([-HOUR, 0, HOUR, DAY]), label="ahead")
        with self.moving(set(), set()):
            self.write(self.changes.reschedule, ACME, email_id, self.now + ahead)
        for id_, delivery in self.before.deliveries.items():
            if delivery["email_id"] == email_id:
                self.messages.pop(id_, None)  # nothing of it was attempted, and its date is another

    def _release(self, email_id: int, data: st.DataObject) -> None:
        with self.moving(ways("HELD>READY"), set()):
            self.write(self.retries.release, ACME, email_id)

    def _retry(self, email_id: int, data: st.DataObject) -> None:
        before = self.read(take)
        reopened = ways("REFUSED>OPEN", "EXPIRED>OPEN", "UNKNOWN>OPEN")
        with self.moving(ways("DONE>READY", "CANCELLED>READY"), reopened):
            self.write(self.retries.retry, ACME, email_id)
        for id_, row in self.before.recipients.items():
            self.wanted_again[id_] += row["state"] == "OPEN" != before.recipients[id_]["state"]
        self.called_off -= {id_ for id_, row in self.before.deliveries.items() if row["state"] == "READY"}
