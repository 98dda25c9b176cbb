"""What a command is given to read: words on the line, `@file`, or `-` for standard input."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from google.protobuf.struct_pb2 import Struct

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def words(value: str) -> str:
    """Text as it stands, or the content of `@file`, or of standard input for `-`."""
    try:
        if value == "-":
            return sys.stdin.buffer.read().decode("utf-8")
        if value.startswith("@"):
            return Path(value[1:]).read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"cannot read {value}: {error}") from None
    return value


def when(value: str) -> datetime:
    """A time in RFC 3339, or `+90s`, `+10m`, `+2h`, `+1d` from now."""
    try:
        if value.startswith("+"):
            return datetime.now(UTC) + timedelta(**{_UNITS[value[-1]]: float(value[1:-1])})
        time = datetime.fromisoformat(value)
    except (KeyError, ValueError, OverflowError):
        raise click.BadParameter("is neither like 2027-01-31T09:00:00+01:00 nor like +10m") from None
    # A time without a zone is this machine's.
    return time.astimezone(UTC)


def params_of(pairs: tuple[str, ...], document: str | None) -> Struct:
    """Template parameters out of `name=value` pairs, which are strings, and a JSON object; pairs win."""
    params: dict[str, Any] = {}
    if document is not None:
        try:
            params = json.loads(document)
        except ValueError as error:
            raise click.BadParameter(f"is no JSON: {error}", param_hint="--params-json") from None
        if not isinstance(params, dict):
            raise click.BadParameter("is not a JSON object", param_hint="--params-json")
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{pair!r} is not of the form name=value", param_hint="--param")
        params[name] = value
    struct = Struct()
    struct.update(params)
    return struct
