"""The filters of LIQUID templates: python-liquid's, between a look at what goes in and at what comes out.

Only what is named here exists. Left out are `escape`, `safe` and their like (values are escaped where they
are shown), what decodes or parses text that nobody needs in a mail, and whatever asks the clock.
"""

from __future__ import annotations

import dataclasses
import html
import json
import math
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote_plus

from liquid.builtin.filters import array, string
from liquid.builtin.filters import math as numbers
from liquid.undefined import Undefined

from postroom_server.message.liquid import dates
from postroom_server.message.liquid.limits import (
    MAX_INTEGER_BITS,
    MAX_LIST,
    MAX_PATH_CHARACTERS,
    MAX_TEXT,
)
from postroom_server.message.liquid.undefined import Absent
from postroom_server.message.liquid.work import NoValue, RenderProblem, Work
from postroom_server.message.liquid.written import Broken, number_of, plain_number, text_of_value
from postroom_server.message.variable_types import VariableType

_CHARACTERS_A_STEP = 256
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


def _text(work: Work, value: object) -> str:
    """The text of a filter's value or argument, paid for."""
    if isinstance(value, Absent):
        return ""
    if isinstance(value, Undefined):
        raise NoValue(value.name)
    if value is None:
        raise RenderProblem("takes a text where there is none")
    try:
        text = text_of_value(value)
    except ValueError as error:
        raise RenderProblem(f"takes a text where there is a value that {error}") from None
    work.spend(1 + len(text) // _CHARACTERS_A_STEP)
    return text


def _number(work: Work, value: object) -> int | float:
    work.spend(1)
    if isinstance(value, Absent):
        return 0
    if isinstance(value, Undefined):
        raise NoValue(value.name)
    try:
        if isinstance(value, str):
            return number_of(value.strip())
        if not isinstance(value, bool):
            return plain_number(value)
    except ValueError:
        pass
    raise RenderProblem(f"takes a number where there is {_shown(value)}")


def _items(work: Work, value: object) -> list[Any]:
    """The items of a list, those of lists in it among them, as Liquid has it."""
    if isinstance(value, Absent):
        return []
    if isinstance(value, Undefined):
        raise NoValue(value.name)
    if not isinstance(value, (list, tuple, range)):
        raise RenderProblem(f"takes a list where there is {_shown(value)}")
    items: list[Any] = []
    _flatten(value, items, 5)
    work.spend_on_items(items)
    return items


def _flatten(value: Iterable[Any], items: list[Any], levels: int) -> None:
    for item in value:
        if levels and isinstance(item, (list, tuple)):
            _flatten(item, items, levels - 1)
        else:
            items.append(item)
        if len(items) > MAX_LIST:
            raise RenderProblem(f"makes a list of more than {MAX_LIST} items")


def _shown(value: object) -> str:
    return f"{value[:40]!r}" if isinstance(value, str) else f"a value of type {type(value).__name__}"


def _made(work: Work, value: Any) -> Any:
    """What a filter made, if it is not too much; a text may be longer than all that it was made of."""
    if isinstance(value, str):
        work.spend(len(value) // _CHARACTERS_A_STEP)
    return _checked(value)


def _checked(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise RenderProblem(f"makes a text of more than {MAX_TEXT} characters")
    elif isinstance(value, list):
        if len(value) > MAX_LIST:
            raise RenderProblem(f"makes a list of more than {MAX_LIST} items")
    elif isinstance(value, int):
        if value.bit_length() > MAX_INTEGER_BITS:
            raise RenderProblem(f"makes a number of more than {MAX_INTEGER_BITS} bits")
    elif isinstance(value, float) and not math.isfinite(value):
        raise RenderProblem("makes a number that is not finite")
    return value


def _of_text(
    function: _Function, arguments: int = 0, least: int | None = None, *, seeks: bool = False, weight: int = 1
) -> Filter:
    """A filter of a text whose arguments are texts. It `seeks` the first of them; `weight` is how many times
    it looks at its text."""

    def apply(work: Work, value: object, *given: object) -> Any:
        text, told = _text(work, value), [_text(work, argument) for argument in given]
        work.spend((weight - 1) * (len(text) // _CHARACTERS_A_STEP))
        if seeks:
            work.spend_on_search(text, told[0])
        return _made(work, function(text, *told))

    return Filter(apply, arguments if least is None else least, arguments)


def _of_number(function: _Function, arguments: int = 0, least: int | None = None) -> Filter:
    def apply(work: Work, value: object, *given: object) -> Any:
        try:
            return _checked(function(_number(work, value), *(_number(work, each) for each in given)))
        except ArithmeticError:
            raise RenderProblem("makes a number that is too large") from None

    return Filter(apply, arguments if least is None else least, arguments, hint=VariableType.NUMBER)


def _of_list(function: _Function, arguments: int = 0, *, keeps: str | None = "", **more: Any) -> Filter:
    """A filter of a list. Its first argument names a field, its second is what that is compared with."""
    pay = more.pop("pay", None)

    def apply(work: Work, value: object, *given: object) -> Any:
        items = _items(work, value)
        told = [_key(work, each) if at == 0 else _plain(each) for at, each in enumerate(given)]
        if len(told) > 1:
            work.spend(len(items) * work.cost(told[1]))
        if pay is not None:
            pay(work, items, *told)
        try:
            return _checked(function(items, *told))
        except ArithmeticError:
            raise RenderProblem("takes numbers where there is something else") from None

    return Filter(apply, more.pop("least", arguments), arguments, hint=VariableType.LIST, keeps=keeps, **more)


def _plain(value: object) -> object:
    if isinstance(value, Undefined):
        raise NoValue(value.name)
    return value


def _key(work: Work, value: object) -> object:
    """The name of a field, or the number of an item. python-liquid would spell out whatever it is given."""
    if isinstance(value, Absent) or not isinstance(value, (str, list, tuple, dict, range)):
        return _plain(value)
    name = _text(work, value)
    if len(name) > MAX_PATH_CHARACTERS:
        raise RenderProblem(f"takes the name of a field of more than {MAX_PATH_CHARACTERS} characters")
    return name


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
    items, more = _items(work, value), _plain(other)
    if isinstance(more, (list, tuple)):
        work.spend_on_items(more)
    return _checked(array.concat(items, more))


def _replace(work: Work, value: object, seek: object, put: object = "") -> str:
    text, sought, placed = _text(work, value), _text(work, seek), _text(work, put)
    work.spend_on_search(text, sought)
    # Looked at before it is made: a long text in many places would fill the memory first.
    if len(text) + text.count(sought) * (len(placed) - len(sought)) > MAX_TEXT:
        raise RenderProblem(f"makes a text of more than {MAX_TEXT} characters")
    made: str = _made(work, text.replace(sought, placed))
    return made


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
    text, sought = _text(work, value), _text(work, separator)
    work.spend_on_search(text, sought)
    if (text.count(sought) if sought else len(text)) > MAX_LIST:
        raise RenderProblem(f"makes a list of more than {MAX_LIST} items")
    parts: list[str] = _checked(string.split(text, sought))
    work.spend(len(parts))
    return parts


def _join(work: Work, value: object, separator: object = " ") -> str:
    between = _text(work, separator)
    texts = [_text(work, item) for item in _items(work, value)]
    if sum(map(len, texts)) + len(between) * len(texts) > MAX_TEXT:
        raise RenderProblem(f"makes a text of more than {MAX_TEXT} characters")
    made: str = _made(work, between.join(texts))
    return made


def _truncate(function: _Function) -> _Function:
    def apply(work: Work, value: object, most: object = None, end: object = "...") -> Any:
        text, ending = _text(work, value), _text(work, end)
        # Cut into words, of which there may be as many as half the characters.
        work.spend(3 * (len(text) // _CHARACTERS_A_STEP))
        if most is None:
            return _checked(function(text, end=ending))
        return _checked(function(text, _whole(work, most), ending))

    return apply


def _slice(work: Work, value: object, start: object, length: object = 1) -> Any:
    sequence = _items(work, value) if isinstance(value, (list, tuple, range)) else _text(work, value)
    return string.slice_(sequence, _whole(work, start), _whole(work, length))


def _whole(work: Work, value: object) -> int:
    number = _number(work, value)
    if number != int(number):
        raise RenderProblem(f"takes a whole number where there is {number}")
    return int(number)


def _round(work: Work, value: object, digits: object = 0) -> Any:
    return _checked(numbers.round_(_number(work, value), max(min(_whole(work, digits), 100), -100)))


def _size(work: Work, value: object) -> int:
    work.spend(1)
    if isinstance(value, Absent):
        return 0
    if isinstance(value, Undefined):
        raise NoValue(value.name)
    return len(value) if isinstance(value, (str, list, tuple, dict, range)) else 0


def _first(work: Work, value: object) -> Any:
    return next(iter(_outer(work, value)), None)


def _last(work: Work, value: object) -> Any:
    return next(reversed(_outer(work, value)), None)


def _outer(work: Work, value: object) -> list[Any] | tuple[Any, ...] | range:
    work.spend(1)
    if isinstance(value, Absent):
        return ()
    if isinstance(value, Undefined):
        raise NoValue(value.name)
    if not isinstance(value, (list, tuple, range)):
        raise RenderProblem(f"takes a list where there is {_shown(value)}")
    return value


def _uniq(work: Work, value: object, key: object = None) -> list[Any]:
    """Items that are not there before: python-liquid compares each with each."""
    name = None if key is None else _text(work, key)
    kept: dict[str, Any] = {}
    for item in _items(work, value):
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
    text, form = _text(work, value), _text(work, pattern)
    work.spend(min(len(form), dates.MAX_FORMAT) // 2)
    try:
        return dates.write(text, form, None if offset is None else _text(work, offset))
    except ValueError as error:
        raise RenderProblem(f"takes a time, and {text[:40]!r} {error}") from None


def _newline_to_br(work: Work, value: object) -> str:
    text = _text(work, value)
    # Whole by itself, and all that came from the value is escaped in it.
    broken = html.escape(text).replace("\r\n", "\n").replace("\n", "<br />\n")
    return Broken.of(_made(work, broken), text)


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
