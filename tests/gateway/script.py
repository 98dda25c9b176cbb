"""Case files as values: found, read, and refused where they say what nobody understands."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).with_name("cases")

_FILE = {"settings", "headers", "case"}
_CASE = {"name", "headers", "settings", "tokens", "server", "step"}
_HTTP = {
    "request", "headers", "json", "text", "hex", "form", "status", "answer", "answer_headers", "answer_text",
    "save", "times",
}  # fmt: skip
# What a step is, by the key that only it has.
_STEPS = {
    "request": _HTTP,
    "call": {"call", "as", "message", "answer", "refused", "save"},
    "settle": {"settle"},
    "caught": {"caught", "save"},
    "quiet": {"quiet"},
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One case, with what its file gives it."""

    file: str
    name: str
    settings: dict[str, Any]
    headers: dict[str, str]
    tokens: dict[str, dict[str, Any]]
    has_server: bool
    steps: list[dict[str, Any]]


def cases_of(dialect: str) -> list[Any]:
    """Every case of a dialect, as parameters; those that want the same server follow each other."""
    cases = [case for file in sorted((FOLDER / dialect).glob("*.toml")) for case in _cases_in(file)]
    cases.sort(key=lambda case: repr(sorted(case.settings.items())))
    return [pytest.param(case, id=f"{case.file}-{case.name.replace(' ', '_')}") for case in cases]


def _cases_in(file: Path) -> list[Case]:
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    _refuse_unknown(content, _FILE, file.name)
    found: dict[str, Case] = {}
    for case in content["case"]:
        where = f"{file.name}: {case['name']}"
        _refuse_unknown(case, _CASE, where)
        if case["name"] in found:
            raise ValueError(f"{where}: there are two of this name")
        for step in case["step"]:
            (kind,) = [kind for kind in _STEPS if kind in step] or [""]
            if not kind:
                raise ValueError(f"{where}: a step is one of {', '.join(_STEPS)}")
            _refuse_unknown(step, _STEPS[kind], where)
        found[case["name"]] = Case(
            file.stem,
            case["name"],
            {**content.get("settings", {}), **case.get("settings", {})},
            {**content.get("headers", {}), **case.get("headers", {})},
            case.get("tokens", {}),
            case.get("server", True),
            case["step"],
        )
    return list(found.values())


def _refuse_unknown(table: dict[str, Any], known: set[str], where: str) -> None:
    if unknown := table.keys() - known:
        raise ValueError(f"{where}: {', '.join(sorted(unknown))} is not known here")
