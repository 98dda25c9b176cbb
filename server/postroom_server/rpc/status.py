"""How a refusal looks on the wire: a canonical code and google.rpc details in `grpc-status-details-bin`."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from postroom_server.refusals import Reason, Refusal, Violation

DOMAIN = "postroom"
DETAILS_KEY = "grpc-status-details-bin"

# Unless told otherwise clients refuse trailers beyond 8 KiB at random and beyond 16 KiB always, and their
# caller sees RESOURCE_EXHAUSTED instead of our answer. The rest of the 8 KiB is for the other trailers.
MAX_TRAILER_BYTES = 7600
MAX_MESSAGE_BYTES = 2048


class Interruption(Exception):  # noqa: N818 - like a refusal, it is an answer
    """Ends a call for a reason that is the protocol's and not the product's, such as its deadline."""

    def __init__(
        self, code: grpc.StatusCode, reason: str, message: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})


class RichStatus(NamedTuple):
    """What `context.abort` takes."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def of_refusal(refusal: Refusal) -> RichStatus:
    """A refusal with its reason, all violations that fit into trailers, and when to come back."""
    status = _status(grpc.StatusCode[refusal.code], refusal.message, refusal.reason, refusal.metadata)
    if refusal.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(refusal.retry_after)
        _pack(status, retry)
    if refusal.violations:
        _add_violations(status, refusal.violations)
    return _rich(status)


def of_interruption(interruption: Interruption) -> RichStatus:
    return _rich(_status(interruption.code, interruption.message, interruption.reason, interruption.metadata))


def of_bug(correlation_id: str) -> RichStatus:
    """Says nothing but where to look in the log."""
    metadata = {"correlation_id": correlation_id}
    return _rich(_status(grpc.StatusCode.INTERNAL, "internal error", Reason.INTERNAL, metadata))


def _status(
    code: grpc.StatusCode, message: str, reason: str, metadata: Mapping[str, str]
) -> status_pb2.Status:
    status = status_pb2.Status(code=code.value[0], message=_shortened(message))
    _pack(status, error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata))
    return status


def _pack(
    status: status_pb2.Status, detail: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo
) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)


def _add_violations(status: status_pb2.Status, violations: tuple[Violation, ...]) -> None:
    room = MAX_TRAILER_BYTES - _wire_size(status.message) - status.ByteSize() - 100
    bad_request = error_details_pb2.BadRequest()
    for violation in violations:
        field = bad_request.field_violations.add(
            field=violation.field, description=violation.description, reason=violation.reason
        )
        room -= field.ByteSize() + 4
        if room < 0:
            del bad_request.field_violations[-1]
            break
    packed = any_pb2.Any()
    packed.Pack(bad_request)
    status.details.append(packed)
    shown = len(bad_request.field_violations)
    if shown < len(violations):
        info = error_details_pb2.ErrorInfo()
        status.details[0].Unpack(info)
        info.metadata["violations"] = str(len(violations))
        info.metadata["violations_shown"] = str(shown)
        status.details[0].Pack(info)


def _rich(status: status_pb2.Status) -> RichStatus:
    return RichStatus(_CODES[status.code], status.message, ((DETAILS_KEY, status.SerializeToString()),))


def _shortened(message: str) -> str:
    while _wire_size(message) > MAX_MESSAGE_BYTES:
        message = message[: len(message) * MAX_MESSAGE_BYTES // _wire_size(message) - 1] + "…"
    return message


def _wire_size(message: str) -> int:
    # grpc-message travels percent-encoded: a Chinese character takes nine bytes.
    return len(message) if message.isascii() else len(urllib.parse.quote(message))


_CODES = {code.value[0]: code for code in grpc.StatusCode}
