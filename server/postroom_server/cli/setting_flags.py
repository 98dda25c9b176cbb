"""Settings as flags: every setting of `Settings`, for the commands that start or open something."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from postroom_server.cli.failure import explained
from postroom_server.setting_sources import FILE, load, refuse_mistaken_variables
from postroom_server.settings import Settings

# What is secret stays off command lines, where every user of the machine can read it.
_NO_FLAG = {"data_key", "gateway_token"}
_DATABASE = ("database_url", "data_key_file")
_GATEWAY = (
    *(name for name in Settings.model_fields if name.startswith(("http_", "rest_"))),
    "gateway_token",
    "log_level",
    "log_format",
    "drain_seconds",
)


def all_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command a flag per setting and, as its first argument, what was loaded."""
    return _flags(tuple(Settings.model_fields), command, refuse_mistaken_variables)


def all_flags_told(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a command that tells misspelt variables itself, instead of being refused for them."""
    return _flags(tuple(Settings.model_fields), command, lambda: None)


def database_flags(command: Callable[..., None]) -> Callable[..., None]:
    """The same, with the flags that say which database is meant."""
    return _flags(_DATABASE, command, refuse_mistaken_variables)


def gateway_flags(command: Callable[..., None]) -> Callable[..., None]:
    """The same, with the flags of what a gateway by itself makes use of."""
    return _flags(_GATEWAY, command, refuse_mistaken_variables)


def _flags(
    names: tuple[str, ...], command: Callable[..., None], check: Callable[[], None]
) -> Callable[..., None]:
    @functools.wraps(command)
    def load_first(*args: Any, config: Path | None, **kwargs: Any) -> None:
        flags = {name: kwargs.pop(name) for name in names if name not in _NO_FLAG}
        with explained():
            check()
            command(load(flags, file=config or FILE), *args, **kwargs)

    run: Callable[..., None] = load_first
    for name in reversed(names):
        if name not in _NO_FLAG:
            run = _option(name)(run)
    return click.option(
        "--config",
        envvar="POSTROOM_CONFIG",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help=f"The settings file. Unset: {FILE}, if there is one.",
    )(run)


def _option(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    field = Settings.model_fields[name]
    flag = name.replace("_", "-")
    # Values stay text here: Settings reads a flag as it reads a variable.
    return click.option(
        f"--{flag}/--no-{flag}" if field.annotation is bool else f"--{flag}",
        name,
        default=None,
        help=field.description,
        hidden=name.startswith("limit_"),
    )
