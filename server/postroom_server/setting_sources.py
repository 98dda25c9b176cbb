"""Where settings come from: defaults, `postroom.toml`, the environment (POSTROOM_*), flags; each is told."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource

from postroom_server.settings import PREFIX, Settings

FILE = Path("postroom.toml")

# The command line's own, and those of the test suite.
_OTHER_VARIABLES = {
    f"{PREFIX}{name}"
    for name in ("CONFIG", "TARGET", "TOKEN", "TLS_CA", "SMTP_PASSWORD", "TEST_PG_BIN", "FAILPOINTS")
}
_PASSWORD = re.compile(r"(://[^:/@]*:).*(?=@)|(?<=[?&]password=)[^&]*")


class SettingsError(ValueError):
    """A setting cannot be read or is not what it may be; the text is one line for the operator."""


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    """The settings in force, and by name where each one was set; a name that is missing has its default."""

    settings: Settings
    sources: dict[str, str]

    def source_of(self, name: str) -> str:
        return self.sources.get(name, "default")


def load(flags: Mapping[str, Any] | None = None, *, file: Path = FILE) -> Loaded:
    """Reads all sources; the later wins. Raises SettingsError."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, found in (
        (str(file), _from_file(file)),
        ("environment", EnvSettingsSource(Settings)()),
        ("flag", {name: value for name, value in (flags or {}).items() if value is not None}),
    ):
        values.update(found)
        sources.update(dict.fromkeys(found, source))
    try:
        return Loaded(Settings(**values), sources)
    except ValidationError as error:
        raise SettingsError(_first_mistake(error, sources)) from None


def shown(settings: Settings, name: str) -> str:
    """One value as it may be printed: secrets are masked, also the one in a database URL."""
    value = getattr(settings, name)
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else ""
    if name == "database_url":
        return _PASSWORD.sub(r"\1***", value)
    if isinstance(value, tuple):
        return ",".join(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def mistaken_variables() -> list[str]:
    """A line for each name in the environment that looks like a setting and is none; most often misspelt."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | _OTHER_VARIABLES
    # Settings are read from names in small letters, too.
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name.upper() not in known)
    return [f"{name} is set, but there is no such setting{_meant(name, known)}" for name in unknown]


def refuse_mistaken_variables() -> None:
    """For what serves or opens a database: a setting that is not heeded is worse than no start."""
    for mistake in mistaken_variables():
        raise SettingsError(mistake)


def _meant(name: str, known: Iterable[str]) -> str:
    # Compared without the prefix, which would make everything alike.
    by_end = {one.removeprefix(PREFIX): one for one in known}
    near = difflib.get_close_matches(name.removeprefix(PREFIX), by_end, 1)
    return f"; did you mean {by_end[near[0]]}?" if near else ""


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read {file}: {error}") from None


def _first_mistake(error: ValidationError, sources: Mapping[str, str]) -> str:
    mistake = error.errors(include_url=False, include_input=False)[0]
    name = str(mistake["loc"][0]) if mistake["loc"] else ""
    if not name:
        return mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "extra_forbidden":
        hint = _meant(name, Settings.model_fields) or "; see: postroom settings"
        return f"{name} ({sources.get(name, 'flag')}): there is no such setting{hint}"
    where = f"{PREFIX}{name.upper()}" if sources.get(name) == "environment" else sources.get(name, "default")
    return f"{name} ({where}): {mistake['msg'].removeprefix('Value error, ')}"
