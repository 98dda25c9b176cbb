"""How fast an audience is looked up, by itself: members become queued copies, and no mail is sent.

    python -m bench.expansion --members 100000 --syntax LIQUID --database postgresql://…

Prints members a second, microseconds of this process's processor for each, milliseconds for each page, and
how much the process grew. Measures in this process: the memory is the largest it ever had, so each size is a
process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from postroom_server.clock import Clock
from postroom_server.mail.accept import Acceptance
from postroom_server.mail.admission import Admission
from postroom_server.mail.audience import Audience, AudienceType
from postroom_server.mail.audience_expansion import AudienceExpansion, Taken
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.draft import Draft, TemplateBody
from postroom_server.mail.limits import Limits
from postroom_server.mail.server_form import ServerForm
from postroom_server.mail.servers import Servers
from postroom_server.mail.template_form import ContentForm, TemplateForm, VariantForm
from postroom_server.mail.templates import Templates
from postroom_server.mail.tenants import TenantForm, Tenants, TenantSettings, ensure_platform
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Memory
from postroom_server.store.models import Member, Syntax, TemplateKind
from postroom_server.store.opening import Address, OpenDatabase, open_database
from postroom_server.store.sealing import Sealer
from postroom_server.store.statement import insert
from postroom_server.store.versions import NotCompiled

TENANT = 7
CALLER = Caller(TENANT, 1, "bench", frozenset(Scope) - {Scope.PLATFORM})
_BODIES = {
    Syntax.PERCENT: "<p>Hello %member.name% in %member.city%, %what%</p>",
    Syntax.LIQUID: (
        "<p>Hello {{ member.name }} in {{ member.city }}, {{ what }}</p>"
        "<ul>{% for order in member.orders %}<li>{{ order }}</li>{% endfor %}</ul>"
    ),
}
_SUBJECTS = {Syntax.PERCENT: "Hi %member.name%", Syntax.LIQUID: "Hi {{ member.name }}"}
_MEMBER = insert(Member)


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    members: int
    per_second: float
    processor_microseconds: float  # for each member, of this process
    page_milliseconds: float  # to look up and write a page, on average
    grown_bytes: int  # while the audience was looked up


def measure(database_url: str, members: int, syntax: Syntax = Syntax.PERCENT) -> Figures:
    """Looks up everybody of a tenant with so many members, in a database that is made for this."""
    opened = open_database(Address(database_url), key_text="5a" * 32, key_file=None, auto_migrate=True)
    try:
        return asyncio.run(_measure(opened, members, syntax))
    finally:
        opened.close()


async def _measure(opened: OpenDatabase, members: int, syntax: Syntax) -> Figures:
    store, clock, memory, limits = opened.store, Clock(), Memory(), Limits()
    mint = IdMint(clock)
    await _furnish(opened, clock, mint, members, syntax)
    admission = Admission(clock, limits, data_folder=None)
    acceptance = Acceptance(
        clock, mint, memory, admission, limits, default_language="en", code_key_id=opened.key.key_id
    )
    draft = Draft(
        body=TemplateBody("news", {"what": "all is well"}),
        audience=Audience(AudienceType.ALL),
        from_address="news@example.com",
    )
    checked = acceptance.check(CALLER, draft)
    try:
        await store.write(acceptance.accept_one, CALLER, checked)
    except NotCompiled as missing:
        await store.read(memory.version, missing.version_id)
        await store.write(acceptance.accept_one, CALLER, checked)
    steps = AudienceExpansion(clock, mint, memory, admission, limits, due_now=clock.now)
    claimed = await store.write(steps.claim, [])
    assert claimed is not None
    grown, began, spent, pages, goes_on = _memory(), time.perf_counter(), time.process_time(), 0, True
    while goes_on:
        step = await store.read(steps.look_up, claimed)
        assert step is not None
        taken: Taken = await store.write(steps.take, step, gives_way=False)
        steps.taken(taken)
        pages, goes_on = pages + 1, taken.goes_on
    seconds, processor = time.perf_counter() - began, time.process_time() - spent
    return Figures(
        members, members / seconds, processor / members * 1e6, seconds / pages * 1e3, _memory() - grown
    )


async def _furnish(opened: OpenDatabase, clock: Clock, mint: IdMint, members: int, syntax: Syntax) -> None:
    store, limits, settings = opened.store, Limits(), TenantSettings()
    await store.write(ensure_platform, clock.now())
    await store.write(Tenants(clock, mint, settings).create, TENANT, TenantForm(name="bench"))
    servers = Servers(clock, mint, Sealer(opened.key), limits)
    form = ServerForm(name="nowhere", host="smtp.example.com", from_address="news@example.com")
    await store.write(servers.add, TENANT, form)
    templates = Templates(clock, mint, limits, settings)
    variants = tuple(VariantForm(tag, _SUBJECTS[syntax], _BODIES[syntax]) for tag in ("en", "zh-CN"))
    content = ContentForm(variants=variants, default_language="en", syntax=syntax)
    template = TemplateForm("news", "News", TemplateKind.BATCH, content)
    checked = await store.read(templates.check_new, CALLER, None, template)
    await store.write(templates.create, CALLER, checked, True)
    for first in range(1, members + 1, 5000):
        await store.write(_fill(first, min(first + 5000, members + 1)))


def _fill(first: int, behind: int) -> Callable[[], None]:
    rows = [
        (
            number, TENANT, number, f"member{number}@example.com", ("en", "zh-CN", None)[number % 3], True,
            json.dumps({"name": f"Member {number}", "city": "Ulm", "orders": [number, number + 1]}), 1, 1,
        )
        for number in range(first, behind)
    ]  # fmt: skip
    return lambda: _MEMBER.together(rows)


def _memory() -> int:
    """The most that this process has had, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--syntax", choices=[one.value for one in Syntax], default=Syntax.PERCENT.value)
    parser.add_argument("--database", help="an empty one; default: a SQLite file that is removed afterwards")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = asked.database or f"sqlite:///{Path(folder) / 'postroom.db'}"
        found = measure(database, asked.members, Syntax(asked.syntax))
    sys.stdout.write(
        f"{found.members} members, {asked.syntax}: {found.per_second:.0f} a second,"
        f" {found.processor_microseconds:.1f} µs of the processor each,"
        f" {found.page_milliseconds:.1f} ms a page, {found.grown_bytes >> 20} MiB more memory\n"
    )


if __name__ == "__main__":
    main()
