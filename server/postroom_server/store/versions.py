"""Template versions ready to render. They never change, so they are kept until there are too many.

To compile one takes about a microsecond a character. Units that write hold everyone else up, so they compile
short ones only, and say of a long one that it must be compiled first, where that holds up nobody.
"""

from __future__ import annotations

import abc
import collections
import dataclasses
import hashlib
import json
import threading
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import timedelta

from postroom_server.clock import Millis
from postroom_server.message.compiling import compile_template
from postroom_server.message.template import (
    CompiledTemplate,
    Content,
    FailedRendering,
    InvalidValue,
    MissingVariables,
    TakesLong,
    UnsafeContent,
    Variable,
)
from postroom_server.message.variable_types import VariableType
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Syntax, TemplateVariable, TemplateVariant, TemplateVersion

_VERSIONS_KEPT = 1000
_CHARACTERS_KEPT = 8 << 20  # of all of them; what is compiled takes some four times as much
_SHORT = 4096  # characters
_VERDICTS_KEPT = 10_000
_STEPS_OF_TRIALS = 1_000_000  # of one email with a set of parameters for each recipient


class NotReady(Refusal):
    """Something takes too long for a unit that writes: it is to be run again once `prepare` has done that."""

    def __init__(self) -> None:
        super().__init__(
            Reason.OVERLOADED,
            "the template is being made ready; try again",
            retry_after=timedelta(seconds=1),
        )

    @property
    @abc.abstractmethod
    def awaited(self) -> Hashable:
        """Tells what it waits for from other things."""

    @abc.abstractmethod
    def prepare(self, versions: Versions) -> None:
        """Does what takes long. A unit that reads."""


class NotCompiled(NotReady):
    """A long version is not kept."""

    def __init__(self, version_id: int) -> None:
        super().__init__()
        self.version_id = version_id

    @property
    def awaited(self) -> Hashable:
        return self.version_id

    def prepare(self, versions: Versions) -> None:
        versions.get(self.version_id)


class NotTried(NotReady):
    """Nobody knows yet whether a version renders with some sets of parameters."""

    def __init__(self, version_id: int, trials: Sequence[Trial]) -> None:
        super().__init__()
        self.version_id = version_id
        self._trials = trials

    @property
    def awaited(self) -> Hashable:
        return tuple(trial.key(self.version_id) for trial in self._trials)

    def prepare(self, versions: Versions) -> None:
        version = versions.get(self.version_id)
        left = _STEPS_OF_TRIALS
        for trial in self._trials:
            left -= versions.try_out(version, trial, left)


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """One rendering that is to be tried."""

    language: str
    params: Mapping[str, object]
    system: Mapping[str, str]

    def key(self, version_id: int) -> bytes:
        """Tells it from all others."""
        told = [version_id, self.language, self.params, self.system]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).digest()


@dataclasses.dataclass(frozen=True, slots=True)
class CompiledVersion:
    """A template version ready to render, a variant per language."""

    id: int
    number: int
    kind: str
    default_language: str
    validity: Millis | None
    variants: dict[str, CompiledTemplate]

    @property
    def length(self) -> int:
        return sum(variant.length for variant in self.variants.values())


class Versions:
    """Compiled versions by id, the least recently used dropped first."""

    def __init__(self) -> None:
        self._compiled: collections.OrderedDict[int, CompiledVersion] = collections.OrderedDict()
        self._characters = 0
        self._verdicts: collections.OrderedDict[bytes, ValueError | None] = collections.OrderedDict()
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
        version = TemplateVersion.get_by_id(version_id)
        variants = _read_variants(version_id)
        # LIQUID takes ten times as long, and loads its library when it is the first.
        is_short = sum(len(row.html or "") + len(row.text or "") for row in variants) <= _SHORT
        if version.syntax != Syntax.PERCENT or not is_short:
            raise NotCompiled(version_id)
        return self._keep(_compile(version_id, variants))

    def check(self, version: CompiledVersion, trial: Trial, steps: int) -> int:
        """Raises what rendering would raise, as far as a few steps tell, or an earlier trial.

        Returns the steps that it took. Raises TakesLong where neither tells.
        """
        try:
            return version.variants[trial.language].check(trial.params, trial.system, steps=steps)
        except TakesLong:
            with self._lock:
                key = trial.key(version.id)
                if key not in self._verdicts:
                    raise
                verdict = self._verdicts[key]
        if verdict is not None:
            raise verdict
        return steps

    def try_out(self, version: CompiledVersion, trial: Trial, steps: int) -> int:
        """Renders, and remembers what came of it. Returns the steps that it took."""
        verdict: ValueError | None = None
        used = 0
        try:
            used = version.variants[trial.language].check(trial.params, trial.system, steps=max(steps, 1))
        except TakesLong as error:
            verdict = FailedRendering(error.field, "takes too much work for so many recipients")
        except (UnsafeContent, MissingVariables, InvalidValue) as error:
            verdict = error.with_traceback(None)
        with self._lock:
            self._verdicts[trial.key(version.id)] = verdict
            while len(self._verdicts) > _VERDICTS_KEPT:
                self._verdicts.popitem(last=False)
        return used

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
        kind=version.kind,
        default_language=version.default_language,
        validity=version.validity,
        variants={
            row.language: compile_template(Content(row.subject, row.html, row.text), declared, version.syntax)
            for row in variants
        },
    )


def _variable(row: TemplateVariable) -> Variable:
    return Variable(
        name=row.name,
        required=row.required,
        default=None if row.default_value is None else json.loads(row.default_value),
        raw=row.raw,
        literal=row.literal,
        declared=row.declared,
        type=VariableType(row.type),
    )
