"""From the first accept to the last hand-over: Postroom and Postfix, the same mails, the same sink."""

from __future__ import annotations

import contextlib

from bench import postfix
from bench.children import Child
from bench.figures import Chapter, Figure
from bench.postfix import Package
from bench.served import SEND, postroom
from bench.sink import Sink

SESSIONS = 20
_BATCHES = "Postroom, batches of 500"
_UNARY = "Postroom, one call per mail"
_POSTFIX = "Postfix"


def compare(
    loader: Child, package: Package | None, sink: Sink, *, rounds: int, mails: int, peer_mails: int
) -> Chapter:
    """Batches, single calls and Postfix in turns. `peer_mails` is what the slower ones get."""
    chapter = Chapter(
        f"End to end, to {sink.name}",
        f"From the first call to the last mail at the sink; both systems hand over on at most {SESSIONS} "
        "connections, keep their queue synced on the same disk, and every mail is counted at the sink"
        + (" and its number compared in recipient, subject and body" if sink.name == "verifying sink" else "")
        + f". Postroom gets {mails} mails a round in calls of 500, four in flight (and {peer_mails} in "
        f"single calls, 64 in flight); Postfix gets {peer_mails} finished messages of the same content over "
        f"{SESSIONS} kept, pipelined SMTP sessions from the same client process.",
    )
    rates: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postroom())
        server.relay_to(sink.port, SESSIONS)
        port = 0
        if package is not None and postfix.can_run():
            port = stack.enter_context(postfix.relay(package, sink.port, SESSIONS))
        else:
            chapter.absent.append(f"{_POSTFIX}: its package cannot be had, or this is not root")
        base = {"target": server.target, "token": server.token}
        cases = {
            _BATCHES: {"do": "batches", "mails": mails, "per_call": 500, "in_flight": 4} | base,
            _UNARY: {"do": "unary", "calls": peer_mails, "in_flight": 64, "method": SEND} | base,
        }
        if port:
            cases[_POSTFIX] = {"do": "inject", "mails": peer_mails, "port": port, "sessions": SESSIONS}
        first = 1
        for turn in range(rounds + 1):
            for name, case in cases.items():
                count = int(str(case.get("mails") or case["calls"]))
                sink.expect(count, first)
                told = loader.ask(first=first, **case)
                last = sink.wait(120)
                first += count
                if turn:  # the first opens connections and fills caches
                    rates.setdefault(name, []).append(count / (last - told["began"]))
    for name, target in ((_POSTFIX, 0.0), (_BATCHES, 4.0), (_UNARY, 0.0)):
        if name in rates:
            beside = rates.get(_POSTFIX) if name != _POSTFIX else None
            figure = Figure(name, "mails/s", rates[name], beside)
            if target and beside:
                figure.target, figure.met = f"≥ {target:g} × Postfix", (figure.ratio or 0) >= target
            chapter.figures.append(figure)
    return chapter
