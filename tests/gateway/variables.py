"""What stands for something else in a case: `${name}`; player.py says which there are."""

from __future__ import annotations

import datetime
import re
from typing import Any
from zoneinfo import ZoneInfo

_PLACE = re.compile(r"\$\{([^${}]+)\}")
_ZONE = ZoneInfo("Asia/Shanghai")


class Variables:
    def __init__(self, known: dict[str, Any]) -> None:
        self._known = {name: str(value) for name, value in known.items()}

    def save(self, name: str, value: Any) -> None:
        self._known[name] = value if isinstance(value, str) else str(value)

    def of(self, thing: Any) -> Any:
        """The same with everything replaced, in strings at any depth."""
        if isinstance(thing, dict):
            return {self.of(key): self.of(value) for key, value in thing.items()}
        if isinstance(thing, list):
            return [self.of(item) for item in thing]
        if not isinstance(thing, str):
            return thing
        whole = _PLACE.fullmatch(thing)
        if whole and whole[1].startswith("int:"):
            return int(self._known[whole[1].removeprefix("int:")])
        return _PLACE.sub(self._value, thing)

    def _value(self, found: re.Match[str]) -> str:
        name, _, argument = found[1].partition(":")
        match name:
            case "date":
                return _in(argument).astimezone(_ZONE).strftime("%Y-%m-%d %H:%M:%S")
            case "utc":
                return _in(argument).strftime("%Y-%m-%dT%H:%M:%SZ")
            case "repeat":
                count, _, text = argument.partition(":")
                return text * int(count)
        return self._known.get(found[1], found[0])


def _in(seconds: str) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=float(seconds))
