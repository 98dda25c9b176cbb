"""What a unit may leave behind on a SQLite connection: statements that were not read to their end.

Above all one that failed: the frames in its error's traceback hold its cursors. Freed on another thread while
the connection is busy, a cursor cannot end its statement, and the connection would look at the same old state
from then on.
"""

from __future__ import annotations

import contextlib
import inspect
import traceback

import apsw
import structlog

log = structlog.get_logger()

_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def let_go(error: BaseException) -> None:
    """Empties the frames of an error and of those behind it, on the thread on which the unit ran.

    Not those of coroutines: no unit is one, and emptying one that waits would end it.
    """
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        for frame, _ in traceback.walk_tb(link.__traceback__):
            if not frame.f_code.co_flags & _ASYNC:
                with contextlib.suppress(RuntimeError):  # it still runs
                    frame.clear()
        link = link.__cause__ or link.__context__


def is_usable(connection: apsw.Connection) -> bool:
    """Whether nothing is open any more, outside of a transaction; else it is to be closed."""
    if connection.txn_state() == apsw.SQLITE_TXN_NONE:
        return True
    log.error("store_statement_left_open")
    return False
