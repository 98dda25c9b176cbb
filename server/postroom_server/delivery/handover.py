"""Handing over: writes a delivery's letter, marks its dot where it must be marked, and sends it."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterable

import structlog

from postroom_server.clock import Clock
from postroom_server.delivery.budget import Budget
from postroom_server.delivery.endpoints import Endpoints
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.line import Job
from postroom_server.delivery.marks import mark_dot
from postroom_server.failpoints import reach
from postroom_server.refusals import Refusal
from postroom_server.sender.draft import Draft
from postroom_server.sender.loan import NextParcel, NotBegun, Parcel, SlotLoan, Unwritten
from postroom_server.smtp import Envelope, Timeouts, Transaction
from postroom_server.store.facts import ServerFacts
from postroom_server.store.models import Lane
from postroom_server.store.unit import Store

log = structlog.get_logger()

# Octets of attachments in letters that are being written or sent; a letter takes some six times as much.
_LARGE = 1 << 20  # what is smaller is not counted
_LARGE_TOGETHER = 48 << 20

# Letters that are written ahead of their turn with one whose turn it is: until so many octets are there, and
# while the event loop can wait.
AHEAD = 31
AHEAD_OCTETS = 256 << 10
AHEAD_SECONDS = 0.004

# Who waits for a code or an alarm is better served by the next server than by a patient one.
URGENT_TIMEOUTS = Timeouts(
    connect=5, banner=15, ehlo=15, mail=30, rcpt=30, data=30, chunk=60, dot=120, total=300
)


class Handover:
    """`halted` stops every message before its dot, and so does `is_believed` when it is asked and says no."""

    def __init__(
        self,
        store: Store,
        letters: Letters,
        endpoints: Endpoints,
        clock: Clock,
        *,
        owner: int,
        is_believed: Callable[[], bool],
    ) -> None:
        self._store = store
        self._letters = letters
        self._endpoints = endpoints
        self._clock = clock
        self._owner = owner
        self._is_believed = is_believed
        self._large = Budget(_LARGE_TOGETHER)
        self.halted = False

    def is_at_hand(self, job: Job) -> bool:
        """Whether `write` can be asked: nothing has to be read from the store first.

        Not where something is wrong with it, which is not to be blamed on the one before it.
        """
        with contextlib.suppress(Exception):
            return self._letters.is_at_hand(job.leased.email)
        return False

    def next_parcel(self, job: Job, next_ones: Iterable[Job], loan: SlotLoan) -> Parcel:
        """The parcel of a job that is at hand, at once. Raises what keeps its letter from being written."""
        if loan.is_remote and self._letters.can_be_drafted(job.leased):
            return self._parcel(job, self._letters.draft(job.leased))
        return self._parcel(job, self.write(job, () if loan.is_remote else next_ones))

    def write(self, job: Job, next_ones: Iterable[Job]) -> Envelope:
        """The job's envelope, at once. Raises what keeps it from being written.

        Where it is not there yet, those of the next ones are written with it: many in a row take less time
        than each between the steps of its conversation.
        """
        if job.envelope is None:
            job.envelope = self._letters.write(job.leased)
            self._write_ahead(next_ones, AHEAD_OCTETS - len(job.envelope.message))
        envelope, job.envelope = job.envelope, None
        return envelope

    def _write_ahead(self, jobs: Iterable[Job], octets: int) -> None:
        end = self._clock.monotonic() + AHEAD_SECONDS
        # Whatever goes wrong with one is told when its turn comes, and not blamed on the one before it.
        with contextlib.suppress(Exception):
            for job in itertools.islice(jobs, AHEAD):
                if octets <= 0 or self._clock.monotonic() >= end:
                    return
                # Who is leased alone may bring the process down, and is to do so alone.
                if job.envelope is None and not job.leased.alone and self.is_at_hand(job):
                    job.envelope = self._letters.write(job.leased)
                    octets -= len(job.envelope.message)

    async def run(
        self,
        job: Job,
        leased: Leased,
        server: ServerFacts,
        loan: SlotLoan,
        following: NextParcel,
        parcel: Parcel | None,
    ) -> Transaction:
        """One transaction, of `leased`: all of the job's or a part. `parcel`, if it was made before.

        Raises what `SlotLoan.send` raises, but Unwritten.
        """
        if leased.email.file_octets < _LARGE:
            return await self._transact(job, leased, server, loan, following, parcel)
        async with self._large.hold(leased.email.file_octets):
            return await self._transact(job, leased, server, loan, following, parcel)

    async def _transact(
        self,
        job: Job,
        leased: Leased,
        server: ServerFacts,
        loan: SlotLoan,
        following: NextParcel,
        parcel: Parcel | None,
    ) -> Transaction:
        if parcel is None:
            parcel = self._parcel(job, await self._content(job, leased, loan))
        job.envelope = None
        job.written_at = self._clock.monotonic()
        try:
            transaction = await self._give(job, server, loan, following, parcel)
        except Unwritten:
            # What is wrong with it is told by writing it here.
            parcel = self._parcel(job, await self._letters.envelope(leased))
            transaction = await self._give(job, server, loan, following, parcel)
        return self._letters.without_code(leased, transaction)

    async def _give(
        self, job: Job, server: ServerFacts, loan: SlotLoan, following: NextParcel, parcel: Parcel
    ) -> Transaction:
        if loan.has_taken(parcel):
            # Under way, perhaps: nothing that could fail may keep its outcome from being heard.
            return await loan.send(None, parcel, following)
        endpoint = self._endpoints.of(server)
        if loan.is_remote:
            await loan.ready()
            if job.cancelled or self.halted:
                # The sender hears of what happens to those it has, and asks about no others.
                raise NotBegun
        return await loan.send(endpoint, parcel, following)

    async def _content(self, job: Job, leased: Leased, loan: SlotLoan) -> Envelope | Draft:
        if job.envelope is not None and leased is job.leased:
            return job.envelope
        if loan.is_remote and self._letters.can_be_drafted(leased):
            return self._letters.draft(leased)
        return await self._letters.envelope(leased)

    def _parcel(self, job: Job, content: Envelope | Draft) -> Parcel:
        leased = job.leased
        return Parcel(
            content,
            functools.partial(self._before_dot, job),
            asks=leased.at_most_once,
            timeouts=URGENT_TIMEOUTS if leased.lane is Lane.URGENT else None,
            # Between a dot's mark and the dot there is nothing that could fail; and whoever is leased alone
            # is not to be blamed for another.
            is_alone=leased.at_most_once or leased.alone,
            expires_in=(leased.expire_time - self._clock.now()) / 1000,
        )

    async def _before_dot(self, job: Job) -> bool:
        if not job.leased.at_most_once:
            return self._may_go(job)
        try:
            marked = await self._store.write(
                mark_dot, self._owner, job.leased.id, job.leased.lease_token, self._clock.now()
            )
        except Refusal as refusal:
            log.warning("dot_not_marked", delivery=job.leased.id, reason=refusal.reason.value)
            return False
        reach("after_dot_mark")
        return marked and self._may_go(job)

    def _may_go(self, job: Job) -> bool:
        # Asked here too: whoever was held still has not heard yet that others went on without it.
        return not (job.cancelled or self.halted) and self._is_believed()
