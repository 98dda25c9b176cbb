"""What SQLite's own errors mean to those who called."""

from __future__ import annotations

import apsw
import peewee
import structlog

from postroom_server.refusals import Reason, Refusal
from postroom_server.store.unit import RETRY_SOON, unavailable

log = structlog.get_logger()


def as_refusal(error: BaseException) -> BaseException:
    """Turns the database's own troubles into refusals; everything else stays what it is."""
    # Peewee raises errors of its own while it handles the driver's.
    cause = error.__context__ if isinstance(error, peewee.PeeweeException) else error
    if isinstance(cause, apsw.FullError):
        log.error("store_disk_full", error=str(cause))
        return Refusal(Reason.DISK_FULL, "the database's disk is full", retry_after=RETRY_SOON)
    if isinstance(cause, apsw.InterruptError):
        return unavailable("the read was given up")
    if isinstance(cause, apsw.BusyError | apsw.LockedError | apsw.IOError | apsw.CantOpenError):
        log.error("store_unavailable", error=str(cause))
        return unavailable("the database does not answer")
    return error
