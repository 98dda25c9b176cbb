"""From parameters to values: what is blank, what is malformed, and what is meant."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import TypeVar

from postroom_server.gateway.sendcloud.codes import INVOKE_NAME, Code, Parameter
from postroom_server.gateway.sendcloud.parameters import Values, is_blank

T = TypeVar("T")

# The native API calls a template of an impossible name not found; the document calls the name malformed.
_INVOKE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,19}")
_MOST = 2**63 - 1


class Reading:
    """Reads parameters one by one. `faults` tells what is wrong with which of them.

    A parameter that is absent or faulty is None.
    """

    def __init__(self, values: Values) -> None:
        self._values = values
        self.faults: dict[Parameter, Code] = {}

    def require(self, *parameters: Parameter) -> None:
        """Those that are absent are blank."""
        for parameter in parameters:
            if parameter.name not in self._values:
                self.faults[parameter] = parameter.blank

    def text(self, parameter: Parameter) -> str | None:
        if parameter.name not in self._values:
            return None
        value = self._values[parameter.name]
        if is_blank(value):
            self.faults[parameter] = parameter.blank
            return None
        if value is None:
            self.faults[parameter] = parameter.malformed
        return value

    def choice(self, parameter: Parameter, words: Mapping[str, T]) -> T | None:
        """What the word means that was given."""
        value = self.text(parameter)
        if value is None:
            return None
        word = value.strip(string.whitespace)
        if word not in words:
            self.faults[parameter] = parameter.malformed
        return words.get(word)

    def number(self, parameter: Parameter, *, most: int = _MOST) -> int | None:
        value = self.text(parameter)
        if value is None:
            return None
        digits = value.strip(string.whitespace)
        # int() alone would take +1, 1_000 and the digits of every script.
        if _NUMBER.fullmatch(digits) and int(digits) <= most:
            return int(digits)
        self.faults[parameter] = parameter.malformed
        return None

    def invoke_name(self) -> str | None:
        value = self.text(INVOKE_NAME)
        if value is None or _INVOKE_NAME.fullmatch(value):
            return value
        self.faults[INVOKE_NAME] = INVOKE_NAME.malformed
        return None
