"""What a command says when it fails: one line with the reason, a line more for each further violation."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import click
import grpc
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from postroom_server.cli.display import one_line
from postroom_server.refusals import Reason, Refusal
from postroom_server.rpc.endpoint import ConfigurationError
from postroom_server.setting_sources import SettingsError
from postroom_server.store.migration import OldDatabaseError
from postroom_server.store.opening import DatabaseUnusableError
from postroom_server.store.sealing import DataKeyError
from postroom_server.store.sqlite import StoreInUseError

_DETAILS = "grpc-status-details-bin"

EXPECTED = (
    ConfigurationError,
    DatabaseUnusableError,
    DataKeyError,
    OldDatabaseError,
    SettingsError,
    StoreInUseError,
)


class CommandFailedError(click.ClickException):
    """Ends the command with exit code 1; the text goes to stderr behind `postroom: `."""

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's signature
        click.echo(f"postroom: {self.message}", err=True)


@contextlib.contextmanager
def explained(why_unreachable: Callable[[], str] = str) -> Iterator[None]:
    """Turns everything that may be expected to go wrong into a `CommandFailedError`.

    `why_unreachable` is asked when nobody answered.
    """
    try:
        yield
    except grpc.RpcError as error:
        raise CommandFailedError(of_call(error, why_unreachable)) from None
    except Refusal as refusal:
        lines = [(violation.field, violation.description) for violation in refusal.violations]
        raise CommandFailedError(_joined(refusal.message, refusal.reason, lines)) from None
    except EXPECTED as error:
        raise CommandFailedError(one_line(str(error))) from None


@contextlib.contextmanager
def hinted(reason: Reason, hint: str) -> Iterator[None]:
    """Adds what to do about one kind of refusal."""
    try:
        yield
    except grpc.RpcError as error:
        text = of_call(error)
        if not text.startswith(f"{reason}:"):
            raise
        raise CommandFailedError(f"{text}\n  {hint}") from None


def of_call(error: grpc.RpcError, why_unreachable: Callable[[], str] = str) -> str:
    """The answer's message, reason and violations."""
    code, message = error.code(), error.details() or ""
    status = status_pb2.Status()
    for key, value in cast(Iterable[tuple[str, bytes]], error.trailing_metadata() or ()):
        if key == _DETAILS:
            status.ParseFromString(value)
    info = error_details_pb2.ErrorInfo()
    lines: list[tuple[str, str]] = []
    wait = ""
    for detail in status.details:
        lines += _violations(detail)
        detail.Unpack(info)
        wait = wait or _wait(detail)
    if not status.details and code is grpc.StatusCode.UNAVAILABLE:
        return one_line(why_unreachable()) or f"nobody answers ({one_line(message)})"
    where = info.metadata.get("correlation_id")
    message += f" (correlation_id {where})" if where else ""
    return _joined(message, info.reason or code.name, lines) + wait


def _violations(detail: Any) -> list[tuple[str, str]]:
    bad_request = error_details_pb2.BadRequest()
    if not detail.Unpack(bad_request):
        return []
    return [(violation.field, violation.description) for violation in bad_request.field_violations]


def _wait(detail: Any) -> str:
    retry = error_details_pb2.RetryInfo()
    if not detail.Unpack(retry):
        return ""
    return f"; try again in {retry.retry_delay.ToTimedelta().total_seconds():g} s"


def _joined(message: str, reason: str, lines: list[tuple[str, str]]) -> str:
    if len(lines) == 1:
        field, description = lines[0]
        return f"{reason}: {one_line(field)}: {one_line(description)}"
    more = "".join(f"\n  {one_line(field)}: {one_line(description)}" for field, description in lines)
    return f"{reason}: {one_line(message)}{more}"
