"""The variables of a template, and what can be wrong with their values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

from postroom_server.message.unsafe import UnsafeContent
from postroom_server.message.variable_types import VariableType


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """What a template says about a name; in LIQUID about a path such as `order.items[].price`.

    `default` stands in for a value that is absent or null: a text in PERCENT, a plain value in LIQUID. `raw`
    values are not escaped in HTML. A `literal` name is no variable at all: `%name%` stays, whoever supplies
    it. `declared` tells the author's from the discovered.
    """

    name: str
    required: bool = True
    default: object = None
    raw: bool = False
    literal: bool = False
    declared: bool = False
    type: VariableType = VariableType.ANY


class Faults(NamedTuple):
    """What is wrong with a set of parameters, by the places of the values: `order.items[2].price`."""

    missing: list[str]  # required, and null counts as no value
    unknown: list[str]
    invalid: dict[str, str]  # with what is wrong


class MissingVariables(ValueError):  # noqa: N818 - named after what was found
    """Required variables without a value; `names` has all of them."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(f"no value for {', '.join(self.names)}")


class InvalidValue(ValueError):  # noqa: N818 - named after what was found
    """The value of the variable `name` has no text; `problem` says why."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")
        self.name = name
        self.problem = problem


class FailedRendering(UnsafeContent):
    """A LIQUID template that cannot go on with these values, or takes too much work with them."""


class TakesLong(FailedRendering):
    """A LIQUID template that was given few steps of work, and takes more."""


class BadTemplate(ValueError):  # noqa: N818 - named after what was found
    """Content that cannot be compiled. `field` is subject, html, text or variables."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem
