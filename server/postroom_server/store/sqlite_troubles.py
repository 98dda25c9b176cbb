"""What SQLite's own errors mean to those who called."""

from __future__ import annotations

import sqlite3

import peewee
import structlog

from postroom_server.refusals import Reason, Refusal
from postroom_server.store.unit import RETRY_SOON, unavailable

log = structlog.get_logger()


def as_refusal(error: BaseException) -> BaseException:
    """Turns the database's own troubles into refusals; everything else stays what it is."""
    if not isinstance(error, sqlite3.OperationalError | peewee.OperationalError):
        return error
    text = str(error)
    if "disk is full" in text:
        log.error("store_disk_full", error=text)
        return Refusal(Reason.DISK_FULL, "the database's disk is full", retry_after=RETRY_SOON)
    if "interrupted" in text:
        return unavailable("the read was given up")
    if "locked" in text or "busy" in text or "disk I/O" in text or "unable to open" in text:
        log.error("store_unavailable", error=text)
        return unavailable("the database does not answer")
    return error
