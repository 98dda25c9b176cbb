"""Template versions ready to render. They never change, so they are kept until there are too many."""

from __future__ import annotations

import collections
import dataclasses
import json
import threading

from postroom_server.clock import Millis
from postroom_server.message.template import CompiledTemplate, Content, Variable
from postroom_server.store.models import TemplateVariable, TemplateVariant, TemplateVersion

_VERSIONS_KEPT = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class CompiledVersion:
    """A template version ready to render, a variant per language."""

    id: int
    number: int
    default_language: str
    validity: Millis | None
    variants: dict[str, CompiledTemplate]


class Versions:
    """Compiled versions by id, the least recently used dropped first."""

    def __init__(self) -> None:
        self._compiled: collections.OrderedDict[int, CompiledVersion] = collections.OrderedDict()
        self._lock = threading.Lock()

    def kept(self, version_id: int) -> CompiledVersion | None:
        with self._lock:
            found = self._compiled.get(version_id)
            if found is not None:
                self._compiled.move_to_end(version_id)
            return found

    def get(self, version_id: int) -> CompiledVersion:
        found = self.kept(version_id)
        if found is not None:
            return found
        compiled = compile_version(version_id)
        with self._lock:
            self._compiled[version_id] = compiled
            if len(self._compiled) > _VERSIONS_KEPT:
                self._compiled.popitem(last=False)
        return compiled


def compile_version(version_id: int) -> CompiledVersion:
    """Reads a version's rows and compiles every variant."""
    version = TemplateVersion.get_by_id(version_id)
    variables = read_variables(version_id)
    variants = (
        TemplateVariant.select()
        .where(TemplateVariant.version_id == version_id)
        .order_by(TemplateVariant.position)
    )
    return CompiledVersion(
        id=version_id,
        number=version.number,
        default_language=version.default_language,
        validity=version.validity,
        variants={
            row.language: CompiledTemplate(Content(row.subject, row.html, row.text), variables)
            for row in variants
        },
    )


def read_variables(version_id: int) -> tuple[Variable, ...]:
    rows = (
        TemplateVariable.select()
        .where(TemplateVariable.version_id == version_id)
        .order_by(TemplateVariable.position)
    )
    return tuple(
        Variable(
            name=row.name,
            required=row.required,
            default=None if row.default_value is None else json.loads(row.default_value),
            raw=row.raw,
            literal=row.literal,
            declared=row.declared,
        )
        for row in rows
    )
