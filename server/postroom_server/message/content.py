"""What an author wrote in one language, and what comes of it."""

from __future__ import annotations

import dataclasses

from postroom_server.message.unsafe import UnsafeContent, check_text
from postroom_server.record import record

MAX_PART_OCTETS = 1024 * 1024
MAX_SUBJECT_LENGTH = 998


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What an author wrote: the subject, and HTML or text or both. An empty part counts as absent."""

    subject: str
    html: str | None = None
    text: str | None = None


@record
class Rendered:
    """A mail's content with all values in place. `html` is None when the template has none; `text` never."""

    subject: str
    html: str | None
    text: str


def checked_subject(subject: str) -> str:
    """The rendered subject: it may hold what only a value brought (security.md A3). Raises UnsafeContent."""
    if len(subject) > MAX_SUBJECT_LENGTH:
        raise UnsafeContent("subject", f"is longer than {MAX_SUBJECT_LENGTH} characters")
    problem = check_text(subject)
    if problem:
        raise UnsafeContent("subject", problem)
    return subject
