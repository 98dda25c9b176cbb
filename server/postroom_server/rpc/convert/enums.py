"""Enums of the contract, as the words that the product uses for them."""

from __future__ import annotations

from typing import Any

from postroom_server.refusals import Violation, refuse_all


def word_of(enum: Any, prefix: str, number: int, field: str) -> str:
    """`TLS_MODE_REQUIRED` of prefix `TLS_MODE_` is `REQUIRED`; unspecified is "".

    Refuses numbers that this version of the contract does not know, naming the field.
    """
    if number == 0:
        return ""
    value = enum.DESCRIPTOR.values_by_number.get(number)
    if value is None:
        refuse_all([Violation(field, f"{number} is no value that this server knows")])
    return str(value.name).removeprefix(prefix)


def number_of(enum: Any, prefix: str, word: str) -> Any:
    """The enum's value for a word; unspecified for ""."""
    return enum.Value(prefix + word) if word else 0
