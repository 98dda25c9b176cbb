"""What a rendering knows: plain data, names that were assigned, and how much work is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from liquid import RenderContext
from liquid.exceptions import UnknownFilterError
from liquid.template import BoundTemplate
from liquid.undefined import Undefined
from liquid.utils import ReadOnlyChainMap

from postroom_server.message.liquid.filters import FILTERS
from postroom_server.message.liquid.limits import MAX_LOCALS, MAX_TEXT
from postroom_server.message.liquid.page import Page
from postroom_server.message.liquid.undefined import Hole
from postroom_server.message.liquid.work import CHARACTERS_A_STEP, RenderProblem, Work


class Context(RenderContext):
    """python-liquid's context without its clock (`now` and `today`), over plain data, counting."""

    __slots__ = ("_kept", "_sizes", "work")

    def __init__(self, template: BoundTemplate, data: Mapping[str, object], work: Work) -> None:
        super().__init__(template, globals=data)
        self.scope = ReadOnlyChainMap(self.locals, self.globals)
        self.work = work
        self._sizes: dict[str, int] = {}
        self._kept = 0

    def get(self, path: list[object], *, token: Any, default: object = None) -> object:  # noqa: ARG002
        """The value at a path: of fields, items, and `size`, `first` and `last` (security.md B1)."""
        self.work.spend(1 + len(path) // 4)
        names = iter(path)
        root = next(names)
        try:
            value: object = self.scope[root]  # type: ignore[index]
        except (KeyError, TypeError):
            return Hole(_spell(path))
        for name in names:
            found = _inside(value, name)
            if found is _NOTHING:
                return Hole(_spell(path))
            value = found
        # A null in the data is no value either.
        return Hole(_spell(path)) if value is None else value

    def assign(self, key: str, val: Any) -> None:
        """Keeps a value under a name. What is kept is limited in sum, python-liquid's way but in passing."""
        size = _size(val)
        self._kept += size - self._sizes.get(key, 0)
        self._sizes[key] = size
        self.locals[key] = val
        self.work.spend(1 + size // CHARACTERS_A_STEP)
        if self._kept > MAX_LOCALS:
            raise RenderProblem(f"keeps more than {MAX_LOCALS} characters in names of its own")

    def filter(self, name: str, token: Any) -> Callable[..., object]:
        found = FILTERS.get(name)
        if found is None:
            raise UnknownFilterError(f"there is no filter {name}", token=token)
        return partial(found.function, self.work)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """python-liquid asks this before each loop, and multiplies; here all iterations are counted."""
        self.work.loop(length)

    def get_buffer(self, buf: Any = None) -> Page:  # type: ignore[override]  # noqa: ARG002
        """Where `capture` writes to: a text, whatever the part around it is."""
        return Page(self.work, MAX_TEXT, is_html=False)


class _Nothing:
    """Told from every value."""


_NOTHING = _Nothing()


def _inside(value: object, name: object) -> object:
    if isinstance(value, Undefined):
        # Behind a name that need not be there nothing need be.
        return value
    if isinstance(value, Mapping):
        if isinstance(name, str) and name in value:
            return value[name]
        return len(value) if name == "size" and type(value) is dict else _NOTHING
    if isinstance(value, (list, tuple, range)):
        if name == "size":
            return len(value)
        if name in ("first", "last"):
            name = 0 if name == "first" else -1
        if isinstance(name, int) and not isinstance(name, bool) and -len(value) <= name < len(value):
            return value[name]
        return _NOTHING
    if isinstance(value, str) and name == "size":
        return len(value)
    return _NOTHING


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        # The items themselves are shared with what they were taken from.
        return 16 * len(value) + sum(len(item) for item in value if isinstance(item, str))
    return 16


def _spell(path: list[object]) -> str:
    spelled = str(path[0])
    for name in path[1:]:
        spelled += f"[{name}]" if isinstance(name, int) else f".{str(name)[:64]}"
    return spelled
