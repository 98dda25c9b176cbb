"""Log lines: one format for our own and the libraries' lines, without local variables in traces."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def configure_logs(level: str, *, as_json: bool) -> None:
    """Sets the process's logging. A trace shows code, never values: those may be addresses or content."""
    least = logging.getLevelNamesMapping()[level.upper()]
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if as_json:
        before += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        before.append(
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        )
    structlog.configure(
        processors=before,
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(least, logging.WARNING), stream=sys.stderr, force=True)
