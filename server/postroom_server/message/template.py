"""A compiled template: what senders and renderers ask of it, whatever its syntax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from postroom_server.message.content import MAX_PART_OCTETS, MAX_SUBJECT_LENGTH, Content, Rendered
from postroom_server.message.placement import Problem
from postroom_server.message.unsafe import UnsafeContent
from postroom_server.message.variable import (
    BadTemplate,
    FailedRendering,
    Faults,
    InvalidValue,
    MissingVariables,
    TakesLong,
    Variable,
)

_NOTHING: Mapping[str, str] = {}


class CompiledTemplate(Protocol):
    """One language variant, ready to be rendered many times, in many threads.

    Parameters are plain values by name. What is told of them goes by their places: `order.items[2].price`.
    """

    content: Content
    length: int  # in characters

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The declared ones in their order, then the discovered ones in order of appearance."""

    @property
    def place_count(self) -> int:
        """How many times a variable stands in it."""

    @property
    def is_slow(self) -> bool:
        """Whether it takes so long that it should not be rendered where others wait, however short it is."""

    @property
    def is_checked_by_rendering(self) -> bool:
        """Whether `check` takes as long as `render` does."""

    def shows(self, name: str, *, own_subject: bool = True) -> bool:
        """Whether readers see the value of `name`, whatever they read."""

    def problems(self) -> list[Problem]:
        """What stands where HTML cannot hold it; a template that has any is not saved."""

    def faults(self, params: Mapping[str, object]) -> Faults:
        """All of the three below, at once."""

    def missing(self, params: Mapping[str, object]) -> list[str]:
        """All required values that `params` lacks; null counts as no value."""

    def unused(self, params: Mapping[str, object]) -> list[str]:
        """What is in `params` and this variant has no place for."""

    def invalid(self, params: Mapping[str, object]) -> dict[str, str]:
        """The values that are not of their type or have no text, each with what is wrong with it."""

    def check(
        self, params: Mapping[str, object], system: Mapping[str, str] = _NOTHING, *, steps: int | None = None
    ) -> int:
        """Raises what `render` would raise. Returns how many steps that took, where steps are counted.

        `steps` limits them further: TakesLong when they do not do.
        """

    def render(self, params: Mapping[str, object], system: Mapping[str, str] = _NOTHING) -> Rendered:
        """Puts the values in their places: escaped in HTML unless raw, plain in subject and text.

        `system` holds the system's values; one that it lacks is empty. Raises MissingVariables, InvalidValue,
        UnsafeContent.
        """

    def sketch(self, params: Mapping[str, object], system: Mapping[str, str] = _NOTHING) -> Rendered:
        """Renders with nothing in the place of what is missing or of a wrong type, as far as that goes."""


__all__ = [
    "MAX_PART_OCTETS",
    "MAX_SUBJECT_LENGTH",
    "BadTemplate",
    "CompiledTemplate",
    "Content",
    "FailedRendering",
    "Faults",
    "InvalidValue",
    "MissingVariables",
    "Rendered",
    "TakesLong",
    "UnsafeContent",
    "Variable",
]
