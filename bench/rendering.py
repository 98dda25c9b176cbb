"""Rendering one template mail: ours beside Jinja2's sandbox, re.sub and str.replace."""

from __future__ import annotations

import contextlib
import html
import re
import time
from collections.abc import Callable
from typing import Any

from bench.children import driver
from bench.figures import Chapter, Figure
from bench.peers import environment
from bench.peers.environment import PEERS
from bench.run import Run
from bench.templates import content_of, params_of

from postroom_server.message.percent_template import PercentTemplate

TITLE = "Rendering"
OURS, JINJA = "ours: subject, page and text, escaped, checked", "Jinja2, sandbox, the same"
_PLACE = re.compile(r"%([a-z_0-9]+)%")
_SECONDS = 0.005  # what a contender gets in a round


def rendering(run: Run) -> Chapter:
    """Microseconds a mail, in turns."""
    given, values = content_of("grüner Tee aus Hangzhou, Dose à 250 g"), params_of(1)
    template = PercentTemplate(given)
    rendered = template.render(values)
    page = given.html or ""

    def substituted() -> str:
        return _PLACE.sub(lambda found: html.escape(values[found[1]]), page)

    def replaced() -> str:
        made = page
        for name, value in values.items():
            made = made.replace(f"%{name}%", html.escape(value))
        return made

    octets = len((rendered.html or "").encode()) + len(rendered.text.encode())
    chapter = Chapter(
        TITLE,
        f"One mail of {octets} octets with {len(_PLACE.findall(page))} places in its page, from a compiled "
        "template, in one thread, in turns. The ratio is how many times ours the others take. re.sub and "
        "str.replace fill in the page alone; replace also fills in what values contain, which is wrong. "
        "Jinja2 runs in an environment of its own and times itself.",
    )
    contenders: dict[str, Callable[[int], float]] = {
        OURS: _timed(lambda: template.render(values)),
        "re.sub with html.escape, page only": _timed(substituted),
        "str.replace with html.escape, page only": _timed(replaced),
    }
    with contextlib.ExitStack() as stack:
        if (python := environment.python()) is None:
            chapter.absent.append("Jinja2: pip could not install it")
        else:
            jinja = stack.enter_context(driver([python, PEERS / "jinja" / "render.py"]))
            as_jinja = {
                "subject": _PLACE.sub(r"{{ \1 }}", given.subject), "html": _PLACE.sub(r"{{ \1 }}", page),
                "text": _PLACE.sub(r"{{ \1 }}", given.text or ""), "params": values,
            }  # fmt: skip
            told = jinja.ask(**as_jinja)
            # Both escape, with other names for the two quotes.
            if html.unescape(told[1]) != html.unescape(rendered.html or ""):
                raise RuntimeError("Jinja2 rendered something else")
            contenders[JINJA] = lambda times: float(jinja.ask(times=times))
        taken = in_turns(contenders, run.either(200, 10))
    for name, values_of in taken.items():
        chapter.figures.append(Figure(name, "µs", values_of, None if name == OURS else taken[OURS]))
    return chapter


def _timed(contender: Callable[[], Any]) -> Callable[[int], float]:
    def run(times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            contender()
        return time.perf_counter() - began

    return run


def in_turns(contenders: dict[str, Callable[[int], float]], rounds: int) -> dict[str, list[float]]:
    """Microseconds a time, by contender and round; each is told how often, and says how long it took."""
    often = {name: max(1, int(_SECONDS / (run(10) / 10))) for name, run in contenders.items()}
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            taken[name].append(run(often[name]) / often[name] * 1e6)
    return taken
