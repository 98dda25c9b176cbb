"""Notices what templates are called with, as mail is accepted, for the guard that publishes new versions.

Kept are shapes, never values (docs/adr/0014). A process stores a shape once a day. It knows it for stored as
soon as the unit that stored it has been committed, and no sooner.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from postroom_server.clock import DAY, Millis
from postroom_server.mail.broken_call import Circumstances
from postroom_server.mail.call_shape import MOST_ELEMENTS, CallShape, key_text, shape_of
from postroom_server.mail.caller import Caller
from postroom_server.mail.draft import Draft, TemplateBody
from postroom_server.mail.plan import Plan
from postroom_server.mail.seen_shapes import SeenShapes
from postroom_server.message import code_text, percent
from postroom_server.store.versions import CompiledVersion

MOST_LABELS = 5  # sets of labels, of the calls of one shape by one token
MOST_STORED = 100  # a day, of one token's calls of one version, by one process: more is not noticed
MOST_UNKNOWN = 8  # names a day that no variable has, of calls that have such names passed over
_MOST_NAMES = 50_000  # in the memories of one process, some 20 MB at worst
_KEY_NAMES = 10  # what a key of the memory takes, in names

_PLACE = re.compile(r"\[[0-9]+\]")

Labels = tuple[tuple[str, str], ...]


class Versions(Protocol):
    """Where compiled versions are found."""

    def version(self, version_id: int) -> CompiledVersion: ...


# Version, token, tenant, language and circumstances: a plain tuple, for each mail makes one.
_Key = tuple[int, int, int, str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Noticed:
    """A call that brings something new, to be stored."""

    key: _Key
    name: str  # the token's
    shape: CallShape
    labels: Labels
    time: Millis
    unknown: frozenset[str]  # names in the shape that no variable had

    @property
    def version_id(self) -> int:
        return self.key[0]

    @property
    def token_id(self) -> int:
        return self.key[1]

    @property
    def tenant_id(self) -> int:
        return self.key[2]

    @property
    def language(self) -> str:
        return self.key[3]

    @property
    def circumstances(self) -> int:
        return self.key[4]

    @property
    def digest(self) -> str:
        """The same for all calls of one kind, whoever makes them."""
        text = json.dumps([self.language, self.circumstances, self.shape.partial])
        return hashlib.sha256(f"{text}{key_text(self.shape)}".encode(errors="replace")).hexdigest()[:32]


class _Memory:
    """What one token's calls of one version were like today."""

    __slots__ = ("day", "labels", "names", "shapes", "unknown")

    def __init__(self, day: int) -> None:
        self.day = day
        self.names = 0
        self.shapes = SeenShapes()
        self.labels: set[Labels] = set()
        self.unknown: frozenset[str] = frozenset()

    def covers(self, params: Mapping[str, Any], labels: Labels) -> bool:
        """Whether there is nothing to store. Takes no lock: what it misses is stored twice."""
        if labels not in self.labels and len(self.labels) < MOST_LABELS:
            return False
        return self.shapes.cover(params)

    def add(self, noticed: Noticed) -> int:
        new = self.shapes.add(noticed.shape)
        self.names += new
        self.unknown |= noticed.unknown
        if len(self.labels) < MOST_LABELS:
            self.labels.add(noticed.labels)
        return new


class TemplateUsage:
    """One for a process. `Notices`, made by `begin`, belong to one unit of work."""

    def __init__(self, *, most_names: int = _MOST_NAMES, most_stored: int = MOST_STORED) -> None:
        self._memories: collections.OrderedDict[_Key, _Memory] = collections.OrderedDict()
        self._names = 0
        self._most_names = most_names
        self._most_stored = most_stored
        self._day = 0
        # Today, by version and token: one caller's noise is at nobody else's expense.
        self._stored: collections.Counter[tuple[int, int]] = collections.Counter()
        self._lock = threading.Lock()  # units of one process run on several threads

    def begin(self, caller: Caller, tenant_id: int, now: Millis, versions: Versions) -> Notices:
        return Notices(self, caller, tenant_id, now, versions)

    def memory(self, key: _Key, day: int) -> _Memory | None:
        """What was stored of these calls that day."""
        memory = self._memories.get(key)
        return memory if memory is not None and memory.day == day else None

    def is_full(self, version_id: int, token_id: int, day: int) -> bool:
        stored = self._stored.get((version_id, token_id), 0)
        return self._day == day and stored >= self._most_stored

    def remember(self, noticed: Iterable[Noticed]) -> None:
        """Call it once these are committed."""
        with self._lock:
            for one in noticed:
                self._remember(one)

    def _remember(self, one: Noticed) -> None:
        day = one.time // DAY
        if day < self._day:
            return
        if day > self._day:
            # Of yesterday nothing is asked again.
            self._day = day
            self._memories.clear()
            self._stored.clear()
            self._names = 0
        self._stored[one.version_id, one.token_id] += 1
        memory = self._memories.get(one.key)
        if memory is None:
            memory = self._memories[one.key] = _Memory(day)
            self._names += _KEY_NAMES
        self._names += memory.add(one)
        while self._names > self._most_names and len(self._memories) > 1:
            self._names -= self._memories.popitem(last=False)[1].names + _KEY_NAMES


class Notices:
    """What the mail of one unit brings. The emails are one tenant's, by one caller."""

    def __init__(
        self, usage: TemplateUsage, caller: Caller, tenant_id: int, now: Millis, versions: Versions
    ) -> None:
        self._usage = usage
        self._versions = versions
        self._name = caller.name
        self._token_id = caller.token_id
        self._tenant_id = tenant_id
        self._now = now
        self._day = now // DAY
        self._own: dict[_Key, _Memory] = {}
        self.found: list[Noticed] = []

    def notice(self, plan: Plan) -> Sequence[Noticed]:
        """What this email brings that neither an earlier one nor another of this unit has brought."""
        template, checked = plan.template, plan.checked
        draft = checked.draft
        body = draft.body
        if template is None or not isinstance(body, TemplateBody):
            return ()
        special = draft.has_verification or draft.audience is not None or body.ignores_unknown
        circumstances = circumstances_of(draft, body) if special else 0
        key = (template.version_id, self._token_id, self._tenant_id, plan.language, circumstances)
        labels = tuple(draft.labels.items()) if draft.labels else ()
        memory = self._usage.memory(key, self._day)
        if not checked.recipient_params:
            if memory is not None and memory.covers(body.params, labels):
                return ()
            return self._new(key, body.params, labels)
        new: list[Noticed] = []
        # Each To has its own values; Cc and Bcc travel with the first copy.
        for address in checked.to or checked.cc or checked.bcc:
            params = {**body.params, **checked.recipient_params.get(address, {})}
            if memory is None or not memory.covers(params, labels):
                new += self._new(key, params, labels)
        return new

    def _new(self, key: _Key, params: Mapping[str, Any], labels: Labels) -> Sequence[Noticed]:
        own = self._own.get(key)
        if own is None:
            own = self._own[key] = _Memory(self._day)
        if own.covers(params, labels) or self._usage.is_full(key[0], key[1], self._day):
            return ()
        unknown: frozenset[str] = frozenset()
        if key[4] & Circumstances.UNKNOWN_IGNORED:
            memory = self._usage.memory(key, self._day)
            before = own.unknown | (memory.unknown if memory is not None else frozenset())
            variants = self._versions.version(key[0]).variants.values()
            nobodys = set.intersection(*(set(variant.unused(params)) for variant in variants))
            told = _Told(nobodys, before)
            params = told.names_of(params)
            unknown = frozenset(told.unknown)
            if own.covers(params, labels) or (memory is not None and memory.covers(params, labels)):
                return ()
        noticed = Noticed(key, self._name, shape_of(params), labels, self._now, unknown)
        own.add(noticed)
        self.found.append(noticed)
        return (noticed,)


class _Told:
    """What is told of a call whose unknown names are passed over: of these, only so many.

    A name of today may be a variable of tomorrow, so some are worth knowing; names that are different in each
    call are not, and would make a new shape of each.
    """

    def __init__(self, nobodys: set[str], before: frozenset[str]) -> None:
        self._nobodys = nobodys  # paths that no variant knows
        self._known = set(before)
        self.unknown: set[str] = set()

    def names_of(self, given: Mapping[str, Any], at: str = "", *, is_unknown: bool = False) -> dict[str, Any]:
        kept = {}
        for name, value in given.items():
            path = f"{at}.{name}" if at else name
            is_new = is_unknown or path in self._nobodys
            # Of names that no variable can have, only is kept that there were some.
            if not is_new or not percent.is_name(name) or self._takes(path):
                kept[name] = self._told(value, path, is_unknown=is_new)
        return kept

    def _told(self, value: Any, path: str, *, is_unknown: bool) -> Any:
        if isinstance(value, dict):
            return self.names_of(value, path, is_unknown=is_unknown)
        if isinstance(value, list | tuple):
            return [
                self._told(each, f"{path}[{i}]", is_unknown=is_unknown)
                for i, each in enumerate(value[:MOST_ELEMENTS])
            ]
        return value

    def _takes(self, path: str) -> bool:
        name = _PLACE.sub("[]", path)
        if name not in self._known and len(self._known) >= MOST_UNKNOWN:
            return False
        self._known.add(name)
        self.unknown.add(name)
        return True


def circumstances_of(draft: Draft, body: TemplateBody) -> int:
    found = Circumstances(0)
    if draft.has_verification:
        found |= Circumstances.CODE
        if draft.subject:
            found |= Circumstances.OWN_SUBJECT
        if code_text.PLACE in draft.subject:
            found |= Circumstances.CODE_IN_SUBJECT
    if draft.audience is not None:
        found |= Circumstances.AUDIENCE
    if body.ignores_unknown:
        found |= Circumstances.UNKNOWN_IGNORED
    return int(found)
