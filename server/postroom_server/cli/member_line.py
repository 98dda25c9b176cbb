"""One line of an imported file as a member: which column says what, and how its cell is read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from postroom.v1 import member_pb2

# Ours: what an earlier import says was wrong with the line. It is not an attribute.
REASON = "refused_reason"
REQUIRED = ("user_id", "address")
_LARGEST = (1 << 63) - 1
_EXACT = 2**53  # a Struct's numbers are doubles
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}", re.ASCII)
_SEPARATOR = re.compile(r"[;|]")
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
# Protobuf reads no message that is deeper than a hundred, and would refuse the whole batch.
_DEPTH = 16

Problem = tuple[str, str]  # the column, and what is wrong with its cell


def member_of(columns: Sequence[str], cells: Sequence[str]) -> tuple[member_pb2.Member, list[Problem]]:
    """The member that a line tells of, and everything about it that cannot be read."""
    member = member_pb2.Member()
    problems: list[Problem] = []
    attributes: dict[str, Any] = {}
    named: dict[str, str] = {}
    for column, cell in zip(columns, cells, strict=True):
        if column == REASON or not cell.strip():
            continue
        read = _COLUMNS.get(column)
        try:
            if column == "attributes":
                attributes = _object(cell)
            elif read is None:
                named[column] = cell
            else:
                read(member, column, cell.strip())
        except ValueError as error:
            problems.append((column, str(error)))
    if not problems and (attributes or named):
        try:
            member.attributes.update({**attributes, **named})
        except ValueError as error:  # half a character, as JSON can write it
            problems.append(("attributes", f"cannot be sent: {error}"))
    return member, problems


def column_of(field: str, columns: Sequence[str]) -> str:
    """The column behind a field of a member: `attributes.name` is the column `name` where there is one."""
    name = field.removeprefix("attributes.")
    return name if name in columns else field


def _number(cell: str) -> int:
    if not _NUMBER.fullmatch(cell):
        raise ValueError(f"{cell[:40]!r} is not a whole number")
    if not -_LARGEST <= (number := int(cell)) <= _LARGEST:
        raise ValueError(f"{cell} has more than 64 bits")
    return number


def _put_number(member: member_pb2.Member, column: str, cell: str) -> None:
    setattr(member, column, _number(cell))


def _put_text(member: member_pb2.Member, column: str, cell: str) -> None:
    setattr(member, column, cell)


def _put_word(member: member_pb2.Member, column: str, cell: str) -> None:
    if cell.lower() not in _WORDS:
        raise ValueError(f"{cell[:40]!r} is none of {', '.join(_WORDS)}")
    setattr(member, column, _WORDS[cell.lower()])


def _put_numbers(member: member_pb2.Member, column: str, cell: str) -> None:
    getattr(member, column).extend(map(_number, _parts(cell)))


def _put_texts(member: member_pb2.Member, column: str, cell: str) -> None:
    getattr(member, column).extend(_parts(cell))


def _parts(cell: str) -> list[str]:
    return [part.strip() for part in _SEPARATOR.split(cell) if part.strip()]


def _object(cell: str) -> dict[str, Any]:
    try:
        found = json.loads(cell, parse_int=_exact, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"is nested deeper than {_DEPTH} levels") from None
    if not isinstance(found, dict):
        raise ValueError("is not a JSON object")
    if any(_is_deeper(value, _DEPTH) for value in found.values()):
        raise ValueError(f"is nested deeper than {_DEPTH} levels")
    return found


def _exact(text: str) -> float:
    if len(text) > 20 or abs(int(text)) > _EXACT:
        raise ValueError(f"holds {text[:40]}, which is beyond 2^53; write it as text")
    return int(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"holds {text}, which is no number")


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)


_COLUMNS: Mapping[str, Callable[[member_pb2.Member, str, str], None]] = {
    "user_id": _put_number,
    "address": _put_text,
    "language": _put_text,
    "enabled": _put_word,
    "dept_ids": _put_numbers,
    "group_ids": _put_numbers,
    "policy_codes": _put_texts,
    "to_policy_codes": _put_texts,
}
