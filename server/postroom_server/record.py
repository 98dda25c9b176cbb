"""Values that are made for every mail: dataclasses that mypy keeps frozen and the interpreter does not.

`frozen=True` sets each field by a call of `object.__setattr__`, which takes several times what an assignment
takes; the twenty values of a mail have some 150 fields (docs/why/performance.md). Values that are made less
often are plain frozen dataclasses.
"""

from __future__ import annotations

import dataclasses
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def record(cls: type[T]) -> type[T]:
    """Slotted, compared and hashed by its fields."""
    return dataclasses.dataclass(slots=True, unsafe_hash=True)(cls)
