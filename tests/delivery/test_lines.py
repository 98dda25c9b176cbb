"""Which server a delivery goes to."""

from __future__ import annotations

import dataclasses

from delivery.values import CONNECTION, DELIVERED, from_sender, job, leased, server
from fakes import NOON
from postroom_server.clock import MINUTE, SECOND
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.breaker import BreakerState
from postroom_server.delivery.line import Job
from postroom_server.delivery.lines import Lines
from postroom_server.delivery.verdict import judge_abandoned
from postroom_server.store.facts import ServerFacts

LATER = NOON + 30 * SECOND


def chosen(lines: Lines, one: Job, now: int = NOON) -> int | None:
    line = lines.choose(one, now)
    return line.server.id if line else None


def knock_out(lines: Lines, *servers: ServerFacts) -> None:
    for one in servers:
        for _ in range(5):
            lines.of(one).breaker.record(CONNECTION, NOON, NOON)


def tried(one: Job, *server_ids: int) -> Job:
    one.tried = tuple(
        Settlement(one.leased, judge_abandoned(one.leased, NOON), CONNECTION, id_, NOON, NOON)
        for id_ in server_ids
    )
    return one


def again(one: Job) -> Job:
    """The same at another attempt."""
    return Job(dataclasses.replace(one.leased, tries=1), one.servers)


def test_the_lowest_priority_comes_first() -> None:
    assert chosen(Lines(4), job(server(1, priority=2), server(2, priority=1))) == 2


def test_servers_of_one_priority_share_by_weight() -> None:
    lines, servers = Lines(4), (server(1, weight=1), server(2, weight=3))
    counts = {1: 0, 2: 0}
    for _ in range(40):
        one = job(*servers)
        line = lines.choose(one, NOON)
        assert line
        line.put(one, NOON)
        counts[line.server.id] += 1
    assert counts == {1: 10, 2: 30}


def test_a_server_that_was_tried_in_this_attempt_is_not_asked_again() -> None:
    lines, servers = Lines(4), (server(1), server(2, priority=2))
    assert chosen(lines, tried(job(*servers), 1)) == 2
    assert chosen(lines, tried(job(*servers), 1, 2)) is None


def test_a_server_that_does_not_allow_the_sender_is_passed_over() -> None:
    strict = server(1, allowed_senders=frozenset({"@example.org", "one@example.com"}))
    other = server(2, priority=2)
    assert chosen(Lines(4), from_sender("One@example.com", strict, other)) == 1
    assert chosen(Lines(4), from_sender("any@EXAMPLE.org", strict, other)) == 1
    assert chosen(Lines(4), from_sender("two@example.com", strict, other)) == 2
    assert chosen(Lines(4), from_sender("two@example.com", strict)) is None


def test_paused_and_disabled_servers_carry_nothing() -> None:
    lines = Lines(4)
    away = (server(1, state="PAUSED"), server(2, state="DISABLED"))
    assert chosen(lines, job(*away, server(3, priority=9))) == 3
    assert chosen(lines, job(*away)) is None
    assert lines.reopen_time(job(*away), NOON) == NOON + MINUTE


def test_an_open_breaker_is_passed_over() -> None:
    lines, first, second = Lines(4), server(1), server(2, priority=2)
    knock_out(lines, first)
    assert chosen(lines, job(first, second)) == 2
    assert chosen(lines, job(first)) is None


def test_a_half_open_server_gets_one_probe_though_another_would_do() -> None:
    lines, first, second = Lines(4), server(1), server(2, priority=2)
    knock_out(lines, first)
    probe = job(first, second)
    line = lines.choose(probe, LATER)
    assert line
    assert line.server.id == 1
    line.put(probe, LATER)
    assert line.take(LATER) is probe
    assert chosen(lines, job(first, second), LATER) == 2
    line.breaker.record(DELIVERED, LATER, LATER)
    assert chosen(lines, job(first, second), LATER) == 1


def test_mail_that_has_failed_before_is_no_probe_while_another_server_is_well() -> None:
    # It may have been the probe that failed, and would be so again until its time is over.
    lines, first, second = Lines(4), server(1), server(2, priority=2)
    knock_out(lines, first)
    assert chosen(lines, again(job(first, second)), LATER) == 2
    assert chosen(lines, again(job(first)), LATER) == 1


def test_a_half_open_server_is_the_last_resort_while_it_is_probed() -> None:
    lines, only = Lines(4), server(1)
    knock_out(lines, only)
    assert lines.of(only).breaker.may_try(LATER)
    assert chosen(lines, job(only), LATER) == 1


def test_mail_waits_for_the_first_breaker_to_reopen() -> None:
    lines, first, second = Lines(4), server(1), server(2)
    knock_out(lines, first, second)
    lines.of(second).breaker.reopen_time = NOON + 7
    assert lines.reopen_time(job(first, second), NOON) == NOON + 7


def test_no_reopening_is_waited_for_while_somebody_could_be_asked() -> None:
    lines, first, second = Lines(4), server(1), server(2)
    knock_out(lines, first)
    assert lines.reopen_time(job(first, second), NOON) is None


def test_a_server_that_an_operator_has_mended_is_tried_at_once() -> None:
    lines, broken = Lines(4), server(1)
    knock_out(lines, broken)
    renamed = dataclasses.replace(broken, name="other", priority=3)
    assert lines.of(renamed).breaker.state(NOON) is BreakerState.OPEN
    mended = dataclasses.replace(broken, host="mail.example.com")
    assert lines.of(mended).breaker.state(NOON) is BreakerState.CLOSED


def test_a_job_is_taken_out_of_whichever_line_it_waits_in() -> None:
    lines, one = Lines(4), job(server(1), server(2))
    lines.of(server(2)).put(one, NOON)
    assert lines.take_impatient(NOON) == []
    assert lines.remove(one)
    assert not lines.remove(one)
    assert lines.empty() == []
    assert leased().id == one.leased.id
