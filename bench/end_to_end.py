"""From the first accept to the last hand-over: Postroom and its peers, the same mails, the same sink."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from typing import Any

from bench import delay, mails, postfix
from bench.figures import Chapter, Figure
from bench.peers import contender, smtp_source
from bench.peers.contender import RETRY_SECONDS, Contender
from bench.run import Run
from bench.served import SEND, Postroom, postroom
from bench.sink import SmtpSink, VerifyingSink, verifying_sink

SESSIONS = 20
BATCHES = "Postroom, batches, custom"
TEMPLATES = "Postroom, batches, template with own parameters"
UNARY = "Postroom, one call per mail, custom"
UNARY_TEMPLATES = "Postroom, one call per mail, template with own parameters"
POSTFIX = "Postfix"
_PATIENCE = 180.0


@dataclasses.dataclass(frozen=True, slots=True)
class Sizes:
    """Mails a round. The slow ones get fewer, so that all take about as long."""

    batches: int
    single: int
    postfix: int
    nodemailer: int
    plain: int
    post_office: int
    source: int

    def scaled(self, by: float) -> Sizes:
        return Sizes(*(max(40, round(each * by / 20) * 20) for each in dataclasses.astuple(self)))


_SIZES = Sizes(10_000, 3000, 3000, 3000, 500, 500, 20_000)
# With a round trip of 20 ms nobody sends more than two thousand a second over 20 connections.
_FAR = Sizes(2000, 1500, 500, 500, 40, 40, 500)


def direct(run: Run) -> Chapter:
    """No round trip; every mail compared."""
    chapter = Chapter(
        "End to end",
        "From the first call to the last mail at the sink, which compares every mail in sender, recipient, "
        "subject, text and page; a mail lost, doubled or changed fails the run. " + _METHOD,
    )
    sizes = _SIZES.scaled(0.2 if run.quick else 1)
    _compare(run, chapter, run.reading, run.reading.port, sizes, rounds=run.either(5, 1))
    return chapter


def counted(run: Run) -> Chapter:
    """Into smtp-sink, which costs less; beside smtp-source, the limit."""
    chapter = Chapter(
        "End to end, into smtp-sink",
        "The same with Debian's smtp-sink, which counts in C and leaves more of the processor to the others; "
        f"and smtp-source, which makes mails of {smtp_source.OCTETS} octets out of nothing, as the limit. "
        "The plain worker and django-post-office, which are far from any sink's limit, are left out.",
    )
    sink = run.counting
    if not isinstance(sink, SmtpSink):
        chapter.absent.append("smtp-sink and smtp-source: Postfix's package cannot be had")
        return chapter
    sizes = _SIZES.scaled(0.2 if run.quick else 1)
    _compare(run, chapter, sink, sink.port, sizes, rounds=run.either(5, 2), slow=False)
    return chapter


def far(run: Run) -> Chapter:
    """20 ms away."""
    chapter = Chapter(
        "End to end, 20 ms away",
        "The same through a proxy that hands on every byte 10 ms later, both ways.",
    )
    with delay.delayed(run.reading.port, 20.0) as port:
        sizes = _FAR.scaled(0.4 if run.quick else 1)
        _compare(run, chapter, run.reading, port, sizes, rounds=run.either(3, 1))
    return chapter


def refused(run: Run) -> Chapter:
    """One mail in twenty is refused with 451 when it comes first."""
    chapter = Chapter(
        "End to end, one mail in twenty refused for now",
        "One mail in twenty gets 451 when it comes first, half of them at RCPT and half at the end of the "
        f"message. All sides try it again after about {RETRY_SECONDS} seconds, which is Postroom's first "
        "delay. The rate is that of the others, from the first call to the last of them at the sink; then "
        "all rounds' refused mails are waited for and compared: nothing is lost.",
    )
    sizes = _SIZES.scaled(0.1 if run.quick else 0.5)
    with verifying_sink(refuses=True) as sink:
        _compare(run, chapter, sink, sink.port, sizes, rounds=run.either(3, 1), first_pass=True)
    return chapter


_METHOD = (
    f"All hand over on at most {SESSIONS} connections, of which Postroom keeps a quarter for urgent mail; "
    "all but nodemailer keep their queue on the same disk, synced. Postroom is one process with its defaults "
    "on SQLite, called from one client process, in calls "
    "of 500, four in flight, or one by one, 64 in flight. Postfix gets finished messages over 20 kept, "
    "pipelined SMTP sessions from the same client. nodemailer's pool, the plain worker (a row in SQLite "
    "through Peewee, polled, EmailMessage, aiosmtplib on a kept connection) and django-post-office (its own "
    "queue on SQLite, its own sender with its default threads, begun again as soon as it ends) run the "
    "drivers in `bench/peers/`. The ratio is to Postfix."
)


def _compare(
    run: Run,
    chapter: Chapter,
    sink: VerifyingSink | SmtpSink,
    port: int,
    sizes: Sizes,
    *,
    rounds: int,
    slow: bool = True,
    first_pass: bool = False,
) -> None:
    rates: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        contenders = list(_contenders(run, chapter, stack, port, sizes, slow=slow))
        begun = False
        for turn in range(rounds + 1):
            for each in contenders:
                first = run.numbers(each.mails)
                if isinstance(sink, VerifyingSink):
                    sink.expect(each.mails, first, more=first_pass and begun)
                else:
                    sink.expect(each.mails, first)
                begun = True
                began = each.send(first)
                last = (
                    sink.wait(_PATIENCE, first_pass=True)
                    if first_pass and isinstance(sink, VerifyingSink)
                    else sink.wait(_PATIENCE)
                )
                if turn:  # the first opens connections and fills caches
                    count = each.mails * 19 / 20 if first_pass else each.mails
                    rates.setdefault(each.name, []).append(count / (last - began))
                time.sleep(0.3)  # what settles behind the last mail does not work into the next one's time
        if first_pass:
            sink.wait(_PATIENCE)
    for name, measured in rates.items():
        beside = None if name == POSTFIX else rates.get(POSTFIX)
        chapter.figures.append(Figure(name, "mails/s", measured, beside))


def _contenders(
    run: Run, chapter: Chapter, stack: contextlib.ExitStack, port: int, sizes: Sizes, *, slow: bool
) -> Iterator[Contender]:
    if run.package is not None and postfix.can_run():
        relay = stack.enter_context(postfix.relay(run.package, port, SESSIONS))
        yield _loading(run, POSTFIX, sizes.postfix, {"do": "inject", "port": relay, "sessions": SESSIONS})
    else:
        chapter.absent.append(f"{POSTFIX}: its package cannot be had, or this is not root")
    server = stack.enter_context(postroom())
    server.relay_to(port, SESSIONS)
    server.add_template(mails.TEMPLATE, mails.template_variant())
    yield from _of_postroom(run, server, sizes)
    if pooled := stack.enter_context(contender.nodemailer(port, SESSIONS, sizes.nodemailer)):
        yield pooled
    else:
        chapter.absent.append("nodemailer: there is no node, or npm could not install it")
    if slow:
        plain = stack.enter_context(contender.plain_worker(port, sizes.plain))
        office = stack.enter_context(contender.post_office(port, sizes.post_office))
        if plain and office:
            yield plain
            yield office
        else:
            chapter.absent.append("plain worker, django-post-office: pip could not install what they need")
    elif (package := run.package) is not None:
        count = sizes.source

        def source(_first: int) -> float:
            return smtp_source.send(package, port, mails=count, connections=SESSIONS)

        yield Contender("smtp-source, no storage: the limit", count, source)


def _of_postroom(run: Run, server: Postroom, sizes: Sizes) -> Iterator[Contender]:
    base: dict[str, Any] = {"target": server.target, "token": server.token}
    batches = base | {"do": "batches", "per_call": 500, "in_flight": 4}
    yield _loading(run, BATCHES, sizes.batches, batches)
    yield _loading(run, TEMPLATES, sizes.batches, batches | {"mail": "template"})
    single = base | {"do": "unary", "method": SEND, "in_flight": 64}
    yield _loading(run, UNARY, sizes.single, single)
    yield _loading(run, UNARY_TEMPLATES, sizes.single, single | {"mail": "template"})


def _loading(run: Run, name: str, count: int, case: dict[str, Any]) -> Contender:
    def send(first: int) -> float:
        return float(run.loader.ask(first=first, mails=count, **case)["began"])

    return Contender(name, count, send)
