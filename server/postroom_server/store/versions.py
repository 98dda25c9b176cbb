"""Template versions ready to render. They never change, so they are kept until there are too many.

To compile one takes about a microsecond a character. Units that write hold everyone else up, so they compile
short ones only, and say of a long one that it must be compiled first, where that holds up nobody.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import threading
from collections.abc import Iterable
from datetime import timedelta

from postroom_server.clock import Millis
from postroom_server.message.template import CompiledTemplate, Content, Variable
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import TemplateVariable, TemplateVariant, TemplateVersion

_VERSIONS_KEPT = 1000
_CHARACTERS_KEPT = 8 << 20  # of all of them; what is compiled takes some four times as much
_SHORT = 4096  # characters


class NotCompiled(Refusal):
    """A long version is not kept: the unit is to be run again once `Versions.get` has compiled it."""

    def __init__(self, version_id: int) -> None:
        super().__init__(
            Reason.OVERLOADED,
            "the template is being made ready; try again",
            retry_after=timedelta(seconds=1),
        )
        self.version_id = version_id


@dataclasses.dataclass(frozen=True, slots=True)
class CompiledVersion:
    """A template version ready to render, a variant per language."""

    id: int
    number: int
    default_language: str
    validity: Millis | None
    variants: dict[str, CompiledTemplate]
    types: dict[str, str]  # of the variables that were given one

    @property
    def length(self) -> int:
        return sum(variant.length for variant in self.variants.values())


class Versions:
    """Compiled versions by id, the least recently used dropped first."""

    def __init__(self) -> None:
        self._compiled: collections.OrderedDict[int, CompiledVersion] = collections.OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()

    def kept(self, version_id: int) -> CompiledVersion | None:
        with self._lock:
            found = self._compiled.get(version_id)
            if found is not None:
                self._compiled.move_to_end(version_id)
            return found

    def get(self, version_id: int) -> CompiledVersion:
        return self.kept(version_id) or self._keep(_compile(version_id, _read_variants(version_id)))

    def get_if_short(self, version_id: int) -> CompiledVersion:
        """The same for units that write. Raises NotCompiled."""
        found = self.kept(version_id)
        if found is not None:
            return found
        variants = _read_variants(version_id)
        if sum(len(row.html or "") + len(row.text or "") for row in variants) > _SHORT:
            raise NotCompiled(version_id)
        return self._keep(_compile(version_id, variants))

    def _keep(self, compiled: CompiledVersion) -> CompiledVersion:
        with self._lock:
            # Another thread may have been as slow.
            if compiled.id not in self._compiled:
                self._compiled[compiled.id] = compiled
                self._characters += compiled.length
            while len(self._compiled) > 1 and (
                len(self._compiled) > _VERSIONS_KEPT or self._characters > _CHARACTERS_KEPT
            ):
                self._characters -= self._compiled.popitem(last=False)[1].length
        return compiled


def _read_variants(version_id: int) -> list[TemplateVariant]:
    return list(
        TemplateVariant.select()
        .where(TemplateVariant.version_id == version_id)
        .order_by(TemplateVariant.position)
    )


def _compile(version_id: int, variants: Iterable[TemplateVariant]) -> CompiledVersion:
    version = TemplateVersion.get_by_id(version_id)
    variables = list(
        TemplateVariable.select()
        .where(TemplateVariable.version_id == version_id)
        .order_by(TemplateVariable.position)
    )
    declared = [_variable(row) for row in variables]
    return CompiledVersion(
        id=version_id,
        number=version.number,
        default_language=version.default_language,
        validity=version.validity,
        variants={
            row.language: CompiledTemplate(Content(row.subject, row.html, row.text), declared)
            for row in variants
        },
        types={row.name: row.type for row in variables if row.type and not row.literal},
    )


def _variable(row: TemplateVariable) -> Variable:
    return Variable(
        name=row.name,
        required=row.required,
        default=None if row.default_value is None else json.loads(row.default_value),
        raw=row.raw,
        literal=row.literal,
        declared=row.declared,
    )
