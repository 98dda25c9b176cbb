"""Numbers and booleans, bare and as strings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.gateway.angusgm import scalars
from postroom_server.gateway.body import Spelled


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (True, True), (False, False), ("true", True), ("false", False), ("TRUE", True), ("False", False),
        ("yes", None), ("1", None), (1, None), (0, None), ("", None), (" true", None), (None, None),
        ([], None), ({}, None), (1.0, None),
    ],
)  # fmt: skip
def test_booleans(value: Any, read: bool | None) -> None:
    assert scalars.boolean(value) is read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (5, 5), (-5, -5), ("5", 5), ("-5", -5), ("007", 7), (5.0, 5), (Spelled("3e2"), 300),
        (1 << 63, 1 << 63), (str(1 << 63), 1 << 63), (5.5, None), (Spelled("0.5"), None), (True, None),
        (False, None), ("", None), ("5.0", None), ("+5", None), (" 5", None), ("5 ", None), ("0x5", None),
        ("1_000", None), ("٥", None), ("5\n", None), ("9" * 41, None), (None, None), ([5], None),
    ],
)  # fmt: skip
def test_integers(value: Any, read: int | None) -> None:
    assert scalars.integer(value) == read
    assert type(scalars.integer(value)) is type(read)


@pytest.mark.parametrize(
    ("number", "fits"),
    [((1 << 63) - 1, True), (1 << 63, False), (-(1 << 63), True), (-(1 << 63) - 1, False)],
)
def test_sixty_four_bits(number: int, fits: bool) -> None:
    assert scalars.fits(number) is fits


@given(st.integers())
def test_an_integer_is_read_from_either_of_its_spellings(number: int) -> None:
    assert scalars.integer(number) == number
    if abs(number) < 10**40:
        assert scalars.integer(str(number)) == number


@pytest.mark.parametrize(
    ("value", "quoted", "bare"),
    [
        (301, "301", 301),
        (3.0, "3", 3),
        (2.5, "2.5", 2.5),
        (1e300, str(int(1e300)), int(1e300)),
        (-1.5, "-1.5", -1.5),
    ],
)
def test_numbers_are_written_as_strings_unless_they_are_wanted_bare(
    value: float, quoted: str, bare: Any
) -> None:
    assert scalars.written(value, bare=False) == quoted
    assert scalars.written(value, bare=True) == bare
    assert type(scalars.written(value, bare=True)) is type(bare)
