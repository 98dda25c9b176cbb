"""The filters of LIQUID templates: python-liquid's, between a look at what goes in and at what comes out.

Only what is named here exists. Left out are `escape`, `safe` and their like (values are escaped where they
are shown), what decodes or parses text that nobody needs in a mail, and whatever asks the clock.
"""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

from liquid.builtin.filters import array, string
from liquid.builtin.filters import math as numbers
from liquid.undefined import Undefined

from postroom_server.message.liquid import dates
from postroom_server.message.liquid.operands import (
    as_items,
    as_key,
    as_number,
    as_sequence,
    as_text,
    as_whole,
    checked,
    known,
    made,
    refuse_characters,
    refuse_items,
)
from postroom_server.message.liquid.undefined import Absent
from postroom_server.message.liquid.work import CHARACTERS_A_STEP, RenderProblem, Work
from postroom_server.message.liquid.written import Broken
from postroom_server.message.variable_types import VariableType

_Function = Callable[..., Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    """One filter. It takes `least` to `most` arguments besides its value, and those named.

    `hint` is the type of the values it is for. `keeps` says what a path through it leads to: the same list
    (""), one of its items ("[]"), or something else (None). `reads` says that its first argument names a
    field of the items, and whether that must be there.
    """

    function: _Function
    least: int = 0
    most: int = 0
    named: tuple[str, ...] = ()
    hint: VariableType = VariableType.ANY
    keeps: str | None = None
    reads: bool | None = None


def _of_text(
    function: _Function, arguments: int = 0, least: int | None = None, *, seeks: bool = False, weight: int = 1
) -> Filter:
    """A filter of a text whose arguments are texts. It `seeks` the first of them; `weight` is how many times
    it looks at its text."""

    def apply(work: Work, value: object, *given: object) -> Any:
        text, told = as_text(work, value), [as_text(work, argument) for argument in given]
        work.spend((weight - 1) * (len(text) // CHARACTERS_A_STEP))
        if seeks:
            work.spend_on_search(text, told[0])
        return made(work, function(text, *told))

    return Filter(apply, arguments if least is None else least, arguments)


def _of_number(function: _Function, arguments: int = 0, least: int | None = None) -> Filter:
    def apply(work: Work, value: object, *given: object) -> Any:
        try:
            return checked(function(as_number(work, value), *(as_number(work, each) for each in given)))
        except ArithmeticError:
            raise RenderProblem("makes a number that is too large") from None

    return Filter(apply, arguments if least is None else least, arguments, hint=VariableType.NUMBER)


def _of_list(function: _Function, arguments: int = 0, *, keeps: str | None = "", **more: Any) -> Filter:
    """A filter of a list. Its first argument names a field, its second is what that is compared with."""
    pay = more.pop("pay", None)

    def apply(work: Work, value: object, *given: object) -> Any:
        items = as_items(work, value)
        told = [as_key(work, each) if at == 0 else known(each) for at, each in enumerate(given)]
        if len(told) > 1:
            work.spend(len(items) * work.cost(told[1]))
        if pay is not None:
            pay(work, items, *told)
        try:
            return checked(function(items, *told))
        except ArithmeticError:
            raise RenderProblem("takes numbers where there is something else") from None

    return Filter(apply, more.pop("least", arguments), arguments, hint=VariableType.LIST, keeps=keeps, **more)


def _pay_for_sorting(work: Work, items: list[Any], key: object = None) -> None:
    """Pays for comparing each item with some others. Only numbers and texts have an order."""
    kept = 0
    for item in items:
        told = item.get(str(key)) if key and isinstance(item, dict) else item
        if isinstance(told, (list, tuple, dict, range)):
            raise RenderProblem("sorts by lists or objects")
        kept += work.cost(told)
    work.spend(kept * len(items).bit_length() // 4)


def _concat(work: Work, value: object, other: object) -> Any:
    items, more = as_items(work, value), known(other)
    if isinstance(more, (list, tuple)):
        work.spend_on_items(more)
    return checked(array.concat(items, more))


def _replace(work: Work, value: object, seek: object, put: object = "") -> str:
    text, sought, placed = as_text(work, value), as_text(work, seek), as_text(work, put)
    work.spend_on_search(text, sought)
    refuse_characters(len(text) + text.count(sought) * (len(placed) - len(sought)))
    return made(work, text.replace(sought, placed))


def _remove_last(text: str, sought: str) -> str:
    return _replace_last(text, sought, "")


def _replace_last(text: str, sought: str, placed: str) -> str:
    """Searched from its end by a search from the beginning: the other takes the product of both lengths."""
    if not sought:
        return text + placed
    behind = text[::-1].find(sought[::-1])
    before = len(text) - behind - len(sought)
    # python-liquid leaves alone what begins with the only one.
    return text if behind < 0 or not before else text[:before] + placed + text[before + len(sought) :]


def _split(work: Work, value: object, separator: object) -> list[str]:
    text, sought = as_text(work, value), as_text(work, separator)
    work.spend_on_search(text, sought)
    refuse_items(text.count(sought) if sought else len(text))
    parts: list[str] = checked(string.split(text, sought))
    work.spend(len(parts))
    return parts


def _join(work: Work, value: object, separator: object = " ") -> str:
    between = as_text(work, separator)
    texts = [as_text(work, item) for item in as_items(work, value)]
    refuse_characters(sum(map(len, texts)) + len(between) * len(texts))
    return made(work, between.join(texts))


def _truncate(function: _Function) -> _Function:
    def apply(work: Work, value: object, most: object = None, end: object = "...") -> Any:
        text, ending = as_text(work, value), as_text(work, end)
        # Cut into words, of which there may be as many as half the characters.
        work.spend(3 * (len(text) // CHARACTERS_A_STEP))
        if most is None:
            return checked(function(text, end=ending))
        return checked(function(text, as_whole(work, most), ending))

    return apply


def _slice(work: Work, value: object, start: object, length: object = 1) -> Any:
    sequence = as_items(work, value) if isinstance(value, (list, tuple, range)) else as_text(work, value)
    return string.slice_(sequence, as_whole(work, start), as_whole(work, length))


def _round(work: Work, value: object, digits: object = 0) -> Any:
    return checked(numbers.round_(as_number(work, value), max(min(as_whole(work, digits), 100), -100)))


def _size(work: Work, value: object) -> int:
    work.spend(1)
    if isinstance(value, Absent):
        return 0
    value = known(value)
    return len(value) if isinstance(value, (str, list, tuple, dict, range)) else 0


def _first(work: Work, value: object) -> Any:
    return next(iter(as_sequence(work, value)), None)


def _last(work: Work, value: object) -> Any:
    return next(reversed(as_sequence(work, value)), None)


def _uniq(work: Work, value: object, key: object = None) -> list[Any]:
    """Items that are not there before: python-liquid compares each with each."""
    name = None if key is None else as_text(work, key)
    kept: dict[str, Any] = {}
    for item in as_items(work, value):
        told = item.get(name) if name is not None and isinstance(item, dict) else item
        # What is inside of it is written out.
        work.spend(2 * work.cost(told))
        kept.setdefault(_identity(told), item)
    return list(kept.values())


def _identity(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(float(value)) if value == float(value) else repr(int(value))
    if isinstance(value, str):
        return f'"{value}'
    return json.dumps(value, sort_keys=True, default=str)


def _default(work: Work, value: object, other: object = "", *, allow_false: object = False) -> object:
    """The other value for one that is not there, is false, or is empty."""
    work.spend(1)
    if value is False:
        return value if allow_false is True else other
    is_empty = isinstance(value, (str, list, tuple, dict)) and not value
    return other if value is None or is_empty or isinstance(value, Undefined) else value


def _date(work: Work, value: object, pattern: object, offset: object = None) -> str:
    if isinstance(value, Absent):
        return ""
    text, form = as_text(work, value), as_text(work, pattern)
    work.spend(min(len(form), dates.MAX_FORMAT) // 2)
    try:
        return dates.write(text, form, None if offset is None else as_text(work, offset))
    except ValueError as error:
        raise RenderProblem(f"takes a time, and {text[:40]!r} {error}") from None


def _newline_to_br(work: Work, value: object) -> str:
    text = as_text(work, value)
    # Whole by itself, and all that came from the value is escaped in it.
    broken = html.escape(text).replace("\r\n", "\n").replace("\n", "<br />\n")
    return Broken.of(made(work, broken), text)


def _url_encode(text: str) -> str:
    return quote_plus(text, errors="replace")


FILTERS: dict[str, Filter] = {
    "append": _of_text(string.append, 1),
    "prepend": _of_text(string.prepend, 1),
    "capitalize": _of_text(string.capitalize),
    "downcase": _of_text(string.downcase),
    "upcase": _of_text(string.upcase),
    "strip": _of_text(string.strip),
    "lstrip": _of_text(string.lstrip),
    "rstrip": _of_text(string.rstrip),
    "squish": _of_text(string.squish, weight=4),
    "strip_newlines": _of_text(lambda text: text.replace("\r\n", "").replace("\n", "")),
    "newline_to_br": Filter(_newline_to_br),
    "remove": _of_text(string.remove, 1, seeks=True),
    "remove_first": _of_text(string.remove_first, 1, seeks=True),
    "remove_last": _of_text(_remove_last, 1, seeks=True),
    "replace": Filter(_replace, 1, 2),
    "replace_first": _of_text(string.replace_first, 2, 1, seeks=True),
    "replace_last": _of_text(_replace_last, 2, seeks=True),
    "truncate": Filter(_truncate(string.truncate), 0, 2),
    "truncatewords": Filter(_truncate(string.truncatewords), 0, 2),
    "url_encode": _of_text(_url_encode, weight=16),
    "slice": Filter(_slice, 1, 2),
    "split": Filter(_split, 1, 1),
    "size": Filter(_size),
    "abs": _of_number(numbers.abs_),
    "ceil": _of_number(numbers.ceil),
    "floor": _of_number(numbers.floor),
    "round": Filter(_round, 0, 1, hint=VariableType.NUMBER),
    "plus": _of_number(numbers.plus, 1),
    "minus": _of_number(numbers.minus, 1),
    "times": _of_number(numbers.times, 1),
    "divided_by": _of_number(numbers.divided_by, 1),
    "modulo": _of_number(numbers.modulo, 1),
    "at_least": _of_number(numbers.at_least, 1),
    "at_most": _of_number(numbers.at_most, 1),
    "first": Filter(_first, hint=VariableType.LIST, keeps="[]"),
    "last": Filter(_last, hint=VariableType.LIST, keeps="[]"),
    "join": Filter(_join, 0, 1, hint=VariableType.LIST),
    "concat": Filter(_concat, 1, 1, hint=VariableType.LIST, keeps=""),
    "reverse": _of_list(array.reverse),
    "compact": _of_list(array.compact, 1, least=0, reads=False),
    "uniq": Filter(_uniq, 0, 1, hint=VariableType.LIST, keeps="", reads=False),
    "sort": _of_list(array.sort, 1, least=0, reads=False, pay=_pay_for_sorting),
    "sort_natural": _of_list(array.sort_natural, 1, least=0, reads=False, pay=_pay_for_sorting),
    "map": _of_list(array.map_, 1, keeps=None, reads=True),
    "sum": _of_list(array.sum_, 1, least=0, keeps=None, reads=True),
    "where": _of_list(array.where, 2, least=1, reads=False),
    "reject": _of_list(array.reject, 2, least=1, reads=False),
    "find": _of_list(array.find, 2, least=1, keeps="[]", reads=False),
    "default": Filter(_default, 0, 1, ("allow_false",)),
    "date": Filter(_date, 1, 2, hint=VariableType.TIMESTAMP),
}
