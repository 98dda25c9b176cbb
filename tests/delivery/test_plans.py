"""Every statement of the engine's units walks ranges of an index: no table is read whole, nothing is sorted.

The statements are taken from the connection while the units run over many tenants' mail, most of it over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import apsw
import pytest

from delivery.ledgers import put_many, take
from delivery.values import middle, replies, reply
from delivery.waiting_mail import put_waiting
from fakes import NOON, ManualClock
from postroom_server.clock import HOUR
from postroom_server.delivery import preparation, queue
from postroom_server.delivery.astray import Moment, give_back_unheard, keep_pace
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.held import expire_held
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.marks import mark_dot
from postroom_server.delivery.rescue import rescue, rescue_one
from postroom_server.delivery.settle import settle
from postroom_server.delivery.verdict import judge
from postroom_server.delivery.worker import _beat
from postroom_server.smtp import Level, Phase, Transaction
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Delivery, bound
from postroom_server.store.statement import is_postgresql
from postroom_server.store.unit import Store

pytestmark = pytest.mark.every_database

MINT = IdMint(ManualClock())
# Tables that grow with the mail. The others hold a handful of rows, and reading them whole is quickest.
LARGE = ("email", "content", "delivery", "recipient", "attempt", "event", "preparation")
TENANTS, EACH = 40, 250

Query = tuple[str, Any]

_MAY_BE_WALKED = "json_each|asked|turn|taken|due|[0-9]|CONST|delivery USING INDEX delivery_due"


def fill() -> None:
    """Mail of forty tenants that is over, but for a few of each; among it some that is held."""
    put_many(dict.fromkeys(range(1, TENANTS + 1), EACH))
    connection = bound.connection()
    connection.execute("UPDATE delivery SET state = 'DONE' WHERE id % 10 <> 0")
    connection.execute(f"UPDATE delivery SET state = 'HELD', expire_time = {NOON} WHERE id % 1000 = 0")
    connection.execute(f"UPDATE delivery SET run_at = {NOON + HOUR} WHERE id % 100 = 10")
    for _ in range(200):
        put_waiting()
    if is_postgresql():
        connection.execute("ANALYZE")


class Listening:
    """The statements that a connection runs, with their values."""

    def __init__(self) -> None:
        self.heard: list[Query] = []

    def __enter__(self) -> list[Query]:
        connection = bound.connection()
        if is_postgresql():
            heard, factory = self.heard, connection.cursor_factory

            class Cursor(factory):  # type: ignore[misc,valid-type]
                def execute(self, query: Any, params: Any = None, **rest: Any) -> Any:
                    heard.append((query, params))
                    return super().execute(query, params, **rest)

                def executemany(self, query: Any, params_seq: Any, **rest: Any) -> Any:
                    rows = list(params_seq)
                    heard.append((query, rows[0]))
                    return super().executemany(query, rows, **rest)

            self._undo: Callable[[], None] = lambda: setattr(connection, "cursor_factory", factory)
            connection.cursor_factory = Cursor
        else:
            connection.exec_trace = self._hear
            self._undo = lambda: setattr(connection, "exec_trace", None)
        return self.heard

    def __exit__(self, *error: object) -> None:
        self._undo()

    def _hear(self, _cursor: apsw.Cursor, sql: str, values: Any) -> bool:
        self.heard.append((sql, values or ()))
        return True


def plans_of(unit: Callable[..., Any], *values: Any) -> Iterator[tuple[str, str]]:
    """Runs a unit, and gives its statements with their plans."""
    with Listening() as heard:
        unit(*values)
    connection = bound.connection()
    way = "EXPLAIN" if is_postgresql() else "EXPLAIN QUERY PLAN"
    if is_postgresql():
        connection.execute("SET LOCAL enable_seqscan = off")  # ten thousand rows are read either way as soon
    for sql, given in {str(sql): given for sql, given in heard}.items():
        if re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT|WITH)\b", sql):
            rows = connection.execute(f"{way} {sql}", given).fetchall()
            yield sql, "\n".join(str(row[-1]) for row in rows)


def fault(sql: str, plan: str) -> str:
    """What is wrong with a plan; empty: nothing."""
    for table in LARGE:
        if re.search(rf"Seq Scan on {table}\b", plan):
            return f"{table} is read whole"
    # Those whose ids are given are few, and put in the order of locks.
    if "Sort" in plan and "= ANY(" not in sql:
        return "sorted"
    for line in plan.splitlines():
        # Lists of values, and what a statement has gathered itself, may be walked. So may the index of all
        # that is READY, once, by who follows a clock that was set back.
        walks = re.match(rf"SCAN (?!{_MAY_BE_WALKED})", line)
        if walks or "TEMP B-TREE FOR ORDER BY" in line:
            return line
    return ""


def ended(leased: Leased, transaction: Transaction) -> Settlement:
    verdict = judge(leased, transaction, now=NOON, uniform=middle)
    return Settlement(leased, verdict, transaction, 1, NOON, NOON)


def settle_in_every_way(leased: list[Leased]) -> None:
    said: list[Transaction] = [
        Transaction(Phase.DOT, Level.NONE, replies(250), reply(250), started=True),
        Transaction(Phase.RCPT, Level.RECIPIENT, replies(reply(550, "5.1.1"))),
        Transaction(Phase.DOT, Level.MESSAGE, replies(250), reply(451), started=True),
        Transaction(Phase.DOT, Level.AMBIGUOUS, replies(250), started=True),
        Transaction(Phase.CONNECT, Level.CONNECTION, (None,)),
    ]
    Delivery.update(lease_owner=9).where(Delivery.id == leased[5].id).execute()  # passed to another
    settle(1, [ended(one, heard) for one, heard in zip(leased, [*said, said[0]], strict=False)], MINT, NOON)


def a_unit_of_each() -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
    leased = take(1, 40, now=NOON)
    assert len(leased) == 30
    others = leased[10:]
    return [
        (take, (2, 64)),
        (settle_in_every_way, (leased,)),
        (mark_dot, (1, others[0].id, others[0].lease_token, NOON)),
        (rescue_one, (1, others[1].id, others[1].lease_token, MINT, NOON)),
        (give_back_unheard, (1, {one.id: one.lease_token for one in others[3:]}, NOON)),
        (_beat, (1, "somebody", NOON)),
        (rescue, (1, MINT, NOON)),
        (expire_held, (NOON,)),
        (keep_pace, (Moment(NOON, 0.0), Moment(NOON - HOUR, 1.0))),
        (queue.look, (lambda: NOON,)),
        (preparation.claim, (preparation.Turns(), [], [], lambda: NOON)),
        (preparation.conclude, (put_waiting(), lambda: NOON)),
        (preparation.fail, (put_waiting(), "no", lambda: NOON)),
    ]


async def test_no_statement_of_the_engine_reads_a_table_whole_or_sorts(store: Store) -> None:
    await store.write(fill)

    def judged() -> list[tuple[str, str, str, str]]:
        return [
            (unit.__name__, fault(sql, plan), sql, plan)
            for unit, values in a_unit_of_each()
            for sql, plan in plans_of(unit, *values)
        ]

    found = await store.write(judged)
    assert len(found) > 40
    assert {name for name, *_ in found} >= {"take", "settle_in_every_way", "rescue", "expire_held", "look"}
    # Whoever waits is moved when the clock was set back, and nobody else is in these tables.
    moved = ('UPDATE "preparation"', 'UPDATE "expansion"')
    wrong = [one for one in found if one[1]]
    assert [one for one in wrong if one[0] != "keep_pace" or not one[2].startswith(moved)] == []


@pytest.mark.parametrize(
    ("plan", "found"),
    [
        ("SCAN delivery", "SCAN delivery"),
        (
            "SEARCH d USING INDEX delivery_due (state=?)\nUSE TEMP B-TREE FOR ORDER BY",
            "USE TEMP B-TREE FOR ORDER BY",
        ),
        ("Seq Scan on recipient t1  (cost=0.00)", "recipient is read whole"),
        ("Sort  (cost=1.00)\n  ->  Index Scan using delivery_pkey on delivery", "sorted"),
        ("SEARCH delivery USING INTEGER PRIMARY KEY (rowid=?)\nSCAN json_each VIRTUAL TABLE", ""),
        ("Index Scan using delivery_due on delivery", ""),
    ],
)
def test_a_fault_would_be_found(plan: str, found: str) -> None:
    assert fault("SELECT", plan) == found
