"""Whether there is room for more mail: the tenant's backlog and the disk."""

from __future__ import annotations

import dataclasses
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import peewee

from postroom_server.clock import Clock
from postroom_server.mail.limits import Limits
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Email
from postroom_server.store.statement import Statement, bind

_RECOUNT_SECONDS = 60.0  # other processes accept too
_RECOUNT_FULL_SECONDS = 1.0
_DISK_SECONDS = 1.0


def _pending_query() -> Any:
    waiting = (
        Email.select(Email.id)
        .where(
            (Email.tenant_id == bind("tenant_id"))
            & (Email.state == peewee.SQL("'PENDING'"))
            & Email.delete_time.is_null()
        )
        .limit(bind("limit"))
    )
    return peewee.Select([waiting], [peewee.fn.COUNT(peewee.SQL("*"))]).bind(Email._meta.database)


_COUNT_PENDING = Statement(_pending_query)


@dataclasses.dataclass(slots=True)
class _Backlog:
    pending: int  # never below the truth of this process: settled mail is taken off by recounting only
    counted_at: float


class Admission:
    """Refuses mail that would have nowhere to wait. Used inside accepting units."""

    def __init__(self, clock: Clock, limits: Limits, *, data_folder: Path | None) -> None:
        self._clock = clock
        self._limits = limits
        self._folder = data_folder
        self._backlogs: dict[int, _Backlog] = {}
        self._disk_checked_at = float("-inf")

    def check(self, tenant_id: int, more: int, tenant_limit: int | None) -> None:
        """Raises BACKLOG_FULL or DISK_FULL when `more` emails of this tenant do not fit."""
        self.check_disk()
        limit = self._limits.pending_per_tenant if tenant_limit is None else tenant_limit
        backlog = self._backlogs.get(tenant_id)
        now = self._clock.monotonic()
        if backlog is not None:
            age = now - backlog.counted_at
            fits = backlog.pending + more <= limit
            stale = age > (_RECOUNT_SECONDS if fits else _RECOUNT_FULL_SECONDS)
        if backlog is None or stale:
            count = int(_COUNT_PENDING.rows(tenant_id=tenant_id, limit=limit + 1)[0][0])
            backlog = self._backlogs[tenant_id] = _Backlog(count, now)
        if backlog.pending + more > limit:
            raise Refusal(
                Reason.BACKLOG_FULL,
                f"{backlog.pending} emails of this tenant wait already; the limit is {limit}",
                metadata={"pending": str(backlog.pending), "limit": str(limit)},
                retry_after=timedelta(milliseconds=self._limits.busy_retry),
            )

    def count(self, tenant_id: int, accepted: int) -> None:
        backlog = self._backlogs.get(tenant_id)
        if backlog is not None:
            backlog.pending += accepted

    def check_disk(self) -> None:
        now = self._clock.monotonic()
        if self._folder is None or now - self._disk_checked_at < _DISK_SECONDS:
            return
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        if free < self._limits.min_free_disk_bytes:
            raise Refusal(
                Reason.DISK_FULL,
                "the disk is nearly full; nothing more is accepted until there is room",
                metadata={"free_bytes": str(free), "least_bytes": str(self._limits.min_free_disk_bytes)},
                retry_after=timedelta(seconds=60),
            )
        self._disk_checked_at = now
