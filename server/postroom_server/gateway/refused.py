"""What a refused call says: its code, the product's reason, every violation, and when to come back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Self

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

_DETAILS_KEY = "grpc-status-details-bin"


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """One field that breaks a rule. `field` is its path in the contract, such as `to[2]`."""

    field: str
    description: str
    reason: str = ""


class Refused(Exception):  # noqa: N818 - it is an answer that a dialect spells in its own words
    """`reason` is the contract's ErrorReason without its prefix, or "" where nobody gave one.

    `metadata` is what the ErrorInfo names, `retry_after` is in seconds. Texts are the product's, or the
    transport's where there is no reason: only those with a reason are meant for clients.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str = "",
        message: str = "",
        *,
        violations: tuple[Violation, ...] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code.name} {reason} {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.violations = violations
        self.metadata: Mapping[str, str] = metadata or {}
        self.retry_after = retry_after

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> Self:
        """What an error of either channel says; without readable details, its code alone."""
        code, message = error.code(), error.details() or ""
        for key, value in error.trailing_metadata() or ():
            if key == _DETAILS_KEY and isinstance(value, bytes):
                try:
                    return cls._with_details(code, message, status_pb2.Status.FromString(value))
                except DecodeError:
                    break
        return cls(code, "", message)

    @classmethod
    def _with_details(cls, code: grpc.StatusCode, message: str, status: status_pb2.Status) -> Self:
        info = error_details_pb2.ErrorInfo()
        bad_request = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        retry_after = None
        for detail in status.details:
            if detail.Unpack(retry):
                retry_after = retry.retry_delay.ToTimedelta().total_seconds()
            elif not detail.Unpack(info):
                detail.Unpack(bad_request)
        violations = tuple(
            Violation(found.field, found.description, found.reason) for found in bad_request.field_violations
        )
        return cls(
            code,
            info.reason,
            message,
            violations=violations,
            metadata=dict(info.metadata),
            retry_after=retry_after,
        )
