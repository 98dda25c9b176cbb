"""The variables of a template, and what can be wrong with their values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """What a template says about a name.

    `default` stands in for a value that is absent or null. `raw` values are not escaped in HTML. A `literal`
    name is no variable at all: `%name%` stays, whoever supplies it. `declared` tells the author's from the
    discovered.
    """

    name: str
    required: bool = True
    default: str | None = None
    raw: bool = False
    literal: bool = False
    declared: bool = False


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
