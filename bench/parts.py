"""The parts of a run: what each measures, and how long it takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from bench import (
    accept,
    accept_matrix,
    audience,
    end_to_end,
    footprint,
    full_queue,
    latency,
    lease,
    processes,
    rendering,
    rest,
    rows,
    scale,
    templates,
    transmitting,
)
from bench.figures import Chapter
from bench.run import Run

Measure = Callable[[Run], Chapter]


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """`in_quick`: a quick run has it unless it is told what to have. `minutes`: of a full run, about."""

    name: str
    about: str
    measures: tuple[Measure, ...]
    minutes: float
    in_quick: bool = False


def _writing(run: Run) -> Chapter:
    return templates.writing(run.either(250, 30))


def _accepting_templates(run: Run) -> Chapter:
    return templates.accepting(run.either(15, 2))


def _leasing(run: Run) -> Chapter:
    return lease.leasing(run.loader, mails=run.either(10_000, 1000), rounds=run.either(5, 2))


PARTS: tuple[Part, ...] = (
    Part("unary", "one SendEmail per call beside a bare echo", (accept.unary,), 1, in_quick=True),
    Part("batches", "BatchSendEmails beside the same rows without us", (accept.batches,), 1, in_quick=True),
    Part("rest", "POST /api/v1/email beside SendEmail", (rest.accepting,), 0.5, in_quick=True),
    Part(
        "end-to-end", "first accept to last hand-over, beside Postfix and others", (end_to_end.direct,), 3,
        in_quick=True,
    ),
    Part("counted", "the same into smtp-sink, beside smtp-source", (end_to_end.counted,), 2),
    Part("far", "the same, 20 ms away", (end_to_end.far,), 1.5),
    Part("refused", "the same, one mail in twenty refused for now", (end_to_end.refused,), 3),
    Part("queue", "handing over a full queue", (full_queue.full_queue, full_queue.conversations), 2),
    Part("transmit", "the SMTP client alone", (transmitting.near, transmitting.far), 1.5, in_quick=True),
    Part("lease", "leasing and settling", (_leasing,), 0.5, in_quick=True),
    Part("rows", "writing a mail's rows beside Model.create", (rows.writing,), 0.5, in_quick=True),
    Part("render", "rendering a template beside Jinja2", (rendering.rendering,), 0.2, in_quick=True),
    Part("compose", "rendering and composing beside EmailMessage", (_writing,), 0.2, in_quick=True),
    Part("templates", "template mails beside custom ones, accepted", (_accepting_templates,), 0.5),
    Part(
        "accept", "every way to accept, 1 to 256 in flight, both databases",
        (accept_matrix.sqlite, accept_matrix.on_postgresql), 6,
    ),
    Part("disks", "accepting with 1 and 5 ms more for an fsync", (accept_matrix.disks,), 5),
    Part("latency", "latency at 30, 60 and 90 % of the saturated rate", (latency.under_load,), 2,
        in_quick=True),
    Part("backlog", "urgent mail and memory with 100 000 bulk mails waiting", (latency.urgent,), 2.5),
    Part("scale", "10 thousand to 5 million emails", (scale.sqlite, scale.on_postgresql), 8),
    Part("audience", "looking up an audience of up to 100 000 members", (audience.expanding,), 2.5),
    Part("processes", "one, two and three processes on PostgreSQL", (processes.handing_over,), 3),
    Part("footprint", "memory and start-up", (footprint.footprint,), 1, in_quick=True),
)  # fmt: skip
