"""Refusals inside answers: what one item of a batch is told."""

from __future__ import annotations

from postroom.v1 import error_reason_pb2, refusal_pb2
from postroom_server.refusals import Reason, Refusal, Violation
from postroom_server.rpc.convert.times import duration_of

_OVERHEAD = 4  # tag and length of one violation


def reason_of(reason: Reason) -> error_reason_pb2.ErrorReason:
    number: error_reason_pb2.ErrorReason = error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{reason.value}")  # type: ignore[assignment]
    return number


def violation_message(violation: Violation) -> refusal_pb2.Violation:
    return refusal_pb2.Violation(
        field=violation.field, description=violation.description, reason=reason_of(violation.reason)
    )


def refusal_message(refusal: Refusal, room: int) -> refusal_pb2.Refusal:
    """A refusal with the violations that fit into `room` bytes; like a status it says when not all do."""
    message = refusal_pb2.Refusal(
        code=refusal.code.value,
        reason=reason_of(refusal.reason),
        message=refusal.message,
        metadata=refusal.metadata,
        retry_delay=(
            duration_of(round(refusal.retry_after.total_seconds() * 1000)) if refusal.retry_after else None
        ),
    )
    room -= message.ByteSize()
    for violation in refusal.violations:
        listed = violation_message(violation)
        room -= listed.ByteSize() + _OVERHEAD
        if room < 0:
            message.metadata["violations"] = str(len(refusal.violations))
            message.metadata["violations_shown"] = str(len(message.violations))
            break
        message.violations.append(listed)
    return message
