"""`python -m bench.noticing`: what it costs accepting to notice the calls of a template, once they are known.

Microseconds of processor time, of the best of nine rounds; a unit of one mail, which is the dearest.
"""

from __future__ import annotations

import time
import timeit
from types import SimpleNamespace
from typing import Any

from postroom_server.clock import Clock
from postroom_server.mail.caller import Caller
from postroom_server.mail.checks import Checked
from postroom_server.mail.draft import CustomBody, Draft, TemplateBody
from postroom_server.mail.template_usage import TemplateUsage
from postroom_server.store.known import Known
from postroom_server.store.versions import Versions

_CALLER = Caller(7, 1, "bench", frozenset())
_ROUNDS, _TIMES = 9, 10_000
CASES: dict[str, dict[str, Any] | None] = {
    "custom body": None,
    "one word": {"name": "Ann"},
    "three words, a number": {"name": "Ann", "city": "Rome", "order": "A-17", "total": 12.5},
    "eight texts, three of digits": {
        "name": "Ann", "city": "Rome", "zip": "00184", "order": "17", "when": "2026-06-01",
        "link": "https://shop.example/17", "note": "at the door", "total": "12.50",
    },
    "an order of five rows": {"order": {"items": [{"name": "tea", "price": 2.5}] * 5, "total": 12.5}},
}  # fmt: skip


def _plan(params: dict[str, Any] | None, labels: dict[str, str]) -> Any:
    """As much of a plan as noticing looks at."""
    body = CustomBody(text="Hello") if params is None else TemplateBody("welcome", params)
    draft = Draft(body=body, to=("ann@example.com",), labels=labels)
    checked = Checked(draft, draft.to, (), (), "", (), "", None, {})
    template = None if params is None else SimpleNamespace(version_id=9)
    return SimpleNamespace(checked=checked, template=template, language="en")


def cost(params: dict[str, Any] | None, labels: dict[str, str]) -> float:
    """Microseconds a mail."""
    usage, plan, now = TemplateUsage(), _plan(params, labels), Clock().now()
    known = Known(1, Versions())  # nobody asks it: none of these calls has unknown names
    first = usage.begin(_CALLER, 7, now, known)
    first.notice(plan)
    usage.remember(first.found)

    def once() -> None:
        if plan.template is not None:
            usage.begin(_CALLER, 7, now, known).notice(plan)

    return min(timeit.repeat(once, timer=time.process_time, number=_TIMES, repeat=_ROUNDS)) / _TIMES * 1e6


def main() -> None:
    for name, params in CASES.items():
        plain, labelled = cost(params, {}), cost(params, {"app": "a", "team": "b"})
        print(f"{name}: {plain:.2f} µs, with two labels {labelled:.2f} µs")


if __name__ == "__main__":
    main()
