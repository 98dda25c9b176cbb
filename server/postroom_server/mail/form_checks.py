"""Checks that forms share: a line of text, an address, a number in its range, paths that name fields."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from postroom_server.message import address, language
from postroom_server.message.unsafe import check_text
from postroom_server.refusals import Reason, Violation

INVOKE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
INVOKE_NAME_RULE = "must be 1 to 64 of A-Z, a-z, 0-9, _, . and -"
BIZ_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
BIZ_KEY_RULE = "must begin with A-Z and hold at most 64 of A-Z, 0-9 and _"


class Findings:
    """The violations of one form, collected. `prefix` is the path of the form in its request."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.violations: list[Violation] = []

    def add(self, field: str, description: str, reason: Reason = Reason.INVALID_FIELD) -> None:
        self.violations.append(Violation(f"{self._prefix}{field}", description, reason))

    def line(self, field: str, text: str, *, most: int, least: int = 0) -> None:
        """One line of `least` to `most` characters without control characters."""
        if len(text) > most:
            self.add(field, f"{len(text)} characters; at most {most}")
        elif len(text) < least or (least and not text.strip()):
            self.add(field, "is required")
        elif problem := check_text(text):
            self.add(field, problem)

    def language(self, field: str, text: str) -> str:
        """The tag in normal spelling; "" when it is empty or wrong."""
        try:
            return language.normalise(text) if text else ""
        except language.InvalidLanguage:
            self.add(field, "is not a language tag such as en or zh-CN")
            return ""

    def number(self, field: str, value: float, *, least: float, most: float) -> None:
        # Written so that NaN, which compares false with everything, is refused.
        if not least <= value <= most:
            self.add(field, f"must be from {least:g} to {most:g}")

    def address(self, field: str, text: str) -> str:
        """The address in normal form; "" when it is empty or wrong."""
        if not text:
            return ""
        try:
            return address.parse(text)
        except address.InvalidAddress as error:
            self.add(field, str(error))
            return ""

    def domain(self, field: str, text: str) -> str:
        """The domain in normal form; "" when it is wrong."""
        try:
            return address.domain(address.parse(f"a@{text}"))
        except address.InvalidAddress:
            self.add(field, "is not a domain such as example.com")
            return ""

    def paths(self, paths: Iterable[str], known: Collection[str]) -> None:
        """Field paths of an update mask; the field is always `update_mask` of the request."""
        self.violations.extend(
            Violation("update_mask", f"{path!r} is no field that can be changed")
            for path in paths
            if path not in known
        )
