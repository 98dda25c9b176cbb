"""What keeps a template from being rendered, as a request is told it."""

from __future__ import annotations

from collections.abc import Iterator

from postroom_server.message.template import FailedRendering, MissingVariables
from postroom_server.message.unsafe import UnsafeContent
from postroom_server.refusals import Reason, Violation


def violations(field: str, error: ValueError | None) -> Iterator[Violation]:
    """Nothing where there was no error. `field` is the path of the parameters."""
    match error:
        case None:
            return
        case MissingVariables():
            # Asked for by the template as it went: a place that no path names.
            for name in error.names:
                yield Violation(f"{field}.{name}", "has no value", Reason.TEMPLATE_VARIABLE_INVALID)
        case FailedRendering():
            yield Violation(field, str(error), Reason.TEMPLATE_VARIABLE_INVALID)
        case UnsafeContent():
            yield Violation(field, str(error), Reason.UNSAFE_CONTENT)
        case _:
            yield Violation(field, str(error), Reason.TEMPLATE_VARIABLE_INVALID)
