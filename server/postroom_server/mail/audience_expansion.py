"""Looks audiences up: the members of a page get their copies in one transaction, together with the cursor.

A page is read and made in a unit that reads, so that nobody's writing waits for it, and written in another,
which changes nothing unless the cursor stands where it stood: whoever else has expanded the page, or has
cancelled or deleted the email, was there first. Who dies leaves a page undone or done, never half of it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Callable, Iterable, Sequence

import structlog

from postroom_server.clock import SECOND, Clock, Millis
from postroom_server.failpoints import reach
from postroom_server.mail import audience_email, audience_rows
from postroom_server.mail.admission import Admission
from postroom_server.mail.audience_claims import CLAIM, Claimed, Claims
from postroom_server.mail.audience_copies import Copies, FoundCopy
from postroom_server.mail.audience_email import ExpandingEmail
from postroom_server.mail.audience_members import PAGE, Found, FoundMember, find_unknown, next_members
from postroom_server.mail.audience_progress import open_extras
from postroom_server.mail.audience_room import Room
from postroom_server.mail.audience_rows import PageRows
from postroom_server.mail.limits import Limits
from postroom_server.mail.template_choice import longest_values
from postroom_server.mail.urgency import Urgency
from postroom_server.message.unsubscribe import UnsubscribeBase
from postroom_server.refusals import Reason, Refusal
from postroom_server.store import expansions, history, outcome
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Memory
from postroom_server.store.models import AudienceState, Expansion, Lane
from postroom_server.store.statement import Statement, bind

log = structlog.get_logger()

# How long a look-up waits that cannot go on: for room, and for a tenant or a disk.
_NO_ROOM: Millis = SECOND
_NO_LEAVE: Millis = 5 * SECOND

# A thread that computes gives the interpreter up after 5 ms, and the loop, which sends, would wait as long
# whenever it has waited for the network. So it rests by itself, for as long as it takes to hand it over.
_WORK_SECONDS, _REST_SECONDS = 0.002, 0.0001

# As long as a page may take to be made, whatever its templates ask: what there is by then is stored. So every
# page ends well within its claim, and a cancel is heard.
PAGE_SECONDS = 2.0

_MOST_TOLD = 4096  # waits, each of an email and for a reason

Now = Callable[[], Millis]

# Nobody has gone on with it, and nobody has moved it to another time.
_STANDS_AS_READ = (
    (Expansion.email_id == bind("email_id"))
    & (Expansion.cursor == bind("before"))
    & (Expansion.expand_time == bind("claimed"))
)
_ADVANCE = Statement(
    lambda: Expansion.update(
        cursor=bind("cursor"),
        position=bind("position"),
        extras_placed=bind("extras_placed"),
        expand_time=bind("expand_time"),
    ).where(_STANDS_AS_READ)
)
_FINISH = Statement(lambda: Expansion.delete().where(_STANDS_AS_READ))
_WAIT = Statement(lambda: Expansion.update(expand_time=bind("time")).where(_STANDS_AS_READ))


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """A page that was looked up and is to be written."""

    email: ExpandingEmail
    rows: PageRows
    found: int
    cursor: int
    unknown: str | None  # JSON, of the last page
    is_last: bool
    now: Millis


@dataclasses.dataclass(frozen=True, slots=True)
class Waits:
    """A look-up that cannot go on before `time`."""

    email: ExpandingEmail
    time: Millis
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Over:
    """A look-up whose email expires before everybody is found."""

    email_id: int


Step = Page | Waits | Over


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """What came of a step. `goes_on`: the next one may follow at once."""

    tenant_id: int
    goes_on: bool
    queued: int = 0  # copies that came to wait for the engine


class AudienceExpansion:
    """`claim`, `take` and `resume` are units of work, `look_up` is one that reads.

    `due_now` is asked inside units: on PostgreSQL the database's clock decides what is due.
    """

    def __init__(
        self,
        clock: Clock,
        mint: IdMint,
        memory: Memory,
        admission: Admission,
        limits: Limits,
        *,
        due_now: Now,
        unsubscribe: UnsubscribeBase | None = None,
    ) -> None:
        self._clock = clock
        self._mint = mint
        self._memory = memory
        self._admission = admission
        self._limits = limits
        self._due_now = due_now
        self._unsubscribe = unsubscribe
        self._urgency = Urgency(clock, limits)
        self._room = Room(clock)
        self._claims = Claims()
        self._told: dict[tuple[int, str], None] = {}

    def claim(self, busy_tenants: Iterable[int], in_hand: Iterable[int] = ()) -> Claimed | None:
        """Claims a look-up that is due, of the next tenant that is not busy, and not one that is in hand."""
        return self._claims.take(busy_tenants, in_hand, self._due_now())

    def look_up(self, claimed: Claimed) -> Step | None:
        """Finds the next page of an audience and makes its copies. None: there is nothing left to look up."""
        email = audience_email.read(claimed.email_id)
        if email is None:
            return None
        now = self._due_now()
        if email.expire_time <= now:
            return Over(email.id)
        known = self._memory.current()
        tenant = known.tenant(email.tenant_id)
        if tenant is None or tenant.is_paused:
            return Waits(email, now + _NO_LEAVE, "the tenant is paused")
        try:
            self._admission.check_disk()
        except Refusal as refusal:
            if refusal.reason is not Reason.DISK_FULL:
                raise
            return Waits(email, now + _NO_LEAVE, "the disk is nearly full")
        limit = tenant.limits.get("pending_per_tenant", self._limits.pending_per_tenant)
        room = self._room.left(tenant.id, limit, PAGE)
        # A few at a time would be as much work as many.
        if room < max(1, min(PAGE, limit) // 4):
            return Waits(email, now + _NO_ROOM, "as many copies wait as may")
        audience = email.kept.audience
        found = next_members(audience, tenant.id, email.cursor, room)
        version = self._memory.version(email.version_id) if email.version_id is not None else None
        copies = Copies(
            version,
            json.loads(email.params) if email.params else {},
            email.language,
            longest_values(version, self._unsubscribe) if version else {},
        )
        goes_ahead = functools.partial(self._urgency.admits, tenant.id, tenant.limits)
        made = self._made(copies, found.members)
        if len(made) < len(found.members):
            found = Found(found.members[: len(made)], made[-1].member.id, is_last=False)
        rows = audience_rows.build(
            email,
            made,
            lane=lambda: Lane.URGENT if email.urgent and goes_ahead() else Lane.BULK,
            mint=self._mint,
            now=now,
        )
        unknown = find_unknown(audience, tenant.id).as_json() if found.is_last else None
        return Page(email, rows, len(found.members), found.cursor, unknown, found.is_last, now)

    def take(self, step: Step, *, gives_way: bool) -> Taken:
        """Takes the step that a look-up has found. `gives_way`: others have their turn now."""
        match step:
            case Page():
                return self._write(step, gives_way=gives_way)
            case Waits():
                self._tell(step)
                _WAIT.execute(**step.email.as_read, time=step.time)
            case Over():
                expansions.end(expansions.stop([step.email_id]), AudienceState.EXPIRED, self._due_now())
        return Taken(0, goes_on=False)

    def taken(self, taken: Taken) -> None:
        """Notes what a step has added, once it is stored."""
        self._room.add(taken.tenant_id, taken.queued)

    def _tell(self, step: Waits) -> None:
        """Logs why a look-up waits, once: it looks again every second, for days if need be."""
        told = (step.email.id, step.reason)
        if told in self._told:
            return
        if len(self._told) >= _MOST_TOLD:
            self._told.clear()
        self._told[told] = None
        log.info("audience_waits", email=step.email.id, reason=step.reason)

    def _made(self, copies: Copies, members: Sequence[FoundMember]) -> list[FoundCopy]:
        """The copies of these members; of the first of them, one at least, where that takes long."""
        made: list[FoundCopy] = []
        ends = self._clock.monotonic() + PAGE_SECONDS
        began = time.perf_counter()
        for member in members:
            made.append(copies.of(member))
            if self._clock.monotonic() >= ends:
                break
            if time.perf_counter() - began > _WORK_SECONDS:
                time.sleep(_REST_SECONDS)
                began = time.perf_counter()
        return made

    def _write(self, page: Page, *, gives_way: bool) -> Taken:
        """Stores a page whole, unless somebody else was there first."""
        email, rows, now = page.email, page.rows, page.now
        nothing = Taken(email.tenant_id, goes_on=False)
        if page.is_last:
            if not _FINISH.change(**email.as_read):
                return nothing
        elif not _ADVANCE.change(
            **email.as_read,
            cursor=page.cursor,
            position=rows.position,
            extras_placed=rows.extras_placed,
            expand_time=now if gives_way else now + CLAIM,
        ):
            return nothing
        audience_rows.store(rows)
        found, still_open = audience_email.count(
            email.id,
            found=page.found,
            recipients=len(rows.recipients),
            still_open=rows.open,
            refused=rows.refused,
            suppressed=rows.suppressed,
            is_last=page.is_last,
            unknown=page.unknown,
        )
        extras = open_extras([email.id]).get(email.id, 0) if email.kept.extras else 0
        progress = history.Progress(found, found, found - (still_open - extras), page.is_last)
        told = history.event(
            email.tenant_id, history.Kind.AUDIENCE_PROGRESS, now, email_id=email.id, progress=progress
        )
        history.append([*rows.events, told])
        if page.is_last:
            outcome.conclude([email.id], now)
        reach("before_expansion_commit")
        return Taken(email.tenant_id, goes_on=not page.is_last and not gives_way, queued=rows.waiting)

    def resume(self) -> None:
        """Takes the claims of processes that are gone; to be called where there is no other process."""
        self._claims.resume(self._due_now())
