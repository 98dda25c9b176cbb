"""Which forms of values were stored already, name by name, so that most calls are seen to bring nothing new.

What a version refuses, it refuses for what stands at single names. Calls whose every name has had its form in
some stored call, and whose every absent name has been absent in one, are therefore remembered by those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from postroom_server.mail.call_shape import (
    MOST_ELEMENTS,
    MOST_SHAPES,
    OBJECT,
    OTHERS,
    TELLING,
    TEXT,
    CallShape,
    Shape,
    form_of,
    text_form,
)
from postroom_server.message import percent

_ABSENT = ""
_LIST = "list"


class _Seen:
    """What has stood at one name."""

    __slots__ = ("element", "fields", "forms", "is_cut", "objects", "others")

    def __init__(self) -> None:
        self.forms: set[str] = set()
        self.fields: dict[str, _Seen] = {}
        self.element: _Seen | None = None
        self.objects = 0  # how many have stood here
        self.others = False  # whether objects had names that no variable can have
        self.is_cut = False  # more has stood here than was kept

    def covers(self, value: Any) -> bool:
        if self.is_cut:
            return True
        if isinstance(value, dict):
            return OBJECT in self.forms and self.covers_names(value)
        if isinstance(value, list | tuple):
            element = self.element
            return _LIST in self.forms and all(
                element is not None and element.covers(each) for each in value[:MOST_ELEMENTS]
            )
        return form_of(value) in self.forms

    def covers_names(self, params: Mapping[str, Any]) -> bool:
        fields = self.fields
        known = 0
        for name, value in params.items():
            seen = fields.get(name)
            if seen is None:
                if percent.is_name(name) or not self.others:
                    return False
                continue
            known += 1
            if type(value) is str:
                form = text_form(value) if value[:1] in TELLING else TEXT
                if form not in seen.forms:
                    return False
            elif type(value) is float:
                if form_of(value) not in seen.forms:
                    return False
            elif not seen.covers(value):
                return False
        if known == len(fields):
            return True
        # A copy, made at once: another thread may be adding names.
        return all(_ABSENT in seen.forms for name, seen in list(fields.items()) if name not in params)

    def absorb(self, shape: Shape) -> int:
        """Takes in what was stored; returns how many names are new."""
        if isinstance(shape, dict):
            self.forms.add(OBJECT)
            return self.absorb_names(shape)
        if isinstance(shape, list):
            self.forms.add(_LIST)
            if not shape:
                return 0
            element = self.element = self.element or _Seen()
            element.is_cut |= len(shape) >= MOST_SHAPES
            return sum(map(element.absorb, shape))
        self.is_cut |= shape == OBJECT
        self.forms.add(shape)
        return 0

    def absorb_names(self, shape: Mapping[str, Shape]) -> int:
        new = 0
        for name, inner in shape.items():
            if name == OTHERS:
                self.others = True
                continue
            seen = self.fields.get(name)
            if seen is None:
                new += 1
                seen = self.fields[name] = _Seen()
                if self.objects:
                    seen.forms.add(_ABSENT)
            new += seen.absorb(inner)
        for name, seen in self.fields.items():
            if name not in shape:
                seen.forms.add(_ABSENT)
        self.objects += 1
        return new


class SeenShapes(_Seen):
    """Sets of parameters that were stored. Reading takes no lock; whoever adds holds one."""

    __slots__ = ()

    def cover(self, params: Mapping[str, Any]) -> bool:
        """Whether these parameters would bring nothing new."""
        return self.is_cut or (self.objects > 0 and self.covers_names(params))

    def add(self, shape: CallShape) -> int:
        """Takes in a shape; returns how many names are new to it."""
        # Of calls with so many names the one that was stored has to do.
        self.is_cut |= shape.partial
        return self.absorb_names(shape.names)
