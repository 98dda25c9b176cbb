"""Audiences on the command line: how one is named, and how one is told with its progress."""

from __future__ import annotations

from typing import Any

import click

from postroom.v1 import audience_pb2, email_pb2
from postroom_server.cli.display import word

_TYPES = tuple(name.removeprefix("AUDIENCE_TYPE_") for name in audience_pb2.AudienceType.keys()[1:])
_POLICIES = ("POLICY", "TO_POLICY")
_SHOWN = 5  # of the ids or codes


class AudienceParam(click.ParamType[audience_pb2.Audience]):
    """`ALL`, `TENANT`, `DEPT:10,11` or `POLICY:VIP`: a type and, behind a colon, its ids or codes."""

    name = "TYPE[:ID,…]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, audience_pb2.Audience):
            return value
        type_, _, named = value.partition(":")
        type_ = type_.upper()
        if type_ not in _TYPES:
            self.fail(f"{type_ or value!r} is not one of {', '.join(_TYPES)}", param, ctx)
        audience = audience_pb2.Audience(type=f"AUDIENCE_TYPE_{type_}")
        for name in filter(None, (one.strip() for one in named.split(","))):
            if type_ in _POLICIES:
                audience.policy_codes.append(name)
                continue
            try:
                audience.object_ids.append(int(name))
            except ValueError:
                self.fail(f"{name!r} is not an id", param, ctx)
        return audience


def audience_text(one: email_pb2.Email) -> str:
    """Such as `DEPT 10, 11`; empty without an audience."""
    if not one.HasField("audience"):
        return ""
    named = [*map(str, one.audience.object_ids), *one.audience.policy_codes]
    more = [f"and {len(named) - _SHOWN} more"] if len(named) > _SHOWN else []
    return " ".join(
        [word(audience_pb2.AudienceType, one.audience.type), ", ".join(named[:_SHOWN]), *more]
    ).strip()


def progress_text(one: email_pb2.Email) -> str:
    """How far the look-up has come, and what names nobody; empty without an audience."""
    if not one.HasField("audience_progress"):
        return ""
    progress = one.audience_progress
    told = [
        f"{progress.found} found" + ("" if progress.complete else " so far"),
        f"{progress.done} settled",
    ]
    unknown = [*map(str, progress.unknown_object_ids), *progress.unknown_policy_codes]
    return ", ".join([*told, *([f"nobody in {', '.join(unknown)}"] if unknown else [])])
