"""Drafts, and what the rules say of them."""

from __future__ import annotations

from typing import Any

from fakes import NOON
from postroom_server.mail.checks import Checked, check
from postroom_server.mail.draft import CustomBody, Draft, File, TemplateBody
from postroom_server.mail.limits import Limits
from postroom_server.refusals import Violation

LIMITS = Limits()
TEXT = CustomBody(text="Hello")
LONG = ".".join(["x" * 63] * 3)


def draft(**changes: Any) -> Draft:
    return Draft(**{"body": TEXT, "subject": "Hi", "to": ("ann@example.com",), **changes})


def templated(**changes: Any) -> Draft:
    return draft(subject="", body=TemplateBody(**{"invoke_name": "welcome", **changes}))


def violations(made: Draft, limits: Limits = LIMITS) -> list[Violation]:
    checked, found = check(made, limits, NOON)
    assert (checked is None) is bool(found)
    return found


def fields(made: Draft, limits: Limits = LIMITS) -> list[str]:
    return [violation.field for violation in violations(made, limits)]


def checked(made: Draft) -> Checked:
    result, found = check(made, LIMITS, NOON)
    assert result is not None, found
    return result


def numbered(count: int) -> tuple[str, ...]:
    return tuple(f"user{n}@example.com" for n in range(count))


def names(count: int) -> dict[str, str]:
    return {f"n{i}": "v" for i in range(count)}


def files(count: int, size: int = 1) -> tuple[File, ...]:
    return tuple(File(f"{n}.bin", content=b"x" * size) for n in range(count))
