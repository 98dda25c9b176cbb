"""Paths of variables: `order.items[].price` is the price of every item of the list `items` of `order`."""

from __future__ import annotations

import re

from postroom_server.message.liquid.limits import MAX_PATH_CHARACTERS, MAX_PATH_DEPTH

ITEM = "[]"
RULE = (
    "must be a path such as order.items[].price: names of a letter or _ and up to 63 of letters, digits, _ "
    f"and -, together at most {MAX_PATH_CHARACTERS} characters and {MAX_PATH_DEPTH} deep"
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_STEP = re.compile(r"(?P<dot>\.)?(?P<name>[A-Za-z_][A-Za-z0-9_-]{0,63})|\[\]")


def is_field(name: object) -> bool:
    """Tells whether a path may go through a field of this name."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def parse(text: str) -> tuple[str, ...] | None:
    """The steps of a path, `[]` for the items of a list; None when it is no path."""
    if len(text) > MAX_PATH_CHARACTERS:
        return None
    steps: list[str] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        # A name follows a dot, but for the first; an item follows its list.
        if found is None or (found["name"] is not None and (found["dot"] is None) != (at == 0)):
            return None
        if found["name"] is None and at == 0:
            return None
        steps.append(found["name"] or ITEM)
        at = found.end()
    return tuple(steps) if 0 < len(steps) <= MAX_PATH_DEPTH else None


def spell(steps: tuple[str, ...]) -> str:
    """The text of a path."""
    return "".join(step if step == ITEM or not at else f".{step}" for at, step in enumerate(steps))


def inside(path: str, key: object) -> str:
    """The place of a value in a parameter: a field of an object, or an item of a list by its number."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not is_field(key):
        return f"{path}[{str(key)[:64]!r}]"
    return f"{path}.{key}" if path else str(key)
