"""One language variant of a PERCENT template, compiled: what it needs, and what it says with parameters."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterable, Mapping

from postroom_server.message import links, markup, percent
from postroom_server.message.content import MAX_PART_OCTETS, Content, Rendered, checked_subject
from postroom_server.message.parts import Parts, cut
from postroom_server.message.placement import Problem, check_placement
from postroom_server.message.plaintext import closed_up, text_from_html
from postroom_server.message.unsafe import UnsafeContent
from postroom_server.message.values import text_of
from postroom_server.message.variable import Faults, InvalidValue, MissingVariables, Variable
from postroom_server.message.variable_types import VariableType, problem_of

_MAX_REMEMBERED = 16
# A page is cut anew for names that only one caller calls variables; accepting mail waits for that.
_MOST_CUT_ANEW = 32 * 1024
_UNDECLARED = "must be declared: in a template this long other names are text"
_NOTHING: Mapping[str, str] = {}
_MARKUP = re.compile("[<&\"']")


class PercentTemplate:
    """A variant cut at its variables once, rendered many times. Callers may cache and share it.

    Names found in the content and not declared are required variables. `variables` has the declared ones in
    their order, then the discovered ones in order of appearance.
    """

    def __init__(
        self,
        content: Content,
        declared: Iterable[Variable] = (),
        system_names: frozenset[str] = percent.SYSTEM_NAMES,
    ) -> None:
        known = {variable.name: variable for variable in declared}
        literal = frozenset(name for name, variable in known.items() if variable.literal)
        for part in (content.subject, content.html or "", content.text or ""):
            for name in percent.discover(part, system_names=system_names, literal=literal):
                known.setdefault(name, Variable(name))
        self.content = content
        self.variables = tuple(known.values())
        self._active = tuple(variable for variable in self.variables if not variable.literal)
        self._names = frozenset(variable.name for variable in self._active)
        self._raw = frozenset(variable.name for variable in self._active if variable.raw)
        self._types = {variable.name: variable.type for variable in self._active if variable.type}
        self._maybe = _candidates(content) - self._names - literal
        self._system_names = system_names
        self._system_keys = tuple((name, percent.system_key(name)) for name in sorted(system_names))
        self._parts = cut(content.subject, content.html, content.text, self._names, system_names)
        self._parts_with: dict[frozenset[str], Parts] = {}
        parts = (content.subject, content.html or "", content.text or "")
        self.length = sum(map(len, parts))  # in characters

    @property
    def is_slow(self) -> bool:
        """Whether it takes so long that it should not be rendered where others wait: its length tells."""
        return False

    @property
    def place_count(self) -> int:
        """How many times a variable stands in it."""
        parts = (self._parts.subject, self._parts.html, self._parts.text)
        return sum(len(part.keys) for part in parts if part is not None)

    @property
    def is_checked_by_rendering(self) -> bool:
        """Whether `check` takes as long as `render` does: it looks at the places of the values only."""
        return False

    def shows(self, name: str, *, own_subject: bool = True) -> bool:
        """Whether readers see the value of `name`, whatever they read: the page, or the text, or the subject.

        `own_subject` False: the caller has another one.
        """
        if own_subject and name in self._parts.subject.keys:
            return True
        return all(part is None or name in part.keys for part in (self._parts.html, self._parts.text))

    def problems(self) -> list[Problem]:
        """The variables that stand where HTML cannot hold them; a template that has any is not saved."""
        html = self.content.html or ""
        return check_placement(html, self._names, raw=self._raw, system_names=self._system_names)

    def faults(self, params: Mapping[str, object]) -> Faults:
        """All of the three below, at once."""
        return Faults(self.missing(params), self.unused(params), self.invalid(params))

    def missing(self, params: Mapping[str, object]) -> list[str]:
        """All required variables that `params` has no value for; null counts as no value."""
        return [
            variable.name
            for variable in self._active
            if variable.required and variable.default is None and params.get(variable.name) is None
        ]

    def unused(self, params: Mapping[str, object]) -> list[str]:
        """The names in `params` that this variant has no place for."""
        return [name for name in params if name not in self._names and name not in self._maybe]

    def invalid(self, params: Mapping[str, object]) -> dict[str, str]:
        """The variables whose value is not of their type or has no text, each with what is wrong with it."""
        problems: dict[str, str] = {}
        for name, value in params.items():
            if value is not None and (name in self._names or name in self._maybe):
                if name not in self._names and self.length > _MOST_CUT_ANEW:
                    problems[name] = _UNDECLARED
                    continue
                type_ = self._types.get(name)
                # Nearly every value is a text of no type.
                if type_ is None and type(value) is str:
                    continue
                problem = problem_of(type_ or VariableType.ANY, value)
                if problem:
                    problems[name] = problem
        return problems

    def render(self, params: Mapping[str, object], system: Mapping[str, str] = _NOTHING) -> Rendered:
        """Puts the values in their places: escaped in HTML unless raw, plain in subject and text.

        `system` holds the values of `%%name%%`; a name it lacks is empty, and no parameter takes its place.
        Raises MissingVariables, InvalidValue, and UnsafeContent for what may be said only of the rendered
        whole: a subject with control characters (security.md A3), an address that leads astray (B3), a part
        that is too long (B2).
        """
        parts, values = self._fit(params, system)
        subject = self._render_subject(parts, values)
        html = None
        if parts.html is not None:
            html = self._render_html(parts, parts.html, values)
        if parts.text is None or (parts.text_is_derived and self._must_derive_anew(parts, values)):
            text = text_from_html(html or "")
        else:
            text = _render("text", parts.text, values)
            if parts.text_is_derived and any(not values[key] for key in parts.text.keys):
                # A line that held nothing but this value is not there in the page either.
                text = closed_up(text)
        return Rendered(subject, html, text)

    def sketch(self, params: Mapping[str, object], system: Mapping[str, str] = _NOTHING) -> Rendered:
        """Renders with nothing in the place of what is missing or of a wrong type."""
        untold = dict.fromkeys([*self.missing(params), *self.invalid(params)], "")
        return self.render({**params, **untold}, system)

    def check(
        self,
        params: Mapping[str, object],
        system: Mapping[str, str] = _NOTHING,
        *,
        steps: int | None = None,  # noqa: ARG002 - it takes so few that nobody counts them
    ) -> int:
        """Raises what `render` would raise, without writing the parts: cheap, however long they are."""
        parts, values = self._fit(params, system)
        self._render_subject(parts, values)
        if parts.html is not None:
            escaped = self._escaped(values)
            _check_length("html", parts.html, escaped)
            self._check_html(parts, escaped)
        if parts.text is not None and not (parts.text_is_derived and self._must_derive_anew(parts, values)):
            _check_length("text", parts.text, values)
        return 0

    def _fit(self, params: Mapping[str, object], system: Mapping[str, str]) -> tuple[Parts, dict[str, str]]:
        """The parts for these parameters, and a value for everything that stands in them."""
        values = self._values(params)
        parts = self._parts
        if self._maybe and not self._maybe.isdisjoint(params):
            parts = self._supplied(params, values)
        for name, key in self._system_keys:
            values[key] = system.get(name, "")
        return parts, values

    def _render_subject(self, parts: Parts, values: Mapping[str, str]) -> str:
        return checked_subject(parts.subject.render(values) if parts.subject.keys else self.content.subject)

    def _values(self, params: Mapping[str, object]) -> dict[str, str]:
        values: dict[str, str] = {}
        for variable in self._active:
            name = variable.name
            value = params.get(name)
            if type(value) is str:
                values[name] = value
            elif value is not None:
                values[name] = _text(name, value)
            elif variable.default is not None:
                values[name] = str(variable.default)
            elif variable.required:
                raise MissingVariables(self.missing(params))
            else:
                values[name] = ""
        return values

    def _supplied(self, params: Mapping[str, object], values: dict[str, str]) -> Parts:
        """Adds the values of names that only this caller calls variables; returns the parts cut for them."""
        extra = frozenset(name for name in self._maybe if params.get(name) is not None)
        if not extra:
            return self._parts
        for name in extra:
            if self.length > _MOST_CUT_ANEW:
                raise InvalidValue(name, _UNDECLARED)
            values[name] = _text(name, params[name])
        parts = self._parts_with.get(extra)
        if parts is None:
            # When the template was saved nobody knew these names, so nobody looked where they stand.
            problems = check_placement(self.content.html or "", extra, system_names=())
            if problems:
                raise UnsafeContent("html", str(problems[0]))
            content = self.content
            parts = cut(content.subject, content.html, content.text, self._names | extra, self._system_names)
            if len(self._parts_with) < _MAX_REMEMBERED:
                self._parts_with[extra] = parts
        return parts

    def _render_html(self, parts: Parts, compiled: percent.Compiled, values: Mapping[str, str]) -> str:
        escaped = self._escaped(values)
        rendered = _render("html", compiled, escaped)
        self._check_html(parts, escaped)
        return rendered

    def _escaped(self, values: Mapping[str, str]) -> dict[str, str]:
        if self._raw:
            return {
                key: value if key in self._raw else entities.escape(value) for key, value in values.items()
            }
        return {key: entities.escape(value) for key, value in values.items()}

    def _check_html(self, parts: Parts, escaped: Mapping[str, str]) -> None:
        """Looks at what values add to the page, not at the page: a raw one must be whole by itself."""
        for name in self._raw:
            value = escaped[name]
            if _MARKUP.search(value):
                if not markup.is_whole(value):
                    raise UnsafeContent("html", f"has a value of {name} that ends inside a tag or a comment")
                _refuse_scheme(links.first_unsafe(value))
        for link in parts.links:
            _refuse_scheme(links.unsafe_scheme(entities.unescape(link.render(escaped))))

    def _must_derive_anew(self, parts: Parts, values: Mapping[str, str]) -> bool:
        """Tells whether the text template does not fit these values: markup in raw ones, or an empty link."""
        return any(_MARKUP.search(values[name]) for name in self._raw) or any(
            not values[key] for key in parts.link_keys
        )


def _candidates(content: Content) -> frozenset[str]:
    return (
        percent.candidates(content.subject)
        | percent.candidates(content.html or "")
        | percent.candidates(content.text or "")
    )


def _text(name: str, value: object) -> str:
    try:
        return text_of(value)
    except ValueError as error:
        raise InvalidValue(name, str(error)) from None


def _render(field: str, compiled: percent.Compiled, values: Mapping[str, str]) -> str:
    # Looked at before joining: a long value in many places would fill the memory first.
    _check_length(field, compiled, values)
    return compiled.render(values)


def _check_length(field: str, compiled: percent.Compiled, values: Mapping[str, str]) -> None:
    longest = max(map(len, values.values()), default=0)
    # A character takes at most four octets, so most mails need no closer look.
    if compiled.literal_octets + len(compiled.keys) * longest * 4 <= MAX_PART_OCTETS:
        return
    octets = {key: len(values[key].encode(errors="replace")) for key in set(compiled.keys)}
    if compiled.literal_octets + sum(octets[key] for key in compiled.keys) > MAX_PART_OCTETS:
        raise UnsafeContent(field, f"is longer than {MAX_PART_OCTETS} octets")


def _refuse_scheme(scheme: str | None) -> None:
    if scheme is not None:
        raise UnsafeContent("html", f"has a link that begins with {scheme[:40]}:")
