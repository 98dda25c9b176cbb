"""What stands for a value that is not there: it may be tested, and nothing else (security.md B5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from liquid.undefined import Undefined

from postroom_server.message.liquid.work import NoValue


class Hole(Undefined):
    """No value. It is falsy and equals nil; to show it, count it or loop over it ends the rendering."""

    __slots__ = ()

    def _refuse(self) -> NoReturn:
        raise NoValue(self.name)

    def __len__(self) -> int:
        self._refuse()

    def __iter__(self) -> Iterator[Any]:
        self._refuse()

    def __reversed__(self) -> Iterator[Any]:
        self._refuse()

    def __str__(self) -> str:
        self._refuse()

    def __int__(self) -> int:
        self._refuse()

    def poke(self) -> bool:
        self._refuse()

    __hash__ = Undefined.__hash__


class Absent(Undefined):
    """No value where the author declared that there need not be one: an empty text, an empty list."""

    __slots__ = ()


ABSENT = Absent("")
