"""What a new version would break: calls that are accepted today and would be refused, or answered in another
language. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from postroom_server.mail.broken_call import Break, Circumstances, Fault, Kind, RememberedCall
from postroom_server.mail.call_shape import example_of, is_whole, other_examples
from postroom_server.message import code_text, language
from postroom_server.message.mailing import SYSTEM_VALUES
from postroom_server.message.member import is_member_path
from postroom_server.message.template import CompiledTemplate, FailedRendering, MissingVariables, TakesLong
from postroom_server.refusals import Reason, Refusal, Violation

_PATH_CHARACTERS = 100
_TOLD = 10  # breaks, in the message
_CALLERS_TOLD = 3  # of each break
_DESCRIPTION_CHARACTERS = 400
# Of each list in the metadata: with the message it stays within what trailers hold (docs/adr/0003).
_LIST_BYTES = 300
_CODE = "000000"
# Of trial renderings, in a unit that writes: some 25 milliseconds over all, and so many of one.
STEPS = 10_000
_STEPS_EACH = 2000
_STEPS_OF_A_FAILURE = 100
_CHARACTERS_OF_A_STEP = 1000  # that stand in the template and are only written


@dataclasses.dataclass(frozen=True, slots=True)
class Sendable:
    """A version as calls meet it."""

    variants: Mapping[str, CompiledTemplate]
    default_language: str


def breaks(current: Sendable, candidate: Sendable, calls: Iterable[RememberedCall]) -> dict[Fault, list[str]]:
    """The faults that calls would have, each with the digests of those calls.

    What the current version refuses is not broken by another.
    """
    found: dict[Fault, list[str]] = {}
    trials = _Trials(current, candidate)
    for call in calls:
        if any(faults(current, call)):
            continue
        wrong = list(faults(candidate, call)) or trials.faults(call)
        for fault in dict.fromkeys([*wrong, *_lost_language(current, candidate, call)]):
            found.setdefault(fault, []).append(call.digest)
    return found


def faults(version: Sendable, call: RememberedCall) -> Iterator[Fault]:
    """What accepting such a call by this version would refuse, as far as names and types tell."""
    circumstances, shape = Circumstances(call.circumstances), call.shape
    tag = _choose(version, call.language)
    params = example_of(shape)
    if Circumstances.CODE in circumstances:
        own_subject = Circumstances.OWN_SUBJECT not in circumstances
        shown = Circumstances.CODE_IN_SUBJECT in circumstances
        if not shown and not version.variants[tag].shows(code_text.NAME, own_subject=own_subject):
            yield Fault(Kind.CODE, code_text.NAME, "is not shown any more")
        params[code_text.NAME] = _CODE
    found = {each: variant.faults(params) for each, variant in version.variants.items()}
    if Circumstances.UNKNOWN_IGNORED not in circumstances:
        # What one language takes may be given in every other.
        unknown = set.intersection(*(set(one.unknown) for one in found.values()))
        for name in sorted(unknown - {code_text.NAME}):
            yield Fault(Kind.UNKNOWN, _general(name), "is no variable any more")
    is_audience = Circumstances.AUDIENCE in circumstances
    # Members read whatever language they like.
    for one in found.values() if is_audience else (found[tag],):
        for path in one.missing:
            if shape.tells(path) and not (is_audience and is_member_path(path)):
                yield Fault(Kind.MISSING, _general(path), "has no value")
        for path, problem in one.invalid.items():
            if not (is_audience and is_member_path(path)):
                yield Fault(Kind.TYPE, _general(path), problem)


class _Trials:
    """Renders calls by two versions, for what nobody knows before: the other never can, with any values."""

    def __init__(self, current: Sendable, candidate: Sendable) -> None:
        self._current = current
        self._candidate = candidate
        self._left = STEPS

    def faults(self, call: RememberedCall) -> list[Fault]:
        """None where it takes too long to find out."""
        circumstances = Circumstances(call.circumstances)
        # What members have is not known, nor what was too large to be kept.
        if Circumstances.AUDIENCE in circumstances or not is_whole(call.shape):
            return []
        tag = _choose(self._candidate, call.language)
        variant = self._candidate.variants[tag]
        before = self._current.variants[_choose(self._current, call.language)]
        first: ValueError | None = None
        works_today = False
        for params in (example_of(call.shape), *other_examples(call.shape)):
            if Circumstances.CODE in circumstances:
                params[code_text.NAME] = _CODE
            error = self._try(variant, params)
            if error is None or isinstance(error, TakesLong):
                return []
            works_today = works_today or self._works(before, params)
            first = first or error
        return _failure(tag, first) if works_today and first is not None else []

    def _works(self, variant: CompiledTemplate, params: Mapping[str, Any]) -> bool:
        error = self._try(variant, params)
        # It may be that it takes long: such calls were accepted.
        return error is None or isinstance(error, TakesLong)

    def _try(self, variant: CompiledTemplate, params: Mapping[str, Any]) -> ValueError | None:
        if self._left <= 0:
            return TakesLong("", "there are no steps left")
        steps = min(self._left, _STEPS_EACH)
        self._left -= 1 + variant.length // _CHARACTERS_OF_A_STEP
        try:
            self._left -= variant.check(params, SYSTEM_VALUES, steps=steps)
        except (FailedRendering, MissingVariables) as error:
            # How many it took is not told.
            self._left -= steps if isinstance(error, TakesLong) else _STEPS_OF_A_FAILURE
            return error
        except ValueError:
            # A value that is not safe, or is not of its type: other values are.
            self._left -= _STEPS_OF_A_FAILURE
        return None


def _failure(tag: str, error: ValueError) -> list[Fault]:
    if isinstance(error, MissingVariables):
        return [Fault(Kind.MISSING, _general(name), "has no value") for name in error.names]
    return [Fault(Kind.RENDERING, tag, f"cannot be rendered: {error}")]


def _choose(version: Sendable, wanted: str) -> str:
    return language.choose(wanted, tuple(version.variants), version.default_language)


def _lost_language(current: Sendable, candidate: Sendable, call: RememberedCall) -> Iterator[Fault]:
    """The language of the call, where it is answered in that today and would be in quite another."""
    wanted = _primary(call.language)
    if _primary(_choose(current, call.language)) == wanted != _primary(_choose(candidate, call.language)):
        yield Fault(Kind.LANGUAGE, call.language, "is a language that is not there any more")


def _primary(tag: str) -> str:
    return tag.partition("-")[0]


def _general(path: str) -> str:
    """`items[2].price` as `items[].price`: it stands for all of them."""
    general = re.sub(r"\[[0-9]+\]", "[]", path)
    return general if len(general) <= _PATH_CHARACTERS else general[: _PATH_CHARACTERS - 1] + "…"


def refusal_of(found: Sequence[Break], *, invoke_name: str, version: int, days: int) -> Refusal:
    """Says what would break and for whom, within what an answer's trailers hold."""
    told = [f"{one.fault.name} {one.fault.problem}" for one in found[:_TOLD]]
    more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return Refusal(
        Reason.TEMPLATE_BREAKING_CHANGE,
        f"version {version} of {invoke_name} would break what callers sent in the last {days} days: "
        f"{'; '.join(told)}{more} (allow_breaking publishes it all the same)",
        violations=[
            Violation(_field(one.fault), _description(one), Reason.TEMPLATE_BREAKING_CHANGE) for one in found
        ],
        metadata={
            "invoke_name": invoke_name,
            "version": str(version),
            "days": str(days),
            **{name: _within(values, _LIST_BYTES) for name, values in summary(found).items() if values},
        },
    )


def _field(fault: Fault) -> str:
    """Where the callers' own requests would be refused."""
    fields = {Kind.LANGUAGE: "language", Kind.CODE: "verification", Kind.RENDERING: "template"}
    return fields.get(fault.kind) or f"template.params.{fault.name}"


def summary(found: Sequence[Break]) -> dict[str, list[str]]:
    """Everything in lists: the variables over all and by kind, and the callers' tokens and labels."""
    told: dict[str, dict[str, None]] = {
        "variables": {}, **{kind.value: {} for kind in Kind}, "tokens": {}, "labels": {},
    }  # fmt: skip
    for one in found:
        kind, name, _ = one.fault
        told[kind][name] = None
        if kind not in (Kind.LANGUAGE, Kind.RENDERING):
            told["variables"][name] = None
        for caller in one.callers:
            told["tokens"][caller.token] = None
            told["labels"].update(dict.fromkeys(caller.labels))
    return {name: list(values) for name, values in told.items()}


def _description(one: Break) -> str:
    tokens: dict[str, dict[str, None]] = {}
    for caller in one.callers:
        tokens.setdefault(caller.token, {}).update(dict.fromkeys(caller.labels))
    told = [
        f"{token} ({', '.join(labels)})" if labels else token
        for token, labels in list(tokens.items())[:_CALLERS_TOLD]
    ]
    more = f" and {len(tokens) - _CALLERS_TOLD} more" if len(tokens) > _CALLERS_TOLD else ""
    text = f"{one.fault.problem}; sent by {', '.join(told)}{more}" if told else one.fault.problem
    return text if len(text) <= _DESCRIPTION_CHARACTERS else text[: _DESCRIPTION_CHARACTERS - 1] + "…"


def _within(values: Sequence[str], most: int) -> str:
    """As many of the values as fit, whole; `…` says that there are more."""
    kept: list[str] = []
    room = most
    for value in values:
        room -= len(value.encode(errors="replace")) + 2
        if room < 0:
            return ", ".join([*kept, "…"])
        kept.append(value)
    return ", ".join(kept)
