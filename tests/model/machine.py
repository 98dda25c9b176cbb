"""A model of delivery.md §2: whatever callers, workers, servers, clocks and crashes do, its promises hold."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from model.callers import Callers
from model.snapshot import ways
from model.workers import Workers
from postroom_server.clock import DAY, HOUR, MINUTE, SECOND, Millis
from postroom_server.delivery.held import expire_held

STEPS = ("work",) * 8 + ("call",) * 3 + ("crash",) * 3 + ("wait",)
TIMES = (SECOND, MINUTE, 5 * MINUTE, HOUR, HOUR, DAY)


class Deliveries(Callers, Workers):
    """One rule draws what happens: of many, hypothesis would leave some out, and they need each other."""

    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        getattr(self, f"_{data.draw(st.sampled_from(STEPS), label='step')}")(data)

    def _work(self, data: st.DataObject) -> None:
        wants_more = not self.hands or data.draw(st.integers(0, 3), label="wants more") == 0
        if self.is_something_due and wants_more:
            self.lease_something(data)
        elif self.hands:
            self.end_something(data)
        elif "READY" in self.states:
            self._wait_until_something_is_due()
        else:
            self.call_something(data)

    def _crash(self, data: st.DataObject) -> None:
        if self.has_rivals or (self.ghosts and data.draw(st.booleans(), label="a ghost")):
            self.hear_a_ghost(data)
        elif self.hands and data.draw(st.integers(0, 7), label="all of them") == 7:
            self.lose_all_workers()
        elif self.hands:
            self.kill_one(data)

    def _call(self, data: st.DataObject) -> None:
        self.call_something(data)

    def _wait(self, data: st.DataObject) -> None:
        self._let_pass(data.draw(st.sampled_from(TIMES), label="time"))

    def _wait_until_something_is_due(self) -> None:
        rows = self.before.deliveries.values()
        self._let_pass(min(row["run_at"] for row in rows if row["state"] == "READY") - self.now)

    def _let_pass(self, time: Millis) -> None:
        self.use.clock.advance(time)
        with self.moving(ways("HELD>DONE"), ways("OPEN>EXPIRED")):
            self.write(expire_held, self.now)
        held = [row for row in self.before.deliveries.values() if row["state"] == "HELD"]
        assert all(row["expire_time"] > self.now for row in held)
